"""The stack of a runner is kept with its attempt."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("attempt", sa.Column("stack_trace", sa.Text(), server_default="", nullable=False), schema="ops")
    op.add_column("attempt", sa.Column("stack_trace_run_id", sa.Text(), nullable=True), schema="ops")
    op.add_column("attempt", sa.Column("stack_traced_at", sa.DateTime(timezone=True), nullable=True), schema="ops")


def downgrade() -> None:
    op.drop_column("attempt", "stack_traced_at", schema="ops")
    op.drop_column("attempt", "stack_trace_run_id", schema="ops")
    op.drop_column("attempt", "stack_trace", schema="ops")
