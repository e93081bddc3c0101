"""One sample: what it was, how it went, and everything that was said."""

from collections.abc import Mapping, Sequence

import streamlit as st

from hawk.errors import UserError
from hawk.listing.filters import MAX_TEXT, Chosen, read
from hawk.listing.lists import SAMPLES
from viewer import figures, links, sample_parts, sample_queries, tables, transcript
from viewer.database import Row
from viewer.frame import empty, show
from viewer.inert import plain
from viewer.listing import crumbs
from viewer.not_yours import not_yours

TAB_PARAMETER = "tab"
_PARAMETERS = ("uuid", "eval_id", TAB_PARAMETER)


def page() -> None:
    asked = _asked(links.parameters_of(links.SAMPLE))
    if asked is None:
        return
    sample = sample_queries.sample(*asked)
    if sample is None:
        not_yours("sample", asked[0])
        links.link(links.SAMPLES, "Look for it", {"search": [asked[0]]}, icon=":material/search:")
        return
    _way(sample)
    _heading(sample)
    raw = sample_queries.raw_sample(sample["import_id"], sample["sample_uuid"])
    _facts(sample)
    sample_parts.show_error(sample, raw)
    _attempts(sample)
    _tabs(sample, raw)


def _asked(parameters: Mapping[str, Sequence[str]]) -> tuple[str, str | None] | None:
    unknown = [name for name in parameters if name not in _PARAMETERS]
    if unknown:
        known = ", ".join(_PARAMETERS)
        st.warning(f"This page does not know {plain(', '.join(unknown))}; it knows {known}.")
    uuid, eval_id = _one(parameters, "uuid"), _one(parameters, "eval_id")
    if not uuid:
        empty("Which sample?", "Its address has the sample's uuid: /sample?uuid=… Find one in the table of samples.")
        links.link(links.SAMPLES, "All samples", {}, icon=":material/table_rows:")
        return None
    return uuid, eval_id


def _one(parameters: Mapping[str, Sequence[str]], name: str) -> str | None:
    text = (parameters.get(name) or [""])[-1].strip()
    if "\x00" in text or len(text) > MAX_TEXT:
        raise UserError(f"The {name} in this link is none.", field=name)
    return text or None


def _list_around(sample: Row) -> Chosen:
    """Return the list that the sample was opened from; without one, the samples of its eval in their order."""
    origin = links.origin_of(links.SAMPLES, {name: st.query_params.get_all(name) for name in st.query_params})
    own = {"eval_id": [sample["eval_id"]], "sort": ["sample"], "attempts": ["true"]}
    asked = own if origin is None else {name: texts for name, texts in origin.items() if name != "columns"}
    return read(SAMPLES, asked)


def _way(sample: Row) -> None:
    crumbs(
        (links.EVALS, plain(sample["eval_set_id"]), {"eval_set_id": [sample["eval_set_id"]]}),
        (
            links.SAMPLES,
            plain(f"{sample['task_name']} by {sample['model']}"),
            {"eval_id": [sample["eval_id"]], "sort": ["sample"]},
        ),
    )


def _heading(sample: Row) -> None:
    around = sample_queries.neighbours(SAMPLES, _list_around(sample), sample)
    with st.container(horizontal=True, vertical_alignment="center"):
        st.title(plain(sample["sample_id"], most=80), anchor=False, width="content")
        if sample["epoch"] != 1:
            st.badge(f"epoch {sample['epoch']}", color="gray")
        st.badge(plain(sample["status"]), color=tables.status_color(sample["status"]))
        if not sample["is_canonical"]:
            st.badge("replaced by another attempt", color="gray")
        if sample["is_invalidated"]:
            st.badge("invalidated", color="red")
        st.space("stretch")
        for row, label, icon, side in (
            (around.previous, "Previous", ":material/arrow_back:", "left"),
            (around.following, "Next", ":material/arrow_forward:", "right"),
        ):
            clicked = st.button(label, icon=icon, icon_position=side, disabled=row is None, key=f"go/{label}")  # type: ignore[arg-type]
            if clicked and row is not None:
                # The same page: what else the address has, list and tab, stays.
                st.query_params["uuid"], st.query_params["eval_id"] = row["sample_uuid"], row["eval_id"]
                st.rerun()


def _facts(sample: Row) -> None:
    value = figures.score(sample["score"])
    if sample["score_label"]:
        value = sample["score_label"] if sample["score"] is None else f"{sample['score_label']} = {value}"
    facts = (
        ("Score", value, sample["headline_scorer"]),
        ("Tokens", figures.short_count(sample["total_tokens"]), None),
        ("Cost", figures.cost(sample["total_cost_usd"]), None),
        ("Messages", figures.count(sample["message_count"]), None),
        ("Model calls", figures.count(sample["model_call_count"]), None),
        ("Tool calls", figures.count(sample["tool_call_count"]), None),
        ("Took", figures.seconds(sample["total_seconds"]), None),
        ("Worked", figures.seconds(sample["working_seconds"]), None),
    )
    for column, (label, figure, about) in zip(st.columns(len(facts)), facts, strict=True):
        column.metric(label, figure, help=plain(about) if about else None)
    st.caption(f"Ended {figures.moment(sample['completed_at'])} · uuid {plain(sample['sample_uuid'])}")


def _attempts(sample: Row) -> None:
    if sample["attempt_count"] < 2:
        return
    with st.container(horizontal=True):
        st.caption(f"{sample['attempt_count']} attempts:")
        for attempt in sample_queries.attempts(sample):
            counts = ", counts" if attempt["is_canonical"] else ""
            label = f"{attempt['attempt_number']} ({plain(attempt['status'])}{counts})"
            links.link(links.SAMPLE, label, {"uuid": [attempt["sample_uuid"]], "eval_id": [attempt["eval_id"]]})


def _tabs(sample: Row, raw: Row | None) -> None:
    names = ["Transcript", "Scores", "Events", "Input and metadata", "Usage"]
    conversation, scores, events, given, usage = st.tabs(
        names, key=TAB_PARAMETER, on_change="rerun", bind="query-params"
    )
    if conversation.open:
        with conversation:
            transcript.show_conversation(sample["import_id"], sample["sample_uuid"], sample["message_count"])
    if scores.open:
        with scores:
            sample_parts.show_scores(sample)
    if events.open:
        with events:
            sample_parts.show_events(sample)
    if given.open:
        with given:
            sample_parts.show_given(raw)
    if usage.open:
        with usage:
            sample_parts.show_usage(sample)


show(page)
