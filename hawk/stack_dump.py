"""The stacks of another process's threads as py-spy reads them from outside, where it is installed and may."""

import logging
import shutil
import subprocess
from importlib import metadata
from pathlib import Path

logger = logging.getLogger(__name__)

TIMEOUT_SECONDS = 15.0
PROGRAM = "py-spy"


def dump_stack(pid: int) -> str | None:
    """Return the stacks of a process's threads, or None where they cannot be read from outside.

    py-spy stops the process for some milliseconds, and needs the right to look into it: that of a debugger.
    """
    program = _program()
    if program is None:
        return None
    try:
        answer = subprocess.run(
            [program, "dump", "--pid", str(pid)],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=TIMEOUT_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        logger.info("%s did not answer: %s", PROGRAM, error)
        return None
    if answer.returncode != 0 or not answer.stdout.strip():
        logger.info("%s could not read the stack: %s", PROGRAM, answer.stderr.strip()[:500])
        return None
    return answer.stdout.strip()


def _program() -> Path | None:
    """Return py-spy's program: the one of our own environment, wherever it was installed to, else that of the PATH."""
    try:
        files = metadata.distribution(PROGRAM).files or ()
    except metadata.PackageNotFoundError:
        files = ()
    for file in files:
        if file.name == PROGRAM:
            located = Path(str(file.locate())).resolve()
            if located.is_file():
                return located
    found = shutil.which(PROGRAM)
    return Path(found) if found else None
