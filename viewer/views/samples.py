"""The table of samples."""

from functools import partial
from typing import Any

import streamlit as st
from streamlit import column_config

from hawk.listing.filters import Chosen
from hawk.listing.lists import SAMPLES
from viewer import links, tables
from viewer.filter_bar import chosen_in_url, filter_widgets
from viewer.frame import show
from viewer.inert import plain
from viewer.listing import heading, listed, options, table_key

_MORE = (
    ("eval_set_id", "eval_id", "sample_id", "scorer", "epoch"),
    ("score_min", "score_max", "after", "before", "created_by"),
    ("limit_hit", "error", "tool", "task_version"),
    ("tokens_min", "tokens_max", "seconds_min", "seconds_max", "messages_min", "cost_min"),
    ("invalid", "attempts"),
)
_OPENER = "sample_id"  # always the first column
_SHOWN = (
    *("epoch", "task_name", "model", "status", "score", "score_label", "input_text", "output_text"),
    *("total_tokens", "message_count", "tool_call_count", "total_seconds", "error_message", "eval_set_id"),
    "completed_at",
)
COLUMNS_PARAMETER = "columns"


def page() -> None:
    heading("Samples", "One row per sample and epoch; click its id to read its transcript.")
    chosen = chosen_in_url(SAMPLES)
    filter_widgets(SAMPLES, chosen, ("search", "task", "model", "status"), _options)
    with st.expander("More filters", icon=":material/filter_list:"):
        for names in _MORE:
            filter_widgets(SAMPLES, chosen, names, _options)
    _say_hidden_filters(chosen)
    known = _known_columns()
    columns = {name: known[name] for name in _chosen_columns(known)}
    clicked = listed(SAMPLES, chosen, columns, noun="sample", file_name="samples.csv")
    if clicked:
        parameters = {"uuid": [clicked["sample_uuid"]], "eval_id": [clicked["eval_id"]]}
        links.go(links.SAMPLE, parameters, here=links.SAMPLES)


def _known_columns() -> dict[str, Any]:
    """Return every column that the table can have, the one that opens a row first."""
    number, text = column_config.NumberColumn, column_config.TextColumn
    moment = partial(column_config.DatetimeColumn, format="YYYY-MM-DD HH:mm", timezone="UTC", width=140)
    return {
        _OPENER: tables.opener("Sample", key=table_key(SAMPLES), width=130),
        "epoch": number("Epoch", width=60),
        "task_name": text("Task", width="medium"),
        "task_version": text("Task version", width=80),
        "model": text("Model", width="medium"),
        "status": tables.status_column("Status", options(SAMPLES, "status")),
        "score": number("Score", width=65, format="%g"),
        "score_label": text("Label", width=60),
        "headline_scorer": text("Scorer", width=110),
        "input_text": text("Input", width="medium"),
        "target_text": text("Target", width="medium"),
        "output_text": text("Output", width="medium"),
        "total_tokens": number("Tokens", width=75, format="compact"),
        "input_tokens": number("Input tokens", width=95, format="compact"),
        "output_tokens": number("Output tokens", width=100, format="compact"),
        "reasoning_tokens": number("Reasoning tokens", width=120, format="compact"),
        "total_cost_usd": number("Cost", width=80, format="dollar"),
        "message_count": number("Messages", width=85),
        "model_call_count": number("Model calls", width=90),
        "tool_call_count": number("Tool calls", width=85),
        "retry_count": number("Retries", width=70),
        "total_seconds": number("Seconds", width=80, format="%.1f"),
        "working_seconds": number("Working seconds", width=120, format="%.1f"),
        "error_message": text("Error", width="medium"),
        "limit_type": text("Limit hit", width=90),
        "eval_set_id": text("Eval set", width="medium"),
        "eval_id": text("Eval", width="medium"),
        "started_at": moment("Began (UTC)"),
        "completed_at": moment("Ended (UTC)"),
        "attempt_number": number("Attempt", width=75),
        "is_invalidated": column_config.CheckboxColumn("Invalidated", width=90),
        "sample_uuid": text("UUID", width="small"),
    }


def _chosen_columns(known: dict[str, Any]) -> list[str]:
    """Return the names of the columns to show, which the address has where they are not the usual ones."""
    parameters = links.parameters_of(links.SAMPLES)
    asked = [name for name in parameters.get(COLUMNS_PARAMETER, []) if name in known and name != _OPENER]
    key = "samples/columns"
    st.session_state[key] = asked or list(_SHOWN)
    with st.popover("Columns", icon=":material/view_column:"):
        st.multiselect(
            "Columns to show",
            [name for name in known if name != _OPENER],
            format_func=lambda name: str(known[name]["label"]),
            key=key,
            on_change=_columns_changed,
        )
    return [_OPENER, *st.session_state[key]]


def _columns_changed() -> None:
    picked = st.session_state["samples/columns"]
    if picked and tuple(picked) != _SHOWN:
        st.query_params[COLUMNS_PARAMETER] = picked
    elif COLUMNS_PARAMETER in st.query_params:
        del st.query_params[COLUMNS_PARAMETER]


def _say_hidden_filters(chosen: Chosen) -> None:
    """Say which filters are in use that one does not see."""
    parts = []
    for name in (name for names in _MORE for name in names if name in chosen.values):
        value = chosen.values[name]
        words = ", ".join(value) if isinstance(value, list) else str(value)
        parts.append(f"{SAMPLES.filter(name).label.lower()} {plain(words)}")
    if parts:
        st.caption(f":material/filter_alt: Filtered by {'; '.join(parts)}.")


def _options(name: str) -> list[str]:
    # These come from links; nobody picks an id of thousands by hand.
    return [] if name in ("eval_id", "sample_id", "task_version") else options(SAMPLES, name)


show(page)
