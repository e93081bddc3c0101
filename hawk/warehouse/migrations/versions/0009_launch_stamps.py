"""Launches through Dagster's door say who asked, and their configs stay out of Dagster."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "launch_stamp",
        sa.Column("stamp", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("permissions", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("is_admin", sa.Boolean(), nullable=False),
        sa.Column("config", JSONB(), nullable=True),
        sa.Column("created_at", sa.DateTime(timezone=True), server_default=sa.text("now()"), nullable=False),
        sa.PrimaryKeyConstraint("stamp", name=op.f("pk_launch_stamp")),
        schema="ops",
    )


def downgrade() -> None:
    op.drop_table("launch_stamp", schema="ops")
