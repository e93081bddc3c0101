"""Log lines as JSON, one an event, without prompts or keys."""

import asyncio
import json
import logging
import sys
from datetime import UTC, datetime

from proxy.calls import Call

_STANDARD = frozenset(vars(logging.makeLogRecord({}))) | {"message", "asctime", "taskName", "color_message"}
# uvicorn calls it an error when we close a connection because the provider's answer broke off.
_EXPECTED = "ASGI callable returned without completing response"
FLUSH_SECONDS = 0.25
FLUSH_BYTES = 64 * 1024


class JsonLines(logging.Formatter):
    """Writes a record and its extra fields as one JSON object."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **{name: value for name, value in vars(record).items() if name not in _STANDARD},
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return json.dumps(line, default=str, ensure_ascii=False)


class CallLog:
    """Writes a line a call to standard output, several at once; one at a time would cost more than the call."""

    def __init__(self, *, is_on: bool) -> None:
        self._is_on = is_on
        self._lines: list[str] = []
        self._size = 0
        self._timer: asyncio.TimerHandle | None = None

    def write(self, call: Call) -> None:
        if not self._is_on:
            return
        line = _line(call)
        self._lines.append(line)
        self._size += len(line)
        if self._size > FLUSH_BYTES:
            self.flush()
        elif self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(FLUSH_SECONDS, self.flush)

    def flush(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        lines, self._lines, self._size = self._lines, [], 0
        if lines:
            sys.stdout.write("".join(lines))
            sys.stdout.flush()


def set_up_logging(level: int) -> None:
    """Send all log records to standard output as JSON lines."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines())
    logging.basicConfig(level=level, handlers=[handler], force=True)
    logging.getLogger("uvicorn.error").addFilter(lambda record: _EXPECTED not in record.getMessage())


_text = json.JSONEncoder(ensure_ascii=False).encode


def _line(call: Call) -> str:
    principal = call.principal
    moment = datetime.fromtimestamp(call.started_at, UTC).isoformat(timespec="milliseconds")
    return (
        f'{{"time": "{moment}", "level": "info", "logger": "proxy", "message": "model call", '
        f'"request_id": "{call.request_id}", "provider": "{call.provider.name}", '
        f'"model": {_text(call.wanted_model[:200])}, "status": {call.status}, "outcome": {_text(call.outcome)}, '
        f'"subject": {_text(principal.subject) if principal else "null"}, '
        f'"job_id": {_text(principal.job_id) if principal and principal.job_id else "null"}, '
        f'"seconds": {call.total_seconds or 0.0:.4f}, "request_bytes": {call.request_bytes}, '
        f'"response_bytes": {call.response_bytes}}}\n'
    )
