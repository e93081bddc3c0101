"""Benchmarks have groups, and what people do is written down for good."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

_REFUSE_CHANGE = """
create function ops.refuse_change() returns trigger language plpgsql as $$
begin
    raise exception 'ops.% is append-only', tg_table_name using errcode = 'insufficient_privilege';
end
$$
"""
_APPEND_ONLY = """
create trigger audit_is_append_only before update or delete or truncate on ops.audit
for each statement execute function ops.refuse_change()
"""
_TRAIL = """
create view ops.audit_trail with (security_invoker = true) as
select
    audit.audit_id, audit.occurred_at, audit.subject, audit.email, audit.action, audit.outcome, audit.door,
    audit.object_kind, audit.object_id, eval_set.name as eval_set_name, eval_set.created_by as eval_set_owner,
    audit.client_address, audit.request_id, audit.detail
from ops.audit
left join ops.eval_set on audit.object_kind = 'eval_set' and eval_set.eval_set_id = audit.object_id
"""


def upgrade() -> None:
    op.create_table(
        "benchmark_group",
        sa.Column("benchmark", sa.Text(), nullable=False),
        sa.Column("model_group", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("benchmark", name=op.f("pk_benchmark_group")),
        schema="ops",
    )
    op.create_table(
        "audit",
        sa.Column("audit_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column(
            "occurred_at", sa.DateTime(timezone=True), server_default=sa.text("clock_timestamp()"), nullable=False
        ),
        sa.Column("door", sa.Text(), nullable=False),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("outcome", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=True),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("principal_kind", sa.Text(), nullable=True),
        sa.Column("object_kind", sa.Text(), server_default="", nullable=False),
        sa.Column("object_id", sa.Text(), server_default="", nullable=False),
        sa.Column("client_address", sa.Text(), server_default="", nullable=False),
        sa.Column("request_id", sa.Text(), server_default="", nullable=False),
        sa.Column("detail", JSONB(), server_default="{}", nullable=False),
        sa.CheckConstraint("outcome in ('allowed', 'denied')"),
        sa.PrimaryKeyConstraint("audit_id", name=op.f("pk_audit")),
        schema="ops",
    )
    op.create_index("ix_audit_subject", "audit", ["subject", "audit_id"], schema="ops")
    op.create_index("ix_audit_object_id", "audit", ["object_id", "audit_id"], schema="ops")
    op.execute(_REFUSE_CHANGE)
    op.execute(_APPEND_ONLY)
    op.execute(_TRAIL)


def downgrade() -> None:
    op.execute("drop view ops.audit_trail")
    op.drop_table("audit", schema="ops")
    op.execute("drop function ops.refuse_change()")
    op.drop_table("benchmark_group", schema="ops")
