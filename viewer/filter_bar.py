"""The filters of a list as widgets, kept the same as the URL: the URL sets the widgets, a change sets the URL.

What the URL says of how a list looks (`PARAMETERS_OF_LOOKS`) no filter changes.
"""

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import date
from typing import Any

import streamlit as st

from hawk.listing.filters import DIRECTIONS, Chosen, Filter, Kind, ListView, read, written
from hawk.listing.keyset import Cursor
from viewer import links
from viewer.inert import plain

type Options = Callable[[str], list[str]]

MAX_PROBLEMS = 5
PARAMETERS_OF_LOOKS = ("columns",)


def chosen_in_url(view: ListView) -> Chosen:
    """Return what the page's URL asks for, and tell the person what of it cannot be used."""
    chosen = _read_url(view)
    if chosen.problems:
        lines = [f"- {plain(problem)}" for problem in chosen.problems[:MAX_PROBLEMS]]
        left_out = len(chosen.problems) - MAX_PROBLEMS
        lines += [f"- and {left_out} more"] if left_out > 0 else []
        st.warning(
            "Some of this link cannot be used and was left out:\n" + "\n".join(lines), icon=":material/link_off:"
        )
    return chosen


def filter_widgets(view: ListView, chosen: Chosen, names: Iterable[str], options: Options) -> None:
    """Show the widgets of these filters, side by side, with the values that the URL has."""
    shown = list(names)
    for column, name in zip(st.columns(len(shown)), shown, strict=True):
        with column:
            _widget(view, view.filter(name), chosen, options)


def sort_widget(view: ListView, chosen: Chosen) -> None:
    """Show the choice of the list's order."""
    labels = {sort.name: sort.label for sort in view.sorts}
    for column in view.sortable:
        words = column.removesuffix("_at").removesuffix("_usd").replace("_", " ").capitalize()
        labels |= {f"{column}.{way}": f"{words} {arrow}" for way, arrow in zip(DIRECTIONS, "↑↓", strict=True)}
    key = _key(view, "sort")
    st.session_state[key] = chosen.sort
    st.selectbox(
        "Order",
        list(labels),
        format_func=labels.__getitem__,
        key=key,
        on_change=_changed,
        args=(view,),
        label_visibility="collapsed",
    )


def page_buttons(view: ListView, chosen: Chosen, *, before: Cursor | None, after: Cursor | None) -> None:
    """Show the ways to the pages beside this one; the first page is the list from its beginning."""
    if before is None and after is None and chosen.cursor is None:
        return
    with st.container(horizontal=True, vertical_alignment="center"):
        for label, icon, cursor, is_there in (
            ("First page", ":material/first_page:", None, chosen.cursor is not None),
            ("Previous page", ":material/chevron_left:", before, before is not None),
            ("Next page", ":material/chevron_right:", after, after is not None),
        ):
            st.button(
                label,
                icon=icon,
                disabled=not is_there,
                key=_key(view, label),
                on_click=_turn,
                args=(view, cursor),
            )


def _turn(view: ListView, cursor: Cursor | None) -> None:
    here = _read_url(view)
    _write_url(view, replace(here, cursor=cursor))


def _widget(view: ListView, which: Filter, chosen: Chosen, options: Options) -> None:
    key = _key(view, which.name)
    value = chosen.values.get(which.name)
    wired: dict[str, Any] = {"key": key, "on_change": _changed, "args": (view,), "help": which.help or None}
    match which.kind:
        case Kind.TEXT:
            st.session_state[key] = value or ""
            st.text_input(which.label, placeholder="Words, all of which must be found", type="search", **wired)
        case Kind.CHOICES:
            picked = value or []
            st.session_state[key] = picked
            choices = options(which.name)
            st.multiselect(
                which.label, [*choices, *(one for one in picked if one not in choices)], placeholder="Any", **wired
            )
        case Kind.NUMBER:
            st.session_state[key] = value
            st.number_input(which.label, step=0.1, format="%g", placeholder="Any", **wired)
        case Kind.INTEGER:
            st.session_state[key] = value
            st.number_input(which.label, min_value=1, step=1, placeholder="Any", **wired)
        case Kind.COUNT:
            st.session_state[key] = value
            st.number_input(which.label, min_value=0, step=1, placeholder="Any", **wired)
        case Kind.DATE:
            st.session_state[key] = value
            st.date_input(which.label, min_value=date(2020, 1, 1), max_value=date.max, **wired)
        case Kind.FLAG:
            st.session_state[key] = bool(value)
            st.toggle(which.label, **wired)


def _changed(view: ListView) -> None:
    """Write the widgets' values to the URL; another filter or order begins at the first page again."""
    state = st.session_state
    shown = {each.name: state[_key(view, each.name)] for each in view.filters if _key(view, each.name) in state}
    here = _read_url(view)
    values = {**here.values, **shown}
    _write_url(view, Chosen(values, state.get(_key(view, "sort"), here.sort)))


def _read_url(view: ListView) -> Chosen:
    parameters = links.parameters_of(view.name)
    return read(view, {name: texts for name, texts in parameters.items() if name not in PARAMETERS_OF_LOOKS})


def _write_url(view: ListView, chosen: Chosen) -> None:
    looks = {name: texts for name, texts in links.parameters_of(view.name).items() if name in PARAMETERS_OF_LOOKS}
    st.query_params.from_dict(looks | written(view, chosen))


def _key(view: ListView, name: str) -> str:
    return f"{view.relation}/{name}"
