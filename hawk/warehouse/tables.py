"""The tables that Hawk itself writes: `ops` (what runs) and `raw` (what logs said). dbt writes the rest.

Raw rows are keyed by their import: an import of a log is one transaction that deletes what an earlier import
of the same eval left and copies the new rows. Raw tables hold what the log says, every attempt of it; which
log's copy counts of a sample that several logs hold stands in `raw.sample_owner`.

What transcripts are made of is `json`, kept as logged, and not checked row by row against its import: both make COPY
a third cheaper (docs/decisions/raw-storage.md). JSON that SQL looks into is `jsonb`.
"""

from sqlalchemy import (
    ARRAY,
    JSON,
    BigInteger,
    Boolean,
    Column,
    DateTime,
    Double,
    Identity,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from hawk.naming import OPS_SCHEMA, RAW_SCHEMA

metadata = MetaData(
    naming_convention={
        "pk": "pk_%(table_name)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ix": "ix_%(table_name)s_%(column_0_N_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    }
)


# A Column's type parameter is that of its Python value, which nobody here reads through SQLAlchemy.
def _moment(name: str, *, nullable: bool = True) -> Column:  # type: ignore[type-arg]
    return Column(name, DateTime(timezone=True), nullable=nullable)


# No foreign key: it would cost a query for each row. A trigger on eval_import deletes what belongs to an import.
def _import_id() -> Column:  # type: ignore[type-arg]
    return Column("import_id", BigInteger, primary_key=True, autoincrement=False, nullable=False)


# One row per eval set that was ever asked for or imported.
eval_set = Table(
    "eval_set",
    metadata,
    Column("eval_set_id", Text, primary_key=True),
    Column("name", Text, nullable=False),
    Column("origin", Text, nullable=False),  # api | launchpad | import | listing
    Column("config", JSONB),  # as submitted; null where only logs are known
    Column("created_by", Text),
    Column("email", Text),
    Column("model_names", ARRAY(Text), nullable=False, server_default="{}"),
    Column("model_groups", ARRAY(Text), nullable=False, server_default="{}"),
    # Kept by triggers, see row_security.sql: groups that are not of its models, and who may see it.
    Column("other_groups", ARRAY(Text), nullable=False, server_default="{}"),
    Column("access_set_id", Integer),
    Column("priority", Text, nullable=False, server_default="medium"),
    Column("log_dir_allow_dirty", Boolean, nullable=False, server_default="false"),
    # claimed -> launched -> complete | failed | stopped; deleted from any. See hawk/job_status.py.
    Column("status", Text, nullable=False),
    Column("status_reason", Text, nullable=False, server_default=""),
    Column("dagster_run_id", Text),
    _moment("created_at", nullable=False),
    _moment("status_changed_at", nullable=False),
    schema=OPS_SCHEMA,
)

# One row per try of a runner job, kept after its launcher has forgotten it.
attempt = Table(
    "attempt",
    metadata,
    Column("eval_set_id", Text, primary_key=True),
    Column("job_name", Text, primary_key=True),
    Column("attempt_number", Integer, primary_key=True),
    Column("launcher", Text, nullable=False),
    Column("phase", Text, nullable=False),
    Column("exit_code", Integer),
    Column("reason", Text, nullable=False, server_default=""),
    Column("message", Text, nullable=False, server_default=""),
    Column("peak_memory_bytes", BigInteger),
    Column("last_log_lines", Text, nullable=False, server_default=""),
    Column("pod_events", JSONB),
    Column("stack_trace", Text, nullable=False, server_default=""),  # as `hawk stacktrace` last got it
    Column("stack_trace_run_id", Text),  # Dagster's run that asked
    _moment("stack_traced_at"),
    _moment("started_at"),
    _moment("ended_at"),
    _moment("updated_at", nullable=False),
    schema=OPS_SCHEMA,
)

# Secrets of users on their way to a job, encrypted; removed with the job.
job_secret = Table(
    "job_secret",
    metadata,
    Column("eval_set_id", Text, primary_key=True),
    Column("name", Text, primary_key=True),
    Column("ciphertext", LargeBinary, nullable=False),
    _moment("created_at", nullable=False),
    schema=OPS_SCHEMA,
)

# Which group one must hold to use or see a model. A model that is not here is nobody's.
model_group = Table(
    "model_group",
    metadata,
    Column("model_name", Text, primary_key=True),  # as Inspect names it: openai/gpt-4o-mini
    Column("model_group", Text, nullable=False),  # model-access-public
    schema=OPS_SCHEMA,
)

# One row per version of a log object seen on S3; the queue of the importer.
log_inbox = Table(
    "log_inbox",
    metadata,
    Column("log_inbox_id", BigInteger, Identity(), primary_key=True),
    Column("bucket", Text, nullable=False),
    Column("key", Text, nullable=False),
    Column("etag", Text, nullable=False),
    Column("eval_set_id", Text, nullable=False, index=True),
    Column("size_bytes", BigInteger, nullable=False),
    _moment("last_modified", nullable=False),
    Column("source", Text, nullable=False),  # listing | event | import
    # pending -> importing -> imported | skipped | superseded | quarantined | dead_letter
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("worker_deaths", Integer, nullable=False, server_default="0"),  # attempts whose process ended midway
    Column("is_forced", Boolean, nullable=False, server_default="false"),  # to be imported though it is already
    Column("is_begun", Boolean, nullable=False, server_default="false"),  # while importing: no longer only claimed
    Column("reason", Text, nullable=False, server_default=""),  # for users: why skipped or quarantined
    Column("import_id", BigInteger),
    _moment("discovered_at", nullable=False),
    _moment("state_changed_at", nullable=False),
    UniqueConstraint("bucket", "key", "etag"),
    # What is still to be done is a handful among everything that ever was.
    Index("ix_log_inbox_open", "log_inbox_id", postgresql_where=text("state in ('pending', 'importing')")),
    schema=OPS_SCHEMA,
)

# One row per import that stands; deleting it deletes all its raw rows. Ids begin with year and month: 2026110000000007.
eval_import = Table(
    "eval_import",
    metadata,
    Column(
        "import_id",
        BigInteger,
        primary_key=True,
        autoincrement=False,
        server_default=text(f"{RAW_SCHEMA}.next_import_id()"),
    ),
    Column("eval_id", Text, nullable=False, unique=True),
    Column("eval_set_id", Text, nullable=False, index=True),
    Column("location", Text, nullable=False),  # s3://bucket/key
    Column("etag", Text, nullable=False),
    Column("buffer_version", Text),  # of a running eval whose samples came from the buffer beside its log
    Column("size_bytes", BigInteger, nullable=False),
    _moment("last_modified", nullable=False),
    Column("log_status", Text, nullable=False),
    Column("damage", Text),  # for users: what is missing of a damaged log whose readable samples are here
    Column("sample_count", Integer, nullable=False),
    Column("message_count", Integer, nullable=False),
    Column("event_count", Integer, nullable=False),
    Column("seconds", Double, nullable=False),
    _moment("first_imported_at", nullable=False),
    _moment("imported_at", nullable=False),
    Column("access_set_id", Integer, index=True),  # who may see its rows; a trigger knows
    _moment("events_dropped_at"),  # when retention took the events away; event_count still says how many there were
    schema=RAW_SCHEMA,
)

eval_ = Table(
    "eval",
    metadata,
    _import_id(),
    Column("eval_id", Text, nullable=False, unique=True),
    Column("eval_set_id", Text, nullable=False, index=True),
    Column("run_id", Text),
    Column("task_id", Text),
    Column("task_name", Text, nullable=False),
    Column("task_version", Text),
    Column("task_file", Text),
    Column("task_args", JSONB),
    Column("solver", Text),
    Column("solver_args", JSONB),
    Column("agent", Text),  # name of the agent or solver that the plan's last real step runs
    Column("plan", JSONB),
    Column("model", Text, nullable=False),  # as Inspect names it: openai/gpt-4o-mini
    Column("model_base_url", Text),
    Column("model_args", JSONB),
    Column("model_generate_config", JSONB),
    Column("dataset_name", Text),
    Column("dataset_sample_count", Integer),
    Column("config", JSONB),  # EvalConfig: limits, epochs, ...
    Column("epochs", Integer),
    Column("revision", JSONB),
    Column("packages", JSONB),
    Column("tags", ARRAY(Text)),
    Column("metadata", JSONB),
    Column("sandbox_type", Text),
    Column("sandbox_config", JSONB),
    Column("created_by", Text),
    Column("status", Text, nullable=False),  # started | success | cancelled | error
    Column("is_invalidated", Boolean, nullable=False),
    Column("error_message", Text),
    Column("error_traceback", Text),
    Column("total_samples", Integer),
    Column("completed_samples", Integer),
    Column("results", JSONB),
    Column("reductions", JSONB),  # scores of each sample reduced over its epochs
    Column("stats", JSONB),
    Column("other", JSONB),  # {eval: ..., log: ...}: the fields of the log that have no column here
    Column("location", Text, nullable=False),
    _moment("created_at"),
    _moment("started_at"),
    _moment("completed_at"),
    schema=RAW_SCHEMA,
)

# The metrics that Inspect computed itself, one row per eval, scorer, reducer and metric.
eval_metric = Table(
    "eval_metric",
    metadata,
    _import_id(),
    Column("score_name", Text, primary_key=True),
    Column("scorer", Text, nullable=False),
    Column("reducer", Text, primary_key=True),  # '' where there is none
    Column("metric", Text, primary_key=True),
    Column("value", Double),
    schema=RAW_SCHEMA,
)

# Every model that an eval names or calls. Its canonical name is the one by which it was called, else without provider.
eval_model = Table(
    "eval_model",
    metadata,
    _import_id(),
    Column("model", Text, primary_key=True),  # as Inspect names it: openai/azure/gpt-4o
    Column("model_name", Text, nullable=False),  # gpt-4o
    schema=RAW_SCHEMA,
)

eval_model_role = Table(
    "eval_model_role",
    metadata,
    _import_id(),
    Column("role", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    Column("config", JSONB),
    schema=RAW_SCHEMA,
)

_TOKEN_COLUMNS = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "reasoning_tokens",
    "input_tokens_cache_read",
    "input_tokens_cache_write",
)


def _tokens() -> list[Column]:  # type: ignore[type-arg]
    return [Column(name, BigInteger) for name in _TOKEN_COLUMNS]


eval_model_usage = Table(
    "eval_model_usage",
    metadata,
    _import_id(),
    Column("model", Text, primary_key=True),
    *_tokens(),
    Column("total_cost_usd", Double),
    schema=RAW_SCHEMA,
)

sample = Table(
    "sample",
    metadata,
    _import_id(),
    # Inspect's uuid, or a uuid5 of (eval id, sample id, epoch) for logs older than uuids.
    Column("sample_uuid", Text, primary_key=True, index=True),
    Column("eval_id", Text, nullable=False),
    Column("sample_id", Text, nullable=False),
    Column("epoch", Integer, nullable=False),
    Column("input", JSONB),
    Column("input_text", Text),  # last user text of the input, for lists
    Column("target", JSONB),
    Column("choices", JSONB),
    Column("output", JSONB),
    Column("output_text", Text),  # completion of the last output
    Column("metadata", JSONB),
    Column("store", JSONB),
    Column("sandbox", JSONB),
    Column("error_message", Text),
    Column("error_traceback", Text),
    Column("error_retries", JSONB),
    Column("limit_type", Text),  # message | token | time | working | operator | cost | custom
    Column("limit_value", Double),
    Column("is_invalidated", Boolean, nullable=False),
    Column("invalidation", JSONB),
    Column("is_complete", Boolean, nullable=False),  # false: only its start or a summary was in the log
    Column("total_seconds", Double),
    Column("working_seconds", Double),
    Column("message_count", Integer, nullable=False),
    Column("event_count", Integer, nullable=False),
    Column("model_call_count", Integer, nullable=False),
    Column("tool_call_count", Integer, nullable=False),
    *_tokens(),
    Column("other", JSONB),  # the fields of the log that have no column here: files, setup, timelines, ...
    _moment("started_at"),
    _moment("completed_at"),
    schema=RAW_SCHEMA,
)

sample_model_usage = Table(
    "sample_model_usage",
    metadata,
    _import_id(),
    Column("sample_uuid", Text, primary_key=True),
    Column("model", Text, primary_key=True),
    *_tokens(),
    Column("total_cost_usd", Double),
    schema=RAW_SCHEMA,
)


def _score_columns() -> list[Column]:  # type: ignore[type-arg]
    return [
        _import_id(),
        Column("sample_uuid", Text, primary_key=True),
        Column("scorer", Text, primary_key=True),
        Column("score_index", Integer, primary_key=True),  # 0, and 1.. for intermediate ones of the same scorer
        Column("value", JSONB),
        Column("value_number", Double),  # C=1, P=0.5, I and N=0, yes/true=1, no/false=0, numbers; else null
        Column("answer", Text),
        Column("explanation", Text),
        Column("is_intermediate", Boolean, nullable=False),
        Column("metadata", JSONB),
        Column("history", JSONB),
        Column("reason", Text),  # why the score is no ordinary one, as the scorer said it
        Column("other", JSONB),  # the fields of the log that have no column here
    ]


score = Table("score", metadata, *_score_columns(), schema=RAW_SCHEMA)

# Scores that an earlier version of the eval's log had and the one that stands lacks. History: they do not count.
earlier_score = Table(
    "earlier_score",
    metadata,
    *_score_columns(),
    _moment("imported_at", nullable=False),  # the version that had the score
    schema=RAW_SCHEMA,
)

message = Table(
    "message",
    metadata,
    _import_id(),
    Column("sample_uuid", Text, primary_key=True),
    Column("message_index", Integer, primary_key=True),  # 0-based, as in the sample's conversation
    Column("message_id", Text),
    Column("role", Text, nullable=False),  # system | user | assistant | tool
    Column("text", Text),  # text parts joined with newlines
    Column("content", JSON),  # only where it is not plain text
    Column("tool_calls", JSON),
    Column("tool_call_id", Text),
    Column("tool_name", Text),
    Column("tool_error", JSON),
    Column("model", Text),
    Column("source", Text),
    Column("metadata", JSON),
    Column("other", JSON),  # the fields of the log that have no column here
    schema=RAW_SCHEMA,
)

# Partitioned by month of import, as what refers to them: see partitions.py.
event = Table(
    "event",
    metadata,
    _import_id(),
    Column("sample_uuid", Text, primary_key=True),
    Column("event_index", Integer, primary_key=True),
    Column("event_uuid", Text),
    Column("kind", Text, nullable=False),  # model | tool | score | error | sample_limit | span_begin | ...
    Column("span_id", Text),
    _moment("started_at"),
    _moment("completed_at"),
    Column("working_start_seconds", Double),
    Column("working_seconds", Double),
    Column("model", Text),
    Column("model_role", Text),
    Column("tool_name", Text),
    Column("input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("total_tokens", BigInteger),
    Column("retries", Integer),
    Column("error", Text),
    Column("data", JSON),  # the event as logged, condensed: attachments and pools by reference
    schema=RAW_SCHEMA,
    postgresql_partition_by="RANGE (import_id)",
)

# Messages and model calls that many events share; events refer to ranges of them (input_refs, call_refs).
event_pool = Table(
    "event_pool",
    metadata,
    _import_id(),
    Column("sample_uuid", Text, primary_key=True),
    Column("pool", Text, primary_key=True),  # message | call
    Column("pool_index", Integer, primary_key=True),
    Column("data", JSON),
    schema=RAW_SCHEMA,
    postgresql_partition_by="RANGE (import_id)",
)

# Long values that messages and events refer to as `attachment://{hash}`.
attachment = Table(
    "attachment",
    metadata,
    _import_id(),
    Column("sample_uuid", Text, primary_key=True),
    Column("hash", Text, primary_key=True),
    Column("content", Text, nullable=False),
    schema=RAW_SCHEMA,
)

# Which eval's attempt at a sample counts; ordered by (completed_at, nulls lowest; created_at; eval_id).
sample_owner = Table(
    "sample_owner",
    metadata,
    Column("sample_uuid", Text, primary_key=True),
    Column("eval_id", Text, nullable=False, index=True),
    Column("import_id", BigInteger, nullable=False),
    _moment("decided_at", nullable=False),
    schema=RAW_SCHEMA,
)

RAW_TABLES = (
    eval_import,
    eval_,
    eval_metric,
    eval_model,
    eval_model_role,
    eval_model_usage,
    sample,
    sample_model_usage,
    score,
    earlier_score,
    message,
    event,
    event_pool,
    attachment,
    sample_owner,
)
