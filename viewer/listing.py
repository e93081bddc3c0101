"""What the three lists have in common: heading, filters, total, table, pages and download."""

from collections.abc import Sequence
from typing import Any

import streamlit as st

from hawk.listing.filters import PAGE_SIZE, Chosen, ListView, written
from viewer import links, queries, tables
from viewer.database import Row
from viewer.filter_bar import page_buttons, sort_widget
from viewer.frame import empty
from viewer.identity import settings
from viewer.memory import remembered


def options(view: ListView, name: str) -> list[str]:
    """Return what a choice can be of; remembered for some seconds."""
    return remembered(queries.options, view.relation, name)


def table_key(view: ListView) -> str:
    """Return the name of the list's table."""
    return f"{view.relation}/table"


def heading(title: str, caption: str) -> None:
    """Show what the page is."""
    st.title(title, anchor=False)
    st.caption(caption)


def listed(view: ListView, chosen: Chosen, columns: dict[str, Any], *, noun: str, file_name: str) -> Row | None:
    """Show the chosen page of a list, and return the row that was clicked, once."""
    with st.spinner("Looking…", show_time=False):
        total = queries.total_of(view, chosen, max_rows=settings().max_rows)
        page = queries.page_of(view, chosen)
    if not total.count:
        _nothing_matches(view, chosen, noun)
        return None
    if not page.rows:
        empty("There is nothing on this side of the list any more.", "Go back to its first page.")
        page_buttons(view, chosen, before=None, after=None)
        return None
    _above(view, chosen, page.rows, noun=f"{total} {noun}{'s' if total.count != 1 else ''}", file_name=file_name)
    clicked = tables.opened_row(page.rows, columns, key=table_key(view))
    page_buttons(view, chosen, before=page.before, after=page.after)
    return clicked


def _above(view: ListView, chosen: Chosen, rows: Sequence[Row], *, noun: str, file_name: str) -> None:
    shown = f" · {len(rows):,} on this page" if len(rows) >= PAGE_SIZE or chosen.cursor is not None else ""
    with st.container(horizontal=True, vertical_alignment="bottom"):
        st.markdown(f"**{noun}**{shown}", width="stretch")
        with st.container(width=220):
            sort_widget(view, chosen)
        st.download_button(
            "CSV",
            data=lambda: tables.csv_of(queries.all_of(view, chosen, max_rows=settings().max_rows)),
            file_name=file_name,
            mime="text/csv",
            on_click="ignore",
            icon=":material/download:",
            help=f"All rows that match, in this order; at most {settings().max_rows:,}.",
            key=f"{view.relation}/csv",
        )


def _nothing_matches(view: ListView, chosen: Chosen, noun: str) -> None:
    if not written(view, Chosen(chosen.values)):
        empty(
            f"There are no {noun}s yet.",
            "Submit one with `hawk eval-set examples/simple.eval-set.yaml`, or from Dagster's launchpad. "
            "Its results come here while it runs, log by log.",
        )
        return
    empty(f"No {noun} matches these filters.", "Take one away, or all of them.")
    if st.button("Clear filters", icon=":material/filter_alt_off:", key=f"{view.relation}/clear"):
        st.query_params.clear()
        st.rerun()


def crumbs(*steps: tuple[str, str, links.Parameters]) -> None:
    """Show the way here as links: (page, label, parameters)."""
    with st.container(horizontal=True, gap="small", vertical_alignment="center"):
        for page, label, parameters in steps:
            links.link(page, label, parameters, icon=":material/chevron_right:")
