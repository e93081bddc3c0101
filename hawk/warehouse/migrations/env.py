"""Runs revisions on the connection, and in the transaction, that hawk.warehouse.migrate hands over."""

from typing import Any

from alembic import context

from hawk.naming import OPS_SCHEMA, RAW_SCHEMA
from hawk.warehouse import access_tables, edit_tables, proxy_tables, upkeep_tables, upload_tables
from hawk.warehouse.partitions import is_partition
from hawk.warehouse.tables import metadata

# Their import adds tables to the metadata.
_TABLES = (access_tables, edit_tables, proxy_tables, upkeep_tables, upload_tables)


def is_ours(name: str | None, kind: str, _parents: Any) -> bool:
    """Say whether a thing found in the database is for revisions to manage; dbt's schemas and partitions are not."""
    if kind == "schema":
        return name in {OPS_SCHEMA, RAW_SCHEMA}
    return not (kind == "table" and name and is_partition(name))


context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=metadata,
    include_schemas=True,
    include_name=is_ours,
    version_table_schema=OPS_SCHEMA,
)
with context.begin_transaction():
    context.run_migrations()
