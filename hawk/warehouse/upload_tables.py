"""The tables of files that people bring with `hawk import`, until they are logs of an eval set."""

from sqlalchemy import BigInteger, Column, DateTime, ForeignKey, Index, Integer, Table, Text, text

from hawk.naming import OPS_SCHEMA
from hawk.warehouse.tables import metadata

# One row per file that somebody began to bring. What was accepted stays: by it a file is known when it comes again.
log_upload = Table(
    "log_upload",
    metadata,
    Column("upload_id", Text, primary_key=True),
    Column("eval_set_id", Text, nullable=False, index=True),  # the set it is to be part of; it may not exist yet
    Column("set_name", Text, nullable=False),
    Column("created_by", Text, nullable=False),
    Column("email", Text),
    Column("file_name", Text, nullable=False),  # as it is called where it comes from, without folders
    Column("size_bytes", BigInteger, nullable=False),
    Column("content_hash", Text, nullable=False, index=True),  # SHA-256 over the SHA-256 of its parts
    Column("part_bytes", Integer, nullable=False),
    Column("s3_upload_id", Text),  # of the multipart upload, once there is one
    # open -> accepted | refused | expired
    Column("state", Text, nullable=False),
    Column("reason", Text, nullable=False, server_default=""),
    Column("eval_id", Text, index=True),
    Column("key", Text),  # where the log lies since it was accepted
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("state_changed_at", DateTime(timezone=True), nullable=False),
    # A file is brought once at a time; the next try goes on with the last one's parts.
    Index(
        "uq_log_upload_open",
        "created_by",
        "content_hash",
        unique=True,
        postgresql_where=text("state = 'open'"),
    ),
    schema=OPS_SCHEMA,
)

# One row per part that has arrived whole.
log_upload_part = Table(
    "log_upload_part",
    metadata,
    Column(
        "upload_id",
        Text,
        ForeignKey(f"{OPS_SCHEMA}.log_upload.upload_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("part_number", Integer, primary_key=True, autoincrement=False),
    Column("sha256", Text, nullable=False),
    Column("etag", Text, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    schema=OPS_SCHEMA,
)
