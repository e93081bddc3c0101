"""Messages and scores keep the fields of the log that have no column."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

from hawk.naming import RAW_SCHEMA

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

_TABLES = ("message", "score")


def upgrade() -> None:
    for table in _TABLES:
        op.add_column(table, sa.Column("other", JSONB, nullable=True), schema=RAW_SCHEMA)


def downgrade() -> None:
    for table in _TABLES:
        op.drop_column(table, "other", schema=RAW_SCHEMA)
