"""How rows look in a table, and how they leave it: a click on a cell, or a download as CSV."""

from collections.abc import Sequence
from typing import Any

import pandas as pd
import streamlit as st
from streamlit import column_config

from viewer.database import Row
from viewer.inert import inert

STATUS_COLORS = {
    "success": "green",
    "complete": "green",
    "error": "red",
    "failed": "red",
    "cancelled": "gray",
    "stopped": "gray",
    "deleted": "gray",
    "imported": "gray",
    "started": "blue",
    "running": "blue",
    "launched": "blue",
    "claimed": "violet",
    "pending": "violet",
    "waiting_for_capacity": "violet",
    "succeeded": "green",
    "stuck": "red",
    "importing": "blue",
    "quarantined": "red",
    "dead_letter": "red",
}
LIMIT_COLOR = "orange"
ROW_HEIGHT = 35
MAX_ROWS_IN_SIGHT = 16
# What a spreadsheet takes for a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def status_color(status: str) -> Any:
    """Return the colour that a status has everywhere."""
    return LIMIT_COLOR if status.endswith("_limit") else STATUS_COLORS.get(status, "gray")


def status_column(label: str, statuses: Sequence[str]) -> Any:
    """Return a column of coloured words; its cells are lists of one."""
    options = sorted(set(statuses))
    return column_config.MultiselectColumn(
        label, options=options, color=[status_color(status) for status in options], width=120
    )


def opener(label: str, *, key: str, width: int = 200) -> Any:
    """Return the column of a table whose cells open their row."""
    return column_config.ButtonColumn(
        label, type="tertiary", alignment="left", pinned=True, key=f"{key}/opened", width=width
    )


def opened_row(rows: Sequence[Row], columns: dict[str, Any], *, key: str) -> Row | None:
    """Show rows as a table, one of whose columns is an `opener`, and return the row that was just opened.

    A click on a header sorts and opens nothing; selected cells would, since a header selects its column's first.
    """
    st.dataframe(_frame(rows, columns), key=key, column_config=columns, **_table_options(rows))
    click: Any = st.session_state.get(f"{key}/opened")
    return rows[click["row"]] if click and click["row"] < len(rows) else None


def selected_row(rows: Sequence[Row], columns: dict[str, Any], *, key: str) -> Row | None:
    """Show rows as a table of these columns, and return the row of the cell that is selected."""
    event: Any = st.dataframe(
        _frame(rows, columns),
        key=key,
        column_config=columns,
        on_select="rerun",
        selection_mode="single-cell",
        **_table_options(rows),
    )
    cells = event.selection.cells
    return rows[cells[0][0]] if cells and cells[0][0] < len(rows) else None


def _frame(rows: Sequence[Row], columns: dict[str, Any]) -> pd.DataFrame:
    return pd.DataFrame([{name: _cell(name, row[name]) for name in columns} for row in rows], columns=list(columns))


def _table_options(rows: Sequence[Row]) -> dict[str, Any]:
    height = ROW_HEIGHT * (min(len(rows), MAX_ROWS_IN_SIGHT) + 1) + 2
    return {"hide_index": True, "height": height, "row_height": ROW_HEIGHT, "placeholder": ""}


def csv_of(rows: Sequence[Row]) -> bytes:
    """Return rows as CSV; text that a spreadsheet would run as a formula is quoted with an apostrophe."""
    data = pd.DataFrame([{name: _csv_value(value) for name, value in row.items()} for row in rows])
    return data.to_csv(index=False).encode()


def _cell(name: str, value: Any) -> Any:
    if name == "status":
        return [value]
    if isinstance(value, str):
        return " ".join(inert(value[:500]).split())
    return value


def _csv_value(value: Any) -> Any:
    if isinstance(value, list):
        value = " ".join(str(one) for one in value)
    if isinstance(value, str) and value.startswith(_FORMULA_STARTS):
        return f"'{value}"
    return value
