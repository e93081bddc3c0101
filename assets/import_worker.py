"""A process that imports beside the one that started it: `python -m assets.import_worker`, told by its stdin.

It ends when nothing is pending, when its time is over, and when whoever started it ends, however that ends.
"""

import contextlib
import os
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec
from pydantic import SecretStr

from hawk.errors import HawkError, Upstream
from hawk.settings import OrchestrationSettings
from hawk.warehouse.importer import ImportOutcome

ROOT = Path(__file__).resolve().parent.parent
# From the last log's end to the process' own.
PATIENCE_SECONDS = 10.0


class WorkerMessage(msgspec.Struct):
    """A line that a worker writes: what became of a log, or why it cannot go on."""

    outcome: ImportOutcome | None = None
    trouble: str | None = None


class ImportWorker:
    """The process, seen from the one that started it."""

    def __init__(self, settings: OrchestrationSettings, *, seconds: float) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "assets.import_worker"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
            # Ctrl-C is for the run, which ends its workers.
            start_new_session=True,
        )
        self._outcomes: list[ImportOutcome] = []
        self._trouble: str | None = None
        self._reader = threading.Thread(target=self._read, name="import-worker", daemon=True)
        self._reader.start()
        order = msgspec.json.encode({"settings": _revealed(settings), "seconds": seconds})
        if self._process.stdin is not None:
            with contextlib.suppress(BrokenPipeError):  # it has ended; `end` says how
                self._process.stdin.write(order + b"\n")
                self._process.stdin.flush()

    def wait(self) -> list[ImportOutcome]:
        """Return what it imported, when it has ended: a log that is begun is imported to its end.

        Raises Upstream where it met trouble.
        """
        self._process.wait()
        self._reader.join(PATIENCE_SECONDS)
        if self._trouble is not None:
            raise Upstream(self._trouble)
        return self._outcomes

    def end(self) -> str | None:
        """End the process if it runs still; return how it ended where it did not end well."""
        ended_by_itself = self._process.poll() is not None
        if not ended_by_itself:
            self._process.terminate()
            try:
                self._process.wait(PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                self._process.kill()
                self._process.wait()
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        code = self._process.returncode
        if code == 0 or not ended_by_itself or self._trouble is not None:
            return None
        return f"Process {self._process.pid} ended with exit code {code}; its logs were given to the next run."

    def _read(self) -> None:
        if self._process.stdout is None:
            return
        decode = msgspec.json.Decoder(WorkerMessage).decode
        for line in self._process.stdout:
            message = decode(line)
            if message.outcome is not None:
                self._outcomes.append(message.outcome)
            self._trouble = message.trouble or self._trouble


def main() -> int:
    """Import until nothing is pending."""
    from assets.import_logs import CLAIMED_BESIDE_OTHERS, import_until
    from hawk.warehouse.connection import connect

    order = msgspec.json.decode(sys.stdin.buffer.readline())
    settings = OrchestrationSettings(**order["settings"])
    deadline = time.monotonic() + float(order["seconds"])
    threading.Thread(target=_end_with_parent, args=(sys.stdin.fileno(),), daemon=True).start()
    try:
        with connect(settings, autocommit=True) as connection:
            for outcome in import_until(connection, settings, deadline, at_once=CLAIMED_BESIDE_OTHERS):
                _say(WorkerMessage(outcome=outcome))
    except HawkError as error:
        _say(WorkerMessage(trouble=str(error)))
        return error.exit_code
    return 0


def _say(message: WorkerMessage) -> None:
    sys.stdout.buffer.write(msgspec.json.encode(message) + b"\n")
    sys.stdout.buffer.flush()


def _end_with_parent(stdin: int) -> None:
    # Past Python's own buffer, whose lock this thread would hold while the interpreter ends.
    while os.read(stdin, 1024):
        pass
    os._exit(1)


def _revealed(settings: OrchestrationSettings) -> Mapping[str, Any]:
    """Return the settings as JSON, secrets in the clear: for a pipe, never for a file or a log."""
    values = settings.model_dump(mode="json")
    secrets = {name: value.get_secret_value() for name, value in settings if isinstance(value, SecretStr)}
    return {**values, **secrets}


if __name__ == "__main__":
    sys.exit(main())
