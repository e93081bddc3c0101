"""What the raw tables hold, for tests that compare it before and after."""

from typing import Any

from hawk.warehouse.tables import RAW_TABLES

CONTENT_TABLES = [table.name for table in RAW_TABLES if table.name not in ("eval_import", "sample_owner")]


def contents(warehouse: Any) -> dict[str, list[str]]:
    """Return all raw rows as text, whatever number their import has."""
    return {
        table: sorted(
            row["content"]
            for row in warehouse.execute(f"select (to_jsonb(t) - 'import_id')::text as content from raw.{table} as t")
        )
        for table in CONTENT_TABLES
    }


def count(warehouse: Any, table: str) -> int:
    return warehouse.execute(f"select count(*) as rows from {table}").fetchone()["rows"]
