"""What is kept in a cache for an hour has a price of its own."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("model_price", sa.Column("cache_write_1h_usd", sa.Numeric(), nullable=True), schema="ops")
    op.add_column("model_call", sa.Column("input_tokens_cache_write_1h", sa.BigInteger(), nullable=True), schema="ops")


def downgrade() -> None:
    op.drop_column("model_call", "input_tokens_cache_write_1h", schema="ops")
    op.drop_column("model_price", "cache_write_1h_usd", schema="ops")
