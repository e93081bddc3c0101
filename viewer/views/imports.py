"""How far logs are on their way into the warehouse, and why some came no further."""

import streamlit as st
from streamlit import column_config

from viewer import figures, import_queries, links, tables
from viewer.filter_bar import chosen_in_url, filter_widgets
from viewer.frame import show
from viewer.listing import heading, listed, options, table_key
from viewer.lists import IMPORTS

_HELP = {
    "Written to imported": "The median, of a day.",
    "Only in part": "Imported logs that are damaged: what could be read is there.",
}


def page() -> None:
    heading("Imports", "One row per log in its newest version; click one to see its eval set.")
    _state_of_inbox()
    chosen = chosen_in_url(IMPORTS)
    filter_widgets(IMPORTS, chosen, ("search", "status", "eval_set_id", "source"), lambda name: options(IMPORTS, name))
    columns = {
        "log": tables.opener("Log", key=table_key(IMPORTS), width=330),
        "status": tables.status_column("State", options(IMPORTS, "status")),
        "reason": column_config.TextColumn("Why, and what to do", width=420),
        "eval_set_id": column_config.TextColumn("Eval set", width=220),
        "sample_count": column_config.NumberColumn("Samples", width=75),
        "attempts": column_config.NumberColumn("Tries", width=60),
        "size_bytes": column_config.NumberColumn("Size", width=80, format="bytes"),
        "source": column_config.TextColumn("Found by", width=80, help="An event of S3, a listing, or hawk import."),
        "last_modified": column_config.DatetimeColumn(
            "Written (UTC)", format="YYYY-MM-DD HH:mm:ss", timezone="UTC", width=150
        ),
        "state_changed_at": column_config.DatetimeColumn(
            "Since (UTC)", format="YYYY-MM-DD HH:mm:ss", timezone="UTC", width=150
        ),
    }
    clicked = listed(IMPORTS, chosen, columns, noun="log", file_name="imports.csv")
    st.caption("A log that was set aside is tried again with `hawk imports retry ID`, when what it says is mended.")
    if clicked:
        links.go(links.EVALS, {"eval_set_id": [clicked["eval_set_id"]]}, here=links.IMPORTS)


def _state_of_inbox() -> None:
    state = import_queries.state_of_inbox()
    facts = (
        ("Waiting", figures.count(state["waiting"])),
        ("Oldest waits", figures.seconds(state["oldest_seconds"])),
        ("Set aside", figures.count(state["set_aside"])),
        ("Only in part", figures.count(state["in_part"])),
        ("Imported in a day", figures.count(state["imported_today"])),
        ("Written to imported", figures.seconds(state["median_lag_seconds"])),
    )
    for column, (label, figure) in zip(st.columns(len(facts)), facts, strict=True):
        column.metric(label, figure, help=_HELP.get(label))


show(page)
