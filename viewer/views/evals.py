"""The list of evals, and the mean scores of those that match."""

from functools import partial

import streamlit as st
from streamlit import column_config

from hawk.listing.filters import Chosen, written
from hawk.listing.lists import EVALS
from viewer import charts, figures, import_queries, links, queries, tables
from viewer.attempts import show_job
from viewer.filter_bar import chosen_in_url, filter_widgets
from viewer.frame import show
from viewer.identity import settings
from viewer.inert import plain
from viewer.listing import heading, listed, options, table_key
from viewer.not_yours import not_yours

MAX_SET_ASIDE = 5


def page() -> None:
    heading("Evals", "One row per eval: a task run by a model, one log file. Click its task to see its samples.")
    chosen = chosen_in_url(EVALS)
    if len(chosen.values.get("eval_set_id", ())) == 1:
        _eval_set(chosen.values["eval_set_id"][0])
    choices = partial(options, EVALS)
    filter_widgets(EVALS, chosen, ("search", "eval_set_id", "task", "model"), choices)
    filter_widgets(EVALS, chosen, ("status", "after", "before"), choices)
    columns = {
        "task_name": tables.opener("Task", key=table_key(EVALS)),
        "model": column_config.TextColumn("Model", width="medium"),
        "status": tables.status_column("Status", options(EVALS, "status")),
        "mean_score": column_config.NumberColumn("Mean score", format="%.3f", width=95),
        "standard_error": column_config.NumberColumn("± SE", format="%.3f", width=70),
        "scored_count": column_config.NumberColumn("n", width=55, help="Samples that the mean is over."),
        "headline_scorer": column_config.TextColumn("Scorer", width=110),
        "sample_count": column_config.NumberColumn("Samples", width=75),
        "error_count": column_config.NumberColumn("Errors", width=65),
        "limit_count": column_config.NumberColumn("Limits", width=65),
        "total_tokens": column_config.NumberColumn("Tokens", width=80, format="compact"),
        "total_seconds": column_config.NumberColumn("Seconds", width=80, format="%.0f"),
        "eval_set_id": column_config.TextColumn("Eval set", width="medium"),
        "created_at": column_config.DatetimeColumn("Made (UTC)", format="YYYY-MM-DD HH:mm", timezone="UTC", width=140),
    }
    _scores(chosen)
    clicked = listed(EVALS, chosen, columns, noun="eval", file_name="evals.csv")
    if clicked:
        links.go(links.SAMPLES, {"eval_id": [clicked["eval_id"]]}, here=links.EVALS)
    if chosen.values.get("eval_set_id"):
        links.link(
            links.SAMPLES,
            "All samples of these eval sets",
            {"eval_set_id": written(EVALS, chosen)["eval_set_id"]},
            icon=":material/table_rows:",
        )


def _eval_set(eval_set_id: str) -> None:
    """Show how an eval set stands, also before any of its logs has come."""
    found = queries.eval_set(eval_set_id)
    if found is None:
        if not show_job(eval_set_id):
            not_yours("eval set", eval_set_id)
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        st.subheader(plain(found["eval_set_id"]), anchor=False, width="content")
        st.badge(plain(found["status"]), color=tables.status_color(found["status"]))
        owner = f" by {found['created_by']}" if found["created_by"] else ""
        st.caption(plain(f"Made {figures.moment(found['created_at'])}{owner}. {found['status_reason']}", most=400))
    facts = (
        ("Evals", f"{found['success_eval_count']:,} of {found['eval_count']:,} succeeded"),
        ("Samples", figures.count(found["sample_count"])),
        ("Errors", figures.count(found["error_count"])),
        ("Limits hit", figures.count(found["limit_count"])),
        ("Tokens", figures.short_count(found["total_tokens"])),
        ("Cost", figures.cost(found["total_cost_usd"])),
    )
    for column, (label, figure) in zip(st.columns(len(facts)), facts, strict=True):
        column.metric(label, figure)
    _set_aside(eval_set_id)
    show_job(eval_set_id)


def _set_aside(eval_set_id: str) -> None:
    """Show which of the set's logs could not be imported, and why."""
    found = import_queries.set_aside(eval_set_id, limit=MAX_SET_ASIDE)
    if not found:
        return
    lines = [f"- **{plain(row['log'])}**: {plain(row['reason'], most=400)}" for row in found]
    st.warning("\n".join(["Some logs could not be imported:", *lines]), icon=":material/report:")
    links.link(
        links.IMPORTS, "All imports of this set", {"eval_set_id": [eval_set_id]}, icon=":material/move_to_inbox:"
    )


def _scores(chosen: Chosen) -> None:
    rows = queries.mean_scores(EVALS, chosen, max_rows=settings().max_rows)
    if rows:
        charts.show_mean_scores(rows)


show(page)
