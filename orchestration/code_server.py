"""Dagster's code server, whose runs are forked from a process that has imported everything already.

`python -m orchestration.code_server code-server start …` takes the arguments of `dagster code-server start`. Dagster
starts each run as a fresh interpreter, which spends most of a launch's time on imports.
"""

import multiprocessing
import sys
from multiprocessing import forkserver
from typing import Any

PRELOADED = ("orchestration.preloaded",)
_SERVES_CODE = ("api", "grpc")


def main() -> None:
    """Become the proxy that reloads code, or, as its child, the server that has the code."""
    from dagster._cli import main as dagster

    if tuple(sys.argv[1:3]) == _SERVES_CODE:
        fork_runs()
    else:
        serve_code_by_this_program()
    dagster()  # type: ignore[no-untyped-call] # Dagster's own; it is not annotated


def serve_code_by_this_program() -> None:
    """Let the proxy start this program where it would start `python -m dagster`."""
    from dagster._grpc import server

    names: dict[str, Any] = vars(server)
    names["get_python_environment_entry_point"] = lambda executable: [executable, "-m", "orchestration.code_server"]


def fork_runs() -> None:
    """Start the process that runs are forked from, and let the server use it."""
    from dagster._grpc import server

    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(PRELOADED))
    forkserver.ensure_running()

    class ForkingApiServer(server.DagsterApiServer):
        def __init__(self, *arguments: Any, **options: Any) -> None:
            super().__init__(*arguments, **options)
            self._mp_ctx: Any = context

    names: dict[str, Any] = vars(server)
    names["DagsterApiServer"] = ForkingApiServer


if __name__ == "__main__":
    main()
