"""What an analysis is given and what it gives: frames of the marts, and tables and plots."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

import dagster as dg
import pandas as pd

from assets.markdown import MAX_CELL

MAX_RECORDS = 200

type Cell = str | int | float | bool | None
type Row = Mapping[str, Cell]


@dataclass(frozen=True)
class AnalysisFrames:
    """What analyses start from: frames of assets/analyses/scores.py and human_minutes.py."""

    samples: pd.DataFrame
    uses: pd.DataFrame
    timed_runs: pd.DataFrame
    releases: Mapping[str, date] = field(default_factory=dict)


@dataclass(frozen=True)
class Findings:
    """Tables by name, plots as Markdown by name, and facts in one number or sentence."""

    tables: Mapping[str, Sequence[Row]]
    plots: Mapping[str, str] = field(default_factory=dict)
    facts: Mapping[str, int | float | str] = field(default_factory=dict)

    def metadata(self) -> dict[str, dg.MetadataValue]:
        """Return all of it for Dagster's pages, at most 200 rows of a table."""
        shown: dict[str, dg.MetadataValue] = {name: dg.MetadataValue.md(plot) for name, plot in self.plots.items()}
        for name, rows in self.tables.items():
            shown[name] = _table(rows)
            shown[f"{name}_rows"] = dg.MetadataValue.int(len(rows))
        for name, fact in self.facts.items():
            shown[name] = dg.MetadataValue.text(fact) if isinstance(fact, str) else dg.MetadataValue.float(float(fact))
        return shown


def rounded(value: float | None, digits: int = 4) -> float | None:
    """Return a number short enough to read; None and NaN as None."""
    return None if value is None or value != value else round(float(value), digits)  # NaN


def _table(rows: Sequence[Row]) -> dg.MetadataValue:
    if not rows:
        return dg.MetadataValue.md("No rows yet.")
    columns = [dg.TableColumn(name, _type_of(rows, name)) for name in rows[0]]
    return dg.MetadataValue.table(
        records=[dg.TableRecord({name: _cut(cell) for name, cell in row.items()}) for row in rows[:MAX_RECORDS]],
        schema=dg.TableSchema(columns=columns),
    )


def _cut(cell: Cell) -> Cell:
    return f"{cell[: MAX_CELL - 1]}…" if isinstance(cell, str) and len(cell) > MAX_CELL else cell


def _type_of(rows: Sequence[Row], name: str) -> str:
    value = next((row[name] for row in rows if row[name] is not None), "")
    return {bool: "bool", int: "int", float: "float"}.get(type(value), "string")
