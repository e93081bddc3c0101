"""Where a local runner is: the stacks of its threads, read from outside or printed by itself."""

import contextlib
import os
import signal
import time
from collections.abc import Callable
from pathlib import Path

from hawk.errors import Conflict, Upstream
from orchestration.launchers.process_identity import ProcessIdentity

# faulthandler's words before the stack of the thread that the signal met, which there is exactly one of.
_CURRENT_THREAD = "Current thread 0x"
_THREAD = "Thread 0x"
_PRINTING_SECONDS = 0.5  # the handler is C and prints at once, whatever Python does meanwhile
_POLL_SECONDS = 0.05

ReadStack = Callable[[int], str | None]


def stack_of(runner: ProcessIdentity, output: Path, *, read: ReadStack, wait_seconds: float) -> str:
    """Return the stacks of a runner's threads. Raises Conflict where it has ended, Upstream where it does not answer.

    `read` looks from outside; where that is not allowed the runner is asked by a signal, and prints to `output`.
    """
    if not runner.is_alive():
        raise Conflict("The runner has just ended.", hint="See hawk status.")
    found = read(runner.pid)
    return found if found is not None else _printed(runner, output, wait_seconds=wait_seconds)


def _printed(runner: ProcessIdentity, output: Path, *, wait_seconds: float) -> str:
    begin = output.stat().st_size
    with contextlib.suppress(ProcessLookupError):
        os.kill(runner.pid, signal.SIGUSR1)
    deadline = time.monotonic() + wait_seconds
    while time.monotonic() < deadline:
        if _CURRENT_THREAD in _text(output, begin):
            time.sleep(_PRINTING_SECONDS)
            return _stacks(_text(output, begin))
        time.sleep(_POLL_SECONDS)
    raise Upstream(f"The runner did not show its stack within {wait_seconds:.0f} s.", hint="Try again.")


def _stacks(text: str) -> str:
    """Return the text from the first stack on; what the runner printed before is left out."""
    lines = text.splitlines()
    first = next(number for number, line in enumerate(lines) if line.startswith((_THREAD, _CURRENT_THREAD)))
    return "\n".join(lines[first:])


def _text(output: Path, begin: int) -> str:
    with output.open("rb") as file:
        file.seek(begin)
        return file.read().decode(errors="replace")
