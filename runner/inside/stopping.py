"""Ends samples on command: by files in the set's `.commands` folder, or a file that the launcher makes.

Commands are of the whole set (`stop.json`) or of one sample (`stop-sample-{uuid}.json`), and say whether partial
work is scored or recorded as an error. They hold for what starts later too.
"""

import asyncio
import json
import logging
import re
import threading
from datetime import datetime
from pathlib import Path
from typing import Literal

from inspect_ai.log._samples import active_samples

from hawk.naming import COMMANDS_FOLDER

from .folder import EvalSetFolder, StoredFile

logger = logging.getLogger("runner")

Action = Literal["score", "error"]

POLL_SECONDS = 5.0
FILE_POLL_SECONDS = 0.5
STOP_FILE = f"{COMMANDS_FOLDER}/stop.json"
_SAMPLE_FILE = re.compile(rf"{re.escape(COMMANDS_FOLDER)}/stop-sample-(?P<uuid>[\w-]+)\.json")


class StopMonitor:
    """Watches for commands in a thread and carries them out on the event loop that runs the samples."""

    def __init__(
        self, folder: EvalSetFolder, *, stop_file: Path | None = None, submitted_at: datetime | None = None
    ) -> None:
        self._folder = folder
        self._stop_file = stop_file
        self._submitted_at = submitted_at
        self._loop: asyncio.AbstractEventLoop | None = None
        self._samples: dict[str, Action] = {}
        self._task_ids: set[str] = set()
        self._old_commands: set[StoredFile] = set()
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stop", daemon=True)
        self.stop_action: Action | None = None
        self.stopped = threading.Event()

    def start(self) -> None:
        """Leave aside commands that were given before the job was, obey those given since, and watch for more."""
        self._note_old_commands()
        self._look()
        self._thread.start()

    def stop(self) -> None:
        self._ending.set()
        self._thread.join()

    def run_started(self) -> None:
        """Take the running event loop as the one to interrupt samples on."""
        self._loop = asyncio.get_running_loop()

    def task_started(self, task_id: str) -> None:
        self._task_ids.add(task_id)
        if self.stop_action is not None:
            asyncio.get_running_loop().call_soon(self._carry_out)

    def sample_started(self) -> None:
        """Look whether what starts is to be stopped; called on the event loop."""
        if self.stop_action is not None or self._samples:
            self._carry_out()

    def _run(self) -> None:
        polls = 0
        while not self._ending.wait(FILE_POLL_SECONDS):
            polls += 1
            if self._stop_file_is_there() or polls % int(POLL_SECONDS / FILE_POLL_SECONDS) == 0:
                self._look()
            # A sample that was not yet interruptible may be so now.
            if self._loop is not None and (self.stop_action or self._samples):
                self._loop_call()

    def _loop_call(self) -> None:
        try:
            if self._loop is not None:
                self._loop.call_soon_threadsafe(self._carry_out)
        except RuntimeError:  # the loop has ended
            self._loop = None

    def _note_old_commands(self) -> None:
        # S3 tells whole seconds, so a command given in the very second of the submission is for this run.
        begin = self._submitted_at.replace(microsecond=0) if self._submitted_at else None
        # They cannot be removed: a job may not change what it is told.
        self._old_commands = {file for file in self._commands() if begin is None or file.modified_at < begin}
        if self._old_commands:
            logger.info("not for this run: %s", ", ".join(sorted(file.name for file in self._old_commands)))

    def _look(self) -> None:
        try:
            for file in self._commands():
                self._obey(file)
        except Exception as error:
            logger.warning("commands could not be read: %s", error)
        if self._stop_file_is_there():  # last, as it does not say how, and a command may
            self._stop_all("score")

    def _obey(self, file: StoredFile) -> None:
        match = _SAMPLE_FILE.fullmatch(file.name)
        if file.name == STOP_FILE and self.stop_action is None:
            self._stop_all(self._action(file))
        elif match and match["uuid"] not in self._samples:
            self._samples[match["uuid"]] = self._action(file)
            logger.info("stopping sample %s", match["uuid"])

    def _stop_all(self, action: Action) -> None:
        if self.stop_action is None:
            logger.info("stopping the eval set; partial work is recorded as: %s", action)
            self.stop_action = action
            self.stopped.set()

    def _action(self, file: StoredFile) -> Action:
        try:
            command = json.loads(self._folder.read(file.name))
            return "error" if command.get("action") == "error" else "score"
        except (ValueError, AttributeError, FileNotFoundError):
            logger.warning("the command %s cannot be read; scoring partial work", file.name)
            return "score"

    def _commands(self) -> list[StoredFile]:
        files = set(self._folder.list(COMMANDS_FOLDER)) - self._old_commands
        return [file for file in files if file.name == STOP_FILE or _SAMPLE_FILE.fullmatch(file.name)]

    def _stop_file_is_there(self) -> bool:
        return self._stop_file is not None and self._stop_file.exists()

    def _carry_out(self) -> None:
        """Interrupt what is to end; on the event loop, and again harmless."""
        if self.stop_action is not None:
            for task_id in sorted(self._task_ids):
                _end_task(task_id, self.stop_action)
        for sample in active_samples():
            action = self.stop_action or self._samples.get(sample.sample_uuid)
            if action is not None and not sample.terminal:
                sample.interrupt(action)


def _end_task(task_id: str, action: Action) -> None:
    """Let no further sample of the task start, and end it when those that run have ended."""
    from inspect_ai._control.cancel import cancel_task, drain_task

    # Inspect refuses `error` for samples that fail the task; these are interrupted one by one after the drain.
    if action == "score":
        cancel_task(task_id, action="score")
    else:
        drain_task(task_id)
