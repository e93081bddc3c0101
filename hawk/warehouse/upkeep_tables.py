"""The tables of what is done to raw rows after their import: the index of words, and retention."""

from sqlalchemy import BigInteger, Column, DateTime, Double, Identity, Index, Integer, Table, Text
from sqlalchemy.dialects.postgresql import TSVECTOR

from hawk.naming import OPS_SCHEMA, RAW_SCHEMA
from hawk.warehouse.tables import metadata

# One row per message that can be searched; apart from raw.message, so that imports need not wait for it.
message_search = Table(
    "message_search",
    metadata,
    Column("import_id", BigInteger, nullable=False),
    Column("sample_uuid", Text, nullable=False),
    Column("message_index", Integer, nullable=False),
    Column("words", TSVECTOR, nullable=False),
    Index("ix_message_search_import_id", "import_id"),
    Index("ix_message_search_words", "words", postgresql_using="gin"),
    schema=RAW_SCHEMA,
)

# One row per import whose messages are not all in message_search yet, and how far it has come.
search_queue = Table(
    "search_queue",
    metadata,
    Column("import_id", BigInteger, primary_key=True, autoincrement=False),
    Column("message_count", Integer, nullable=False),
    Column("indexed_count", Integer, nullable=False, server_default="0"),
    Column("after_sample_uuid", Text, nullable=False, server_default=""),
    Column("after_message_index", Integer, nullable=False, server_default="-1"),
    Column("queued_at", DateTime(timezone=True), nullable=False),
    schema=RAW_SCHEMA,
)

# One row per partition that retention dropped; nothing of it is left but this and the imports' events_dropped_at.
retention_drop = Table(
    "retention_drop",
    metadata,
    Column("retention_drop_id", BigInteger, Identity(), primary_key=True),
    Column("table_name", Text, nullable=False),
    Column("partition_name", Text, nullable=False),
    Column("retention_days", Double, nullable=False),  # the setting that it was dropped by
    Column("import_count", Integer, nullable=False),
    Column("eval_set_count", Integer, nullable=False),
    Column("event_count", BigInteger, nullable=False),
    Column("size_bytes", BigInteger, nullable=False),
    Column("last_imported_at", DateTime(timezone=True)),
    Column("dropped_at", DateTime(timezone=True), nullable=False),
    schema=OPS_SCHEMA,
)
