"""Tables of the LLM proxy: which models there are and what they cost, what may be used, and what was used."""

from sqlalchemy import (
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Numeric,
    Table,
    Text,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from hawk.naming import OPS_SCHEMA
from hawk.warehouse.tables import metadata


# A Column's type parameter is that of its Python value, which nobody here reads through SQLAlchemy.
def _moment(name: str, *, nullable: bool = False) -> Column:  # type: ignore[type-arg]
    return Column(name, DateTime(timezone=True), nullable=nullable)


def _model_name() -> Column:  # type: ignore[type-arg]
    parent = ForeignKey(f"{OPS_SCHEMA}.model_group.model_name", ondelete="CASCADE", onupdate="CASCADE")
    return Column("model_name", Text, parent, primary_key=True)


def _price(name: str) -> Column:  # type: ignore[type-arg]
    return Column(name, Numeric)


# What is known of a model beside its group. A model of ops.model_group without a row here is as its name says.
model = Table(
    "model",
    metadata,
    _model_name(),
    Column("provider_model", Text),  # its name at the provider; null: what follows `provider/` in its name
    Column("lab", Text, nullable=False, server_default=""),
    Column("is_active", Boolean, nullable=False, server_default="true"),
    Column("context_tokens", Integer),
    Column("output_tokens", Integer),  # most that one answer has
    Column("note", Text, nullable=False, server_default=""),
    Column("changed_by", Text, nullable=False),
    _moment("changed_at"),
    schema=OPS_SCHEMA,
)

# US dollars per million tokens from a moment on, for calls with at least so many input tokens. Rows are added, and
# changed only to correct them: what a call cost is what its row says.
model_price = Table(
    "model_price",
    metadata,
    _model_name(),
    Column("effective_at", DateTime(timezone=True), primary_key=True),
    Column("from_input_tokens", Integer, primary_key=True, autoincrement=False, server_default="0"),
    _price("input_usd"),
    _price("output_usd"),
    _price("cache_read_usd"),
    _price("cache_write_usd"),
    _price("cache_write_1h_usd"),
    Column("source", Text, nullable=False),  # genai-prices 0.2.3 | by hand
    _moment("recorded_at"),
    schema=OPS_SCHEMA,
)

# Providers beside those that the proxy's settings name, or in their place.
model_provider = Table(
    "model_provider",
    metadata,
    Column("provider", Text, primary_key=True),  # as in the proxy's paths: /openrouter/v1/chat/completions
    Column("dialect", Text, nullable=False),  # openai | anthropic | google | vertex | azure
    Column("upstream", Text, nullable=False),  # base URL; its host must be allowed by the proxy's settings
    Column("key_reference", Text, nullable=False),  # env:NAME | secret:NAME | stored | none
    Column("is_active", Boolean, nullable=False, server_default="true"),
    Column("changed_by", Text, nullable=False),
    _moment("changed_at"),
    schema=OPS_SCHEMA,
)

# Keys of providers that were handed in, encrypted; only where there is no Secrets Manager.
provider_key = Table(
    "provider_key",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("ciphertext", LargeBinary, nullable=False),
    Column("changed_by", Text, nullable=False),
    _moment("changed_at"),
    schema=OPS_SCHEMA,
)

# What all callers together may do at once and in a minute. Null: as much as they like.
usage_limit = Table(
    "usage_limit",
    metadata,
    Column("scope", Text, CheckConstraint("scope in ('model', 'group')"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("concurrency", Integer),
    Column("requests_per_minute", Integer),
    Column("tokens_per_minute", BigInteger),
    schema=OPS_SCHEMA,
)

# What may be spent; past it calls are refused.
usage_budget = Table(
    "usage_budget",
    metadata,
    Column("scope", Text, CheckConstraint("scope in ('eval_set', 'user', 'team')"), primary_key=True),
    Column("name", Text, primary_key=True),
    Column("period", Text, CheckConstraint("period in ('total', 'month', 'day')"), primary_key=True),
    Column("limit_usd", Numeric, nullable=False),
    schema=OPS_SCHEMA,
)

team_member = Table(
    "team_member",
    metadata,
    Column("team", Text, primary_key=True),
    Column("user_name", Text, primary_key=True),
    schema=OPS_SCHEMA,
)

# The ledger: one row per call that was forwarded, written by the proxy and never changed once it is closed.
model_call = Table(
    "model_call",
    metadata,
    Column("call_id", Uuid, primary_key=True),  # the answer's x-hawk-request-id
    Column("worker_id", Text, nullable=False),
    # open -> complete | failed | broken | client_gone; interrupted: the proxy's process ended before the call did
    Column("state", Text, nullable=False),
    _moment("started_at"),
    _moment("ended_at", nullable=True),
    Column("provider", Text, nullable=False),
    Column("model_name", Text, nullable=False),  # as registered: openai/gpt-4o-mini
    Column("provider_model", Text, nullable=False),
    Column("model_group", Text, nullable=False),
    Column("operation", Text, nullable=False),  # the path's end: chat/completions
    Column("principal_kind", Text, nullable=False),  # user | job
    Column("user_name", Text, nullable=False),  # for a job, who made it
    Column("priority", Text, nullable=False),
    # From the token; the rest of a caller's facts is what its headers say.
    Column("eval_set_id", Text, nullable=False, server_default=""),
    Column("eval_id", Text, nullable=False, server_default=""),
    Column("task_name", Text, nullable=False, server_default=""),
    Column("sample_uuid", Text, nullable=False, server_default=""),
    Column("sample_id", Text, nullable=False, server_default=""),
    Column("epoch", Integer),
    Column("request_bytes", BigInteger, nullable=False),
    Column("reserved_usd", Numeric, nullable=False),  # what it may cost at most, by guess
    Column("charged_usd", Numeric, nullable=False),  # cost_usd, or reserved_usd where usage is missing
    Column("cost_usd", Numeric),
    Column("price_effective_at", DateTime(timezone=True)),
    # reported | missing: it may have used tokens, nobody knows how many | none: it used none | pending
    Column("usage_state", Text, nullable=False),
    # Counted as Inspect counts: input_tokens without what was read from or written to a cache.
    Column("input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("input_tokens_cache_read", BigInteger),
    Column("input_tokens_cache_write", BigInteger),
    Column("input_tokens_cache_write_1h", BigInteger),  # part of the former
    Column("reasoning_tokens", BigInteger),
    Column("http_status", Integer),
    Column("is_streamed", Boolean),
    Column("waited_seconds", Double, nullable=False),  # in the proxy's queue
    Column("first_byte_seconds", Double),  # from forwarding to the answer's first piece
    Column("total_seconds", Double),
    Column("retry_count", Integer, nullable=False),
    Column("response_bytes", BigInteger),
    Column("provider_request_id", Text, nullable=False, server_default=""),
    Index("ix_model_call_started_at", "started_at"),
    Index("ix_model_call_eval_set_id", "eval_set_id", "started_at"),
    Index("ix_model_call_open", "worker_id", postgresql_where=text("state = 'open'")),
    schema=OPS_SCHEMA,
)

# Sums of the ledger, kept in the transactions that write it; open calls count with what is reserved for them.
model_spend = Table(
    "model_spend",
    metadata,
    Column("day", Date, primary_key=True),  # UTC, of the calls' start
    Column("eval_set_id", Text, primary_key=True),
    Column("user_name", Text, primary_key=True),
    Column("model_name", Text, primary_key=True),
    Column("call_count", BigInteger, nullable=False),
    Column("missing_count", BigInteger, nullable=False),  # calls whose usage is missing
    Column("input_tokens", BigInteger, nullable=False),
    Column("output_tokens", BigInteger, nullable=False),
    Column("input_tokens_cache_read", BigInteger, nullable=False),
    Column("input_tokens_cache_write", BigInteger, nullable=False),
    Column("reasoning_tokens", BigInteger, nullable=False),
    Column("cost_usd", Numeric, nullable=False),
    Column("charged_usd", Numeric, nullable=False),
    Index("ix_model_spend_eval_set_id", "eval_set_id"),
    Index("ix_model_spend_user_name", "user_name"),
    schema=OPS_SCHEMA,
)

# What each provider last said of its own limits.
provider_limit = Table(
    "provider_limit",
    metadata,
    Column("provider", Text, primary_key=True),
    Column("model_name", Text, primary_key=True),
    _moment("observed_at"),
    Column("http_status", Integer, nullable=False),
    Column("headers", JSONB, nullable=False),
    schema=OPS_SCHEMA,
)

# Proxies at work: by their heartbeat one knows whose open calls have ended, and by their demand they share limits.
proxy_worker = Table(
    "proxy_worker",
    metadata,
    Column("worker_id", Text, primary_key=True),
    _moment("started_at"),
    _moment("seen_at"),
    Column("demand", JSONB, nullable=False, server_default="{}"),
    schema=OPS_SCHEMA,
)
