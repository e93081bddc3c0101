"""Files that people bring are known from their first part on."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    moment = sa.DateTime(timezone=True)
    op.create_table(
        "log_upload",
        sa.Column("upload_id", sa.Text(), nullable=False),
        sa.Column("eval_set_id", sa.Text(), nullable=False),
        sa.Column("set_name", sa.Text(), nullable=False),
        sa.Column("created_by", sa.Text(), nullable=False),
        sa.Column("email", sa.Text(), nullable=True),
        sa.Column("file_name", sa.Text(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("content_hash", sa.Text(), nullable=False),
        sa.Column("part_bytes", sa.Integer(), nullable=False),
        sa.Column("s3_upload_id", sa.Text(), nullable=True),
        sa.Column("state", sa.Text(), nullable=False),
        sa.Column("reason", sa.Text(), server_default="", nullable=False),
        sa.Column("eval_id", sa.Text(), nullable=True),
        sa.Column("key", sa.Text(), nullable=True),
        sa.Column("created_at", moment, nullable=False),
        sa.Column("state_changed_at", moment, nullable=False),
        sa.PrimaryKeyConstraint("upload_id", name=op.f("pk_log_upload")),
        schema="ops",
    )
    for column in ("eval_set_id", "content_hash", "eval_id"):
        op.create_index(op.f(f"ix_log_upload_{column}"), "log_upload", [column], unique=False, schema="ops")
    op.create_index(
        "uq_log_upload_open",
        "log_upload",
        ["created_by", "content_hash"],
        unique=True,
        schema="ops",
        postgresql_where=sa.text("state = 'open'"),
    )
    op.create_table(
        "log_upload_part",
        sa.Column("upload_id", sa.Text(), nullable=False),
        sa.Column("part_number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("sha256", sa.Text(), nullable=False),
        sa.Column("etag", sa.Text(), nullable=False),
        sa.Column("received_at", moment, nullable=False),
        sa.ForeignKeyConstraint(
            ["upload_id"],
            ["ops.log_upload.upload_id"],
            name=op.f("fk_log_upload_part_upload_id"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("upload_id", "part_number", name=op.f("pk_log_upload_part")),
        schema="ops",
    )


def downgrade() -> None:
    op.drop_table("log_upload_part", schema="ops")
    op.drop_table("log_upload", schema="ops")
