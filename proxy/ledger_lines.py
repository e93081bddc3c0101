"""Lines of the ledger: rows of ops.model_call as Postgres' COPY reads them, so that copying needs no parsing."""

from collections.abc import Iterator
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

from proxy.calls import Call

# What is known when a call is forwarded, and stays.
FIXED_COLUMNS = (
    "call_id",
    "worker_id",
    "started_at",
    "provider",
    "model_name",
    "provider_model",
    "model_group",
    "operation",
    "principal_kind",
    "user_name",
    "priority",
    "eval_set_id",
    "eval_id",
    "task_name",
    "sample_uuid",
    "sample_id",
    "epoch",
    "request_bytes",
    "waited_seconds",
    "reserved_usd",
)
# What its end decides; `state` is the first.
END_COLUMNS = (
    "state",
    "ended_at",
    "charged_usd",
    "cost_usd",
    "price_effective_at",
    "usage_state",
    "input_tokens",
    "output_tokens",
    "input_tokens_cache_read",
    "input_tokens_cache_write",
    "input_tokens_cache_write_1h",
    "reasoning_tokens",
    "http_status",
    "is_streamed",
    "first_byte_seconds",
    "total_seconds",
    "retry_count",
    "response_bytes",
    "provider_request_id",
)
COLUMNS = FIXED_COLUMNS + END_COLUMNS
CALL_ID_LENGTH = 32
_NULL = "\\N"
_RESERVED_USD = FIXED_COLUMNS.index("reserved_usd")


def fixed_part(call: Call, worker_id: str) -> str:
    """Return the first part of a call's lines."""
    assert call.model is not None
    assert call.principal is not None
    facts = call.facts
    return "\t".join(
        (
            call.call_id,
            worker_id,
            _moment(call.started_at),
            call.provider.name,
            _text(call.model.name),
            _text(call.provider_model),
            _text(call.model.group),
            call.operation,
            call.principal.kind,
            _text(call.user_name),
            call.priority,
            _text(call.eval_set_id),
            _text(facts.eval_id),
            _text(facts.task_name),
            _text(facts.sample_uuid),
            _text(facts.sample_id),
            _NULL if facts.epoch is None else str(facts.epoch),
            str(call.request_bytes),
            f"{call.waited_seconds:.6f}",
            _money(call.reserved_usd),
        )
    )


def open_line(fixed: str) -> bytes:
    """Return the line that stands before a call is forwarded."""
    return _unended(fixed, state="open", usage_state="pending")


def interrupted_line(fixed: str) -> bytes:
    """Return the line of a call whose process ended before it did: what it used, nobody knows."""
    return _unended(fixed, state="interrupted", usage_state="missing")


def closed_line(call: Call, fixed: str, *, ended_at: float) -> bytes:
    """Return the line of a call that has ended."""
    usage, price = call.usage, call.price
    tokens = (
        (_NULL,) * 6
        if usage is None
        else (
            str(usage.input_tokens),
            str(usage.output_tokens),
            str(usage.input_tokens_cache_read),
            str(usage.input_tokens_cache_write),
            str(usage.input_tokens_cache_write_1h),
            str(usage.reasoning_tokens),
        )
    )
    line = "\t".join(
        (
            fixed,
            call.state,
            _moment(ended_at),
            _money(call.charged_usd),
            _NULL if call.cost_usd is None else _money(call.cost_usd),
            _NULL if price is None else price.effective_at.isoformat(),
            call.usage_state,
            *tokens,
            str(call.status) if call.status else _NULL,
            "t" if call.is_streamed else "f",
            _NULL if call.first_byte_seconds is None else f"{call.first_byte_seconds:.6f}",
            _NULL if call.total_seconds is None else f"{call.total_seconds:.6f}",
            str(call.retry_count),
            str(call.response_bytes),
            _text(call.provider_request_id),
        )
    )
    return line.encode("utf-8", "replace") + b"\n"


def unclosed(lines: Iterator[bytes]) -> list[str]:
    """Return the first parts of those lines' calls that no line closes."""
    opened: dict[bytes, str] = {}
    for line in lines:
        columns = line.decode("utf-8", "replace").split("\t")
        if len(columns) != len(COLUMNS):
            continue
        if columns[len(FIXED_COLUMNS)] == "open":
            opened[line[:CALL_ID_LENGTH]] = "\t".join(columns[: len(FIXED_COLUMNS)])
        else:
            opened.pop(line[:CALL_ID_LENGTH], None)
    return list(opened.values())


def _unended(fixed: str, *, state: str, usage_state: str) -> bytes:
    reserved = fixed.rpartition("\t")[2]
    nulls = "\t".join([_NULL] * 10)
    line = f"{fixed}\t{state}\t{_NULL}\t{reserved}\t{_NULL}\t{_NULL}\t{usage_state}\t{nulls}\t0\t{_NULL}\t\n"
    return line.encode("utf-8", "replace")


def _text(value: str) -> str:
    """Return a text without what would end a column or a line, or be read as an escape."""
    if value.isprintable() and "\\" not in value:
        return value
    return "".join(
        "\\\\" if character == "\\" else character if character.isprintable() else "?" for character in value
    )


def _money(value: Decimal) -> str:
    return f"{value:f}"


def _moment(seconds: float) -> str:
    whole = int(seconds)
    return f"{_second(whole)}.{int((seconds - whole) * 1_000_000):06d}+00"


@lru_cache(maxsize=64)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%d %H:%M:%S")
