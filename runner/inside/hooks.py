"""The hooks of inspect_ai that tell the board and the stop monitor what happens."""

import os
from pathlib import Path

from inspect_ai.hooks import ApiKeyOverride, Hooks, RunStart, SampleEnd, SampleStart, TaskEnd, TaskStart, hooks

from hawk.naming import TOKEN_FILE_VARIABLE

from .progress import ProgressBoard
from .stopping import StopMonitor


def install_hooks(board: ProgressBoard, monitor: StopMonitor) -> None:
    """Register the hooks, for the life of this process."""

    @hooks(name="hawk", description="Keeps the eval set's progress on S3 and obeys commands to stop.")
    class HawkHooks(Hooks):
        async def on_run_start(self, data: RunStart) -> None:
            monitor.run_started()

        async def on_task_start(self, data: TaskStart) -> None:
            board.task_started(data.spec)
            monitor.task_started(data.spec.task_id)

        async def on_task_end(self, data: TaskEnd) -> None:
            board.task_ended(data.log)

        async def on_sample_start(self, data: SampleStart) -> None:
            board.sample_started(data.eval_id, data.summary)
            monitor.sample_started()

        async def on_sample_end(self, data: SampleEnd) -> None:
            board.sample_ended(data.eval_id, data.sample)


def install_token_renewal() -> None:
    """Let models take the token of the moment from a file, where the run was given one; before models are loaded.

    Inspect asks again when a provider refuses a key, so a token that ended is replaced by the newest.
    """
    place = os.environ.get(TOKEN_FILE_VARIABLE)
    if not place:
        return
    file = Path(place)
    first = file.read_text().strip()

    @hooks(name="hawk-token", description="Renews the token with which models are called.")
    class TokenHooks(Hooks):
        def override_api_key(self, data: ApiKeyOverride) -> str | None:
            # Keys of the user's own are left as they are.
            return file.read_text().strip() if data.value == first else None
