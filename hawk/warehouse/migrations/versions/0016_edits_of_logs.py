"""Requests to edit logs, and what came of each log."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "edit_request",
        sa.Column("edit_request_id", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("edit_count", sa.Integer(), nullable=False),
        sa.Column("log_count", sa.Integer(), nullable=False),
        sa.Column("decided_by", sa.Text(), nullable=True),
        sa.Column("decision_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("decided_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dagster_run_id", sa.Text(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("state_changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("edit_request_id", name=op.f("pk_edit_request")),
        schema="ops",
    )
    op.create_index(op.f("ix_edit_request_created_by"), "edit_request", ["created_by"], schema="ops")
    op.create_table(
        "edit_log",
        sa.Column("edit_request_id", sa.Text(), nullable=False),
        sa.Column("eval_set_id", sa.Text(), nullable=False),
        sa.Column("log", sa.Text(), nullable=False),
        sa.Column("eval_id", sa.Text(), nullable=False),
        sa.Column("job_id", sa.Text(), nullable=False),
        sa.Column("edits", JSONB(), nullable=False),
        sa.Column("edit_count", sa.Integer(), nullable=False),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("etag_before", sa.Text(), nullable=True),
        sa.Column("etag_after", sa.Text(), nullable=True),
        sa.Column("metrics", sa.Text(), server_default="untouched", nullable=False),
        sa.Column("metrics_reason", sa.Text(), server_default="", nullable=False),
        sa.Column("tries", sa.Integer(), server_default="0", nullable=False),
        sa.Column("settled_at", sa.DateTime(timezone=True), nullable=True),
        sa.ForeignKeyConstraint(
            ["edit_request_id"],
            ["ops.edit_request.edit_request_id"],
            name=op.f("fk_edit_log_edit_request_id_edit_request"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("edit_request_id", "eval_set_id", "log", name=op.f("pk_edit_log")),
        schema="ops",
    )
    op.create_index(op.f("ix_edit_log_eval_set_id"), "edit_log", ["eval_set_id"], schema="ops")
    op.create_index(op.f("ix_edit_log_job_id"), "edit_log", ["job_id"], schema="ops")


def downgrade() -> None:
    op.drop_table("edit_log", schema="ops")
    op.drop_table("edit_request", schema="ops")
