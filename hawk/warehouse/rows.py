"""A row of each raw table, as the importer writes it: the columns of tables.py, in their order.

JSON columns hold `Json` or `Jsonb`: what COPY's binary format expects of either type, so that JSON goes from the log
into Postgres without being parsed and written anew.
"""

from datetime import datetime
from typing import NamedTuple, NewType

from msgspec import Raw

Json = NewType("Json", bytes)
Jsonb = NewType("Jsonb", bytes)

MAX_JSON_BYTES = 64 * 1024 * 1024  # Postgres refuses jsonb over 256 MB, and no reader is served by less
_JSONB_VERSION = b"\x01"


def jsonb(value: Raw | bytes) -> Jsonb | None:
    """Return JSON as jsonb for COPY; null and absent are SQL's null, what is too large only says how large it was."""
    text = as_logged(value)
    return None if text is None else Jsonb(_JSONB_VERSION + text)


def as_logged(value: Raw | bytes) -> Json | None:
    """Return JSON as json for COPY, byte by byte what the log says; null, absent and too large as for jsonb."""
    size = len(value)
    if size <= 4 and (not size or bytes(value) == b"null"):
        return None
    return Json(omitted(size) if size > MAX_JSON_BYTES else bytes(value))


def omitted(size_bytes: int) -> bytes:
    """Return the JSON that stands for a value too large to be kept."""
    return b'{"hawk_omitted_bytes": %d}' % size_bytes


class EvalRow(NamedTuple):
    import_id: int
    eval_id: str
    eval_set_id: str
    run_id: str | None
    task_id: str | None
    task_name: str
    task_version: str
    task_file: str | None
    task_args: Jsonb | None
    solver: str | None
    solver_args: Jsonb | None
    agent: str | None
    plan: Jsonb | None
    model: str
    model_base_url: str | None
    model_args: Jsonb | None
    model_generate_config: Jsonb | None
    dataset_name: str | None
    dataset_sample_count: int | None
    config: Jsonb | None
    epochs: int | None
    revision: Jsonb | None
    packages: Jsonb | None
    tags: list[str] | None
    metadata: Jsonb | None
    sandbox_type: str | None
    sandbox_config: Jsonb | None
    created_by: str | None
    status: str
    is_invalidated: bool
    error_message: str | None
    error_traceback: str | None
    total_samples: int | None
    completed_samples: int | None
    results: Jsonb | None
    reductions: Jsonb | None
    stats: Jsonb | None
    other: Jsonb | None
    location: str
    created_at: datetime | None
    started_at: datetime | None
    completed_at: datetime | None


class EvalMetricRow(NamedTuple):
    import_id: int
    score_name: str
    scorer: str
    reducer: str
    metric: str
    value: float | None


class EvalModelRoleRow(NamedTuple):
    import_id: int
    role: str
    model: str
    config: Jsonb | None


class EvalModelRow(NamedTuple):
    import_id: int
    model: str
    model_name: str


class EvalModelUsageRow(NamedTuple):
    import_id: int
    model: str
    input_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None
    reasoning_tokens: int | None
    input_tokens_cache_read: int | None
    input_tokens_cache_write: int | None
    total_cost_usd: float | None


class SampleRow(NamedTuple):
    import_id: int
    sample_uuid: str
    eval_id: str
    sample_id: str
    epoch: int
    input: Jsonb | None
    input_text: str | None
    target: Jsonb | None
    choices: Jsonb | None
    output: Jsonb | None
    output_text: str | None
    metadata: Jsonb | None
    store: Jsonb | None
    sandbox: Jsonb | None
    error_message: str | None
    error_traceback: str | None
    error_retries: Jsonb | None
    limit_type: str | None
    limit_value: float | None
    is_invalidated: bool
    invalidation: Jsonb | None
    is_complete: bool
    total_seconds: float | None
    working_seconds: float | None
    message_count: int
    event_count: int
    model_call_count: int
    tool_call_count: int
    input_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None
    reasoning_tokens: int | None
    input_tokens_cache_read: int | None
    input_tokens_cache_write: int | None
    other: Jsonb | None
    started_at: datetime | None
    completed_at: datetime | None


class SampleModelUsageRow(NamedTuple):
    import_id: int
    sample_uuid: str
    model: str
    input_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None
    reasoning_tokens: int | None
    input_tokens_cache_read: int | None
    input_tokens_cache_write: int | None
    total_cost_usd: float | None


class ScoreRow(NamedTuple):
    import_id: int
    sample_uuid: str
    scorer: str
    score_index: int
    value: Jsonb | None
    value_number: float | None
    answer: str | None
    explanation: str | None
    is_intermediate: bool
    metadata: Jsonb | None
    history: Jsonb | None
    reason: str | None
    other: Jsonb | None


class MessageRow(NamedTuple):
    import_id: int
    sample_uuid: str
    message_index: int
    message_id: str | None
    role: str
    text: str | None
    content: Json | None
    tool_calls: Json | None
    tool_call_id: str | None
    tool_name: str | None
    tool_error: Json | None
    model: str | None
    source: str | None
    metadata: Json | None
    other: Json | None


class EventRow(NamedTuple):
    import_id: int
    sample_uuid: str
    event_index: int
    event_uuid: str | None
    kind: str
    span_id: str | None
    started_at: datetime | None
    completed_at: datetime | None
    working_start_seconds: float | None
    working_seconds: float | None
    model: str | None
    model_role: str | None
    tool_name: str | None
    input_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None
    retries: int | None
    error: str | None
    data: Json | None


class EventPoolRow(NamedTuple):
    import_id: int
    sample_uuid: str
    pool: str
    pool_index: int
    data: Json | None


class AttachmentRow(NamedTuple):
    import_id: int
    sample_uuid: str
    hash: str
    content: str


Row = (
    EvalRow
    | EvalMetricRow
    | EvalModelRow
    | EvalModelRoleRow
    | EvalModelUsageRow
    | SampleRow
    | SampleModelUsageRow
    | ScoreRow
    | MessageRow
    | EventRow
    | EventPoolRow
    | AttachmentRow
)

# Parents of nothing here; the order in which tables are copied is that of this list.
TABLE_OF_ROW: dict[type[Row], str] = {
    EvalRow: "eval",
    EvalMetricRow: "eval_metric",
    EvalModelRow: "eval_model",
    EvalModelRoleRow: "eval_model_role",
    EvalModelUsageRow: "eval_model_usage",
    SampleRow: "sample",
    SampleModelUsageRow: "sample_model_usage",
    ScoreRow: "score",
    MessageRow: "message",
    EventRow: "event",
    EventPoolRow: "event_pool",
    AttachmentRow: "attachment",
}
