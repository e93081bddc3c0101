"""The list of eval sets, and how models do at tasks over all of them."""

import streamlit as st
from streamlit import column_config

from hawk.listing.filters import Chosen
from hawk.listing.lists import EVAL_SETS, EVALS
from viewer import charts, links, queries, tables
from viewer.filter_bar import chosen_in_url, filter_widgets
from viewer.frame import show
from viewer.identity import settings
from viewer.listing import heading, listed, options, table_key


def page() -> None:
    heading("Eval sets", "One row per eval set; click its id to see its evals.")
    chosen = chosen_in_url(EVAL_SETS)
    filter_widgets(
        EVAL_SETS,
        chosen,
        ("search", "status", "task", "model", "created_by"),
        lambda name: options(EVAL_SETS, name),
    )
    columns = {
        "eval_set_id": tables.opener("Eval set", key=table_key(EVAL_SETS), width=230),
        "status": tables.status_column("Status", options(EVAL_SETS, "status")),
        "tasks": column_config.ListColumn("Tasks", width="medium"),
        "models": column_config.ListColumn("Models", width="medium"),
        "eval_count": column_config.NumberColumn("Evals", width=65),
        "sample_count": column_config.NumberColumn(
            "Samples", width=80, format="localized", help="Samples times epochs, each counted once."
        ),
        "error_count": column_config.NumberColumn("Errors", width=70),
        "limit_count": column_config.NumberColumn("Limits", width=70),
        "total_tokens": column_config.NumberColumn("Tokens", width=85, format="compact"),
        "created_by": column_config.TextColumn("Owner", width=110),
        "last_activity_at": column_config.DatetimeColumn(
            "Latest activity (UTC)", format="YYYY-MM-DD HH:mm", timezone="UTC", width=150
        ),
    }
    clicked = listed(EVAL_SETS, chosen, columns, noun="eval set", file_name="eval-sets.csv")
    if clicked:
        links.go(links.EVALS, {"eval_set_id": [clicked["eval_set_id"]]}, here=links.EVAL_SETS)
    _all_scores()


def _all_scores() -> None:
    rows = queries.mean_scores(EVALS, Chosen(), max_rows=settings().max_rows)
    if rows:
        st.subheader("How models do at tasks", anchor=False)
        st.caption("Over all eval sets: each task's headline score, samples that count, epochs reduced first.")
        charts.show_mean_scores(rows)


show(page)
