"""A check of the warehouse: a query of what should not be."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import dagster as dg
from psycopg import Connection
from psycopg.rows import DictRow

from assets.described_sets import shown_rows
from assets.keys import IMPORT_POOL
from assets.markdown import MAX_ROWS, markdown_table
from hawk.settings import OrchestrationSettings
from hawk.warehouse.connection import connect

# One more than is shown, so that the table says when there are more.
FOUND_AT_MOST = MAX_ROWS + 1


@dataclass(frozen=True)
class WarehouseCheck:
    """No row, and the check passes."""

    name: str
    asset: dg.AssetKey
    description: str
    query: str
    severity: dg.AssetCheckSeverity = dg.AssetCheckSeverity.ERROR

    @property
    def spec(self) -> dg.AssetCheckSpec:
        return dg.AssetCheckSpec(name=self.name, asset=self.asset, description=self.description)

    def run(self, connection: Connection[DictRow], settings: OrchestrationSettings) -> dg.AssetCheckResult:
        """Return whether nothing was found, with a table of what was."""
        rows: list[dict[str, Any]] = connection.execute(self.query.encode()).fetchall()
        if rows and "eval_set_id" in rows[0]:
            rows = shown_rows(connection, settings, rows)
        return dg.AssetCheckResult(
            check_name=self.name,
            asset_key=self.asset,
            passed=not rows,
            severity=self.severity,
            description=f"{_count(rows)} found." if rows else "Nothing found.",
            metadata={
                "found": dg.MetadataValue.int(len(rows)),
                "rows": dg.MetadataValue.md(markdown_table(rows) or "None."),
            },
        )


def checks_definition(name: str, checks: Sequence[WarehouseCheck], description: str) -> dg.AssetChecksDefinition:
    """Return one step that runs all the checks, over one connection."""

    def run_all(settings: dg.ResourceParam[OrchestrationSettings]) -> Iterator[dg.AssetCheckResult]:
        with connect(settings) as connection:
            for check in checks:
                yield check.run(connection, settings)

    decorate: Callable[..., dg.AssetChecksDefinition] = dg.multi_asset_check(
        name=name, specs=[check.spec for check in checks], pool=IMPORT_POOL, description=description
    )
    return decorate(run_all)


def _count(rows: list[dict[str, Any]]) -> str:
    return f"{MAX_ROWS} or more" if len(rows) > MAX_ROWS else str(len(rows))
