"""What a page says in place of what is hidden or not there: the same of both, and how to ask for it."""

import shlex

import streamlit as st

from hawk.errors import HawkError
from viewer import hawk_api
from viewer.frame import empty
from viewer.identity import person
from viewer.inert import plain


def not_yours(what: str, thing: str) -> None:
    """Say that there is none of this name which the person may see, and how to ask; `what` is of our own words."""
    who = person()
    empty(
        f"There is no {what} {plain(thing)} that you may see.",
        "It is not there (any more), its log is not imported yet, or it is not yours to see: one of its models is of a "
        "group that you lack.",
    )
    held = ", ".join(sorted(who.permissions)) or "none"
    st.caption(plain(f"You are {who.email or who.subject}; your groups: {held}.", most=1000))
    if thing and len(thing) <= 300 and hawk_api.is_there():
        _reasons(thing)
    st.caption(
        "How to ask: send this page's address and your groups to whoever gave you the link, or to an administrator, "
        "who can give you the group. The command line says the same by:"
    )
    st.code(f"hawk why {_quoted(thing)}", language=None)


def _reasons(thing: str) -> None:
    """Show why, in the words of the API; without it the rest of the page stands."""
    try:
        answer = hawk_api.ask("GET", "/why", query={"thing": thing})
    except HawkError:
        return
    for line in [*answer.get("reasons", ()), answer.get("hint", "")]:
        if line:
            st.caption(plain(line, most=1000))


def _quoted(thing: str) -> str:
    return shlex.quote("".join(character for character in thing if character.isprintable())[:300])
