"""What a log says, typed as far as the warehouse has columns for it; everything else stays raw JSON.

Every field but the ones without which a log means nothing has a default, because logs since 2024 differ in what they
have. Fields that no record names are kept by `decoding.Reader`.
"""

from typing import Annotated, Any

import msgspec
from msgspec import Raw

NOTHING = Raw(b"")  # the field is not in the log

# As wide as the columns: binary COPY would cut a larger number without a word.
Int4 = Annotated[int, msgspec.Meta(ge=-(2**31), le=2**31 - 1)]
Int8 = Annotated[int, msgspec.Meta(ge=-(2**63), le=2**63 - 1)]


class ErrorRecord(msgspec.Struct):
    message: str = ""
    traceback: str = ""


class DatasetRecord(msgspec.Struct):
    name: str | None = None
    samples: Int4 | None = None


class SpecRecord(msgspec.Struct):
    """`eval` of a header or of _journal/start.json."""

    task: str
    model: str
    created: str = ""
    eval_id: str = ""
    run_id: str = ""
    task_id: str = ""
    task_version: int | str = 0
    task_file: str | None = None
    task_args: Raw = NOTHING
    solver: str | None = None
    solver_args: Raw = NOTHING
    tags: list[str] | None = None
    dataset: Raw = NOTHING
    sandbox: Raw = NOTHING
    model_generate_config: Raw = NOTHING
    model_base_url: str | None = None
    model_args: Raw = NOTHING
    model_roles: dict[str, Raw] | None = None
    config: Raw = NOTHING
    revision: Raw = NOTHING
    packages: Raw = NOTHING
    metadata: Raw = NOTHING


class ModelConfigRecord(msgspec.Struct):
    model: str


class SandboxRecord(msgspec.Struct):
    type: str
    config: Raw = NOTHING


class EpochsRecord(msgspec.Struct):
    epochs: Int4 | None = None


class SetRecord(msgspec.Struct):
    """What the eval's metadata says of the eval set it belongs to, and of how it came into it."""

    eval_set_id: Any = None
    created_by: Any = None
    imported: Any = None  # as hawk.log_import.stamp writes it


class PlanStepRecord(msgspec.Struct):
    solver: str = ""


class PlanRecord(msgspec.Struct):
    steps: list[PlanStepRecord] = msgspec.field(default_factory=list)


class MetricRecord(msgspec.Struct):
    name: str
    value: int | float | None = None


class ScoreSummaryRecord(msgspec.Struct):
    """One of `results.scores`."""

    name: str
    scorer: str = ""
    reducer: str | None = None
    metrics: dict[str, MetricRecord] = msgspec.field(default_factory=dict)


class ResultsRecord(msgspec.Struct):
    total_samples: Int4 | None = None
    completed_samples: Int4 | None = None
    scores: list[ScoreSummaryRecord] = msgspec.field(default_factory=list)
    scorer: ScoreSummaryRecord | None = None  # before scores were several
    metrics: dict[str, MetricRecord] | None = None


class UsageRecord(msgspec.Struct):
    input_tokens: Int8 | None = None
    output_tokens: Int8 | None = None
    total_tokens: Int8 | None = None
    reasoning_tokens: Int8 | None = None
    input_tokens_cache_read: Int8 | None = None
    input_tokens_cache_write: Int8 | None = None
    total_cost: float | None = None


class StatsRecord(msgspec.Struct):
    started_at: str | None = None
    completed_at: str | None = None
    model_usage: dict[str, UsageRecord] | None = None


class HeaderRecord(msgspec.Struct):
    """header.json, or _journal/start.json of a log that has no end yet."""

    eval: Raw
    status: str = "started"
    plan: Raw = NOTHING
    results: Raw = NOTHING
    stats: Raw = NOTHING
    error: Raw = NOTHING
    invalidated: bool = False
    tags: list[str] | None = None  # those of eval, and edits since
    metadata: Raw = NOTHING
    reductions: Raw = NOTHING  # in .json logs; .eval logs have a member of their own
    samples: Raw = NOTHING


class ContentRecord(msgspec.Struct):
    """One part of a message's content."""

    type: str = ""
    text: str | None = None


class MessageRecord(msgspec.Struct):
    role: str
    content: str | list[Raw] | None = None
    id: str | None = None
    tool_calls: Raw = NOTHING
    tool_call_id: str | list[str] | None = None  # a user's message may answer several calls
    function: str | None = None
    error: Raw = NOTHING
    model: str | None = None
    source: str | None = None
    metadata: Raw = NOTHING


class ChoiceRecord(msgspec.Struct):
    message: MessageRecord | None = None


class OutputRecord(msgspec.Struct):
    choices: list[ChoiceRecord] = msgspec.field(default_factory=list)
    completion: str | None = None


class CallOutputRecord(msgspec.Struct):
    """`output` of a model event."""

    usage: UsageRecord | None = None


class ScoreRecord(msgspec.Struct):
    value: Raw = NOTHING
    answer: str | None = None
    explanation: str | None = None
    metadata: Raw = NOTHING
    history: Raw = NOTHING
    reason: str | None = None


class ScoreMetadataRecord(msgspec.Struct):
    """Where logs before 0.3.245 say why a score is no ordinary one."""

    unscored_reason: Any = None


class LimitRecord(msgspec.Struct):
    type: str = ""
    limit: float | None = None


class TranscriptRecord(msgspec.Struct):
    """`transcript` of samples before events stood in the sample itself."""

    events: list[Raw] | None = None
    content: dict[str, str] | None = None


class SampleRecord(msgspec.Struct):
    """A sample; what stands behind `description` has no column and is kept as it is."""

    id: int | str
    epoch: Int4 = 1
    input: Raw = NOTHING
    target: Raw = NOTHING
    choices: Raw = NOTHING
    sandbox: Raw = NOTHING
    messages: list[Raw] | None = None
    output: Raw = NOTHING
    scores: dict[str, Raw] | None = None
    score: Raw = NOTHING  # before scores were several
    metadata: Raw = NOTHING
    store: Raw = NOTHING
    events: list[Raw] | None = None
    transcript: TranscriptRecord | None = None
    model_usage: dict[str, Raw] | None = None
    started_at: str | None = None
    completed_at: str | None = None
    total_time: float | None = None
    working_time: float | None = None
    uuid: str | None = None
    invalidation: Raw = NOTHING
    error: Raw = NOTHING
    error_retries: Raw = NOTHING
    attachments: dict[str, str] | None = None
    events_data: dict[str, list[Raw]] | None = None
    message_pool: list[Raw] | None = None  # of autumn 2025, before events_data
    call_pool: list[Raw] | None = None
    limit: Raw = NOTHING
    description: Raw = NOTHING
    files: Raw = NOTHING
    setup: Raw = NOTHING
    timelines: Raw = NOTHING
    role_usage: Raw = NOTHING
    model_fallbacks: Raw = NOTHING
    turn_count: Raw = NOTHING
    token_limit: Raw = NOTHING
    token_limit_type: Raw = NOTHING
    token_limit_usage: Raw = NOTHING
    message_limit: Raw = NOTHING
    time_limit: Raw = NOTHING


_SAMPLE_FIELDS = SampleRecord.__struct_fields__
SAMPLE_FIELDS_WITHOUT_COLUMN = _SAMPLE_FIELDS[_SAMPLE_FIELDS.index("description") :]


class SummaryRecord(msgspec.Struct):
    """One of summaries.json; the sample itself may not be in the log yet."""

    id: int | str
    epoch: Int4 = 1
    input: Raw = NOTHING
    target: Raw = NOTHING
    choices: Raw = NOTHING
    metadata: Raw = NOTHING
    scores: dict[str, Raw] | None = None
    model_usage: dict[str, Raw] | None = None
    started_at: str | None = None
    completed_at: str | None = None
    total_time: float | None = None
    working_time: float | None = None
    uuid: str | None = None
    error: Raw = NOTHING  # a text, not an object as in the sample
    limit: Raw = NOTHING


class RequestRecord(msgspec.Struct):
    """What a provider was sent, as far as its name for the model is asked for."""

    model: Any = None


class CallRecord(msgspec.Struct):
    """`call` of a model event."""

    request: RequestRecord | None = None


class EventRecord(msgspec.Struct):
    """The fields by which people look for events; `error` and `output` differ by kind."""

    event: str
    uuid: str | None = None
    span_id: str | None = None
    timestamp: str | None = None
    completed: str | None = None
    working_start: float | None = None
    working_time: float | None = None
    model: str | None = None
    role: str | None = None
    function: str | None = None
    retries: Int4 | None = None
    output: CallOutputRecord | str | None = None
    call: CallRecord | None = None
    error: ErrorRecord | str | None = None
    intermediate: bool = False


class ScoreEventRecord(msgspec.Struct):
    score: Raw
    scorer: str | None = None
