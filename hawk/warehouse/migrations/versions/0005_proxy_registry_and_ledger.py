"""Models, their prices and limits, and a ledger of all calls."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

WATCHED_TABLES = (
    "model_group",
    "model",
    "model_price",
    "model_provider",
    "provider_key",
    "usage_limit",
    "usage_budget",
    "team_member",
)
_TELL = """
create function ops.tell_registry_changed() returns trigger language plpgsql as $$
begin
    perform pg_notify('hawk_registry', tg_table_name);
    return null;
end
$$
"""
_TELL_OF = """
create trigger {table}_tells_the_proxies after insert or update or delete or truncate on ops.{table}
for each statement execute function ops.tell_registry_changed()
"""


def upgrade() -> None:
    op.create_table(
        "model_call",
        sa.Column("call_id", sa.Uuid(), nullable=False),
        sa.Column("worker_id", sa.Text(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model_name", sa.Text(), nullable=False),
        sa.Column("provider_model", sa.Text(), nullable=False),
        sa.Column("model_group", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("principal_kind", sa.Text(), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("priority", sa.Text(), nullable=False),
        sa.Column("eval_set_id", sa.Text(), server_default="", nullable=False),
        sa.Column("eval_id", sa.Text(), server_default="", nullable=False),
        sa.Column("task_name", sa.Text(), server_default="", nullable=False),
        sa.Column("sample_uuid", sa.Text(), server_default="", nullable=False),
        sa.Column("sample_id", sa.Text(), server_default="", nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=True),
        sa.Column("request_bytes", sa.BigInteger(), nullable=False),
        sa.Column("reserved_usd", sa.Numeric(), nullable=False),
        sa.Column("charged_usd", sa.Numeric(), nullable=False),
        sa.Column("cost_usd", sa.Numeric(), nullable=True),
        sa.Column("price_effective_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("usage_state", sa.Text(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=True),
        sa.Column("output_tokens", sa.BigInteger(), nullable=True),
        sa.Column("input_tokens_cache_read", sa.BigInteger(), nullable=True),
        sa.Column("input_tokens_cache_write", sa.BigInteger(), nullable=True),
        sa.Column("reasoning_tokens", sa.BigInteger(), nullable=True),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("is_streamed", sa.Boolean(), nullable=True),
        sa.Column("waited_seconds", sa.Double(), nullable=False),
        sa.Column("first_byte_seconds", sa.Double(), nullable=True),
        sa.Column("total_seconds", sa.Double(), nullable=True),
        sa.Column("retry_count", sa.Integer(), nullable=False),
        sa.Column("response_bytes", sa.BigInteger(), nullable=True),
        sa.Column("provider_request_id", sa.Text(), server_default="", nullable=False),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_model_call")),
        schema="ops",
    )
    op.create_index(
        "ix_model_call_eval_set_id", "model_call", ["eval_set_id", "started_at"], unique=False, schema="ops"
    )
    op.create_index(
        "ix_model_call_open",
        "model_call",
        ["worker_id"],
        unique=False,
        schema="ops",
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_index("ix_model_call_started_at", "model_call", ["started_at"], unique=False, schema="ops")
    op.create_table(
        "model_provider",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("dialect", sa.Text(), nullable=False),
        sa.Column("upstream", sa.Text(), nullable=False),
        sa.Column("key_reference", sa.Text(), nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_model_provider")),
        schema="ops",
    )
    op.create_table(
        "model_spend",
        sa.Column("day", sa.Date(), nullable=False),
        sa.Column("eval_set_id", sa.Text(), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("model_name", sa.Text(), nullable=False),
        sa.Column("call_count", sa.BigInteger(), nullable=False),
        sa.Column("missing_count", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens_cache_read", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens_cache_write", sa.BigInteger(), nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_usd", sa.Numeric(), nullable=False),
        sa.Column("charged_usd", sa.Numeric(), nullable=False),
        sa.PrimaryKeyConstraint("day", "eval_set_id", "user_name", "model_name", name=op.f("pk_model_spend")),
        schema="ops",
    )
    op.create_index("ix_model_spend_eval_set_id", "model_spend", ["eval_set_id"], unique=False, schema="ops")
    op.create_index("ix_model_spend_user_name", "model_spend", ["user_name"], unique=False, schema="ops")
    op.create_table(
        "provider_key",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("ciphertext", sa.LargeBinary(), nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("provider", name=op.f("pk_provider_key")),
        schema="ops",
    )
    op.create_table(
        "provider_limit",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("model_name", sa.Text(), nullable=False),
        sa.Column("observed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("http_status", sa.Integer(), nullable=False),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("provider", "model_name", name=op.f("pk_provider_limit")),
        schema="ops",
    )
    op.create_table(
        "proxy_worker",
        sa.Column("worker_id", sa.Text(), nullable=False),
        sa.Column("started_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("demand", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.PrimaryKeyConstraint("worker_id", name=op.f("pk_proxy_worker")),
        schema="ops",
    )
    op.create_table(
        "team_member",
        sa.Column("team", sa.Text(), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("team", "user_name", name=op.f("pk_team_member")),
        schema="ops",
    )
    op.create_table(
        "usage_budget",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("period", sa.Text(), nullable=False),
        sa.Column("limit_usd", sa.Numeric(), nullable=False),
        sa.CheckConstraint("scope in ('eval_set', 'user', 'team')"),
        sa.CheckConstraint("period in ('total', 'month', 'day')"),
        sa.PrimaryKeyConstraint("scope", "name", "period", name=op.f("pk_usage_budget")),
        schema="ops",
    )
    op.create_table(
        "usage_limit",
        sa.Column("scope", sa.Text(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("concurrency", sa.Integer(), nullable=True),
        sa.Column("requests_per_minute", sa.Integer(), nullable=True),
        sa.Column("tokens_per_minute", sa.BigInteger(), nullable=True),
        sa.CheckConstraint("scope in ('model', 'group')"),
        sa.PrimaryKeyConstraint("scope", "name", name=op.f("pk_usage_limit")),
        schema="ops",
    )
    op.create_table(
        "model",
        sa.Column("model_name", sa.Text(), nullable=False),
        sa.Column("provider_model", sa.Text(), nullable=True),
        sa.Column("lab", sa.Text(), server_default="", nullable=False),
        sa.Column("is_active", sa.Boolean(), server_default="true", nullable=False),
        sa.Column("context_tokens", sa.Integer(), nullable=True),
        sa.Column("output_tokens", sa.Integer(), nullable=True),
        sa.Column("note", sa.Text(), server_default="", nullable=False),
        sa.Column("changed_by", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_name"],
            ["ops.model_group.model_name"],
            name=op.f("fk_model_model_name"),
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("model_name", name=op.f("pk_model")),
        schema="ops",
    )
    op.create_table(
        "model_price",
        sa.Column("model_name", sa.Text(), nullable=False),
        sa.Column("effective_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("from_input_tokens", sa.Integer(), server_default="0", autoincrement=False, nullable=False),
        sa.Column("input_usd", sa.Numeric(), nullable=True),
        sa.Column("output_usd", sa.Numeric(), nullable=True),
        sa.Column("cache_read_usd", sa.Numeric(), nullable=True),
        sa.Column("cache_write_usd", sa.Numeric(), nullable=True),
        sa.Column("source", sa.Text(), nullable=False),
        sa.Column("recorded_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["model_name"],
            ["ops.model_group.model_name"],
            name=op.f("fk_model_price_model_name"),
            onupdate="CASCADE",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("model_name", "effective_at", "from_input_tokens", name=op.f("pk_model_price")),
        schema="ops",
    )
    op.execute(_TELL)
    for table in WATCHED_TABLES:
        op.execute(_TELL_OF.format(table=table))


def downgrade() -> None:
    op.execute("drop function ops.tell_registry_changed() cascade")
    op.drop_table("model_price", schema="ops")
    op.drop_table("model", schema="ops")
    op.drop_table("usage_limit", schema="ops")
    op.drop_table("usage_budget", schema="ops")
    op.drop_table("team_member", schema="ops")
    op.drop_table("proxy_worker", schema="ops")
    op.drop_table("provider_limit", schema="ops")
    op.drop_table("provider_key", schema="ops")
    op.drop_index("ix_model_spend_user_name", table_name="model_spend", schema="ops")
    op.drop_index("ix_model_spend_eval_set_id", table_name="model_spend", schema="ops")
    op.drop_table("model_spend", schema="ops")
    op.drop_table("model_provider", schema="ops")
    op.drop_index("ix_model_call_started_at", table_name="model_call", schema="ops")
    op.drop_index(
        "ix_model_call_open", table_name="model_call", schema="ops", postgresql_where=sa.text("state = 'open'")
    )
    op.drop_index("ix_model_call_eval_set_id", table_name="model_call", schema="ops")
    op.drop_table("model_call", schema="ops")
