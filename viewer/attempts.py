"""The tries at running an eval set: how each ended and why, in the words of Kubernetes and of the runner."""

import streamlit as st
from streamlit import column_config

from viewer import attempt_queries, tables, text_blocks
from viewer.database import Row
from viewer.inert import plain
from viewer.set_status import unfinished_status

MAX_ATTEMPTS = 50


def show_job(eval_set_id: str) -> bool:
    """Show how a set stands whose job has not ended, and its attempts, opened where the last one failed.

    Return whether there was anything to show.
    """
    rows = attempt_queries.attempts(eval_set_id, limit=MAX_ATTEMPTS)
    verdict = unfinished_status(eval_set_id, rows)
    if verdict is not None:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.badge(plain(verdict.state), color=tables.status_color(verdict.state))
            st.caption(plain(verdict.reason, most=400))
    if not rows:
        return verdict is not None
    last = rows[0]
    told = f"{last['status']}{': ' + last['reason'] if last['reason'] else ''}"
    with st.expander(
        plain(f"Attempts of its job: {len(rows)}, the last {told}"),
        expanded=last["status"] == "failed",
        icon=":material/replay:",
    ):
        _table(rows)
        _words(rows)
    return True


def _table(rows: list[Row]) -> None:
    columns = {
        "attempt_number": column_config.NumberColumn("Attempt", width=70),
        "status": tables.status_column("Phase", [row["status"] for row in rows]),
        "exit_code": column_config.NumberColumn("Exit code", width=80),
        "reason": column_config.TextColumn("Reason", width=140),
        "message": column_config.TextColumn("What happened, and what to do", width=480),
        "seconds": column_config.NumberColumn("Seconds", width=80, format="%.0f"),
        "peak_memory_bytes": column_config.NumberColumn("Peak memory", width=100, format="bytes"),
        "started_at": column_config.DatetimeColumn(
            "Began (UTC)", format="YYYY-MM-DD HH:mm:ss", timezone="UTC", width=150
        ),
        "launcher": column_config.TextColumn("Ran on", width=90),
    }
    tables.selected_row(rows, columns, key="attempts")


def _words(rows: list[Row]) -> None:
    """Show what the chosen attempt left: its message in full, pod events, last lines, the last stack."""
    number = st.selectbox("What was left of attempt", [row["attempt_number"] for row in rows], key="attempt")
    chosen = next(row for row in rows if row["attempt_number"] == number)
    if chosen["message"]:
        text_blocks.prose(chosen["message"], key="attempt/message")
    blocks = (
        ("Events of its pod", "\n".join(chosen["pod_events"] or ())),
        ("Last lines that it printed", chosen["last_log_lines"]),
        ("Stack that was asked for", chosen["stack_trace"]),
    )
    for title, text in blocks:
        if text:
            st.caption(title)
            text_blocks.source(text, key=f"attempt/{title}")
