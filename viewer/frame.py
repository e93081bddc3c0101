"""What is around every page: errors in words, and one place that says what to do about them."""

import logging
from collections.abc import Callable

import streamlit as st

from hawk.auth import Principal
from hawk.errors import HawkError, NotFound, NotSignedIn, Upstream, UserError
from viewer.identity import person
from viewer.inert import plain

logger = logging.getLogger(__name__)


def show(page: Callable[[], None]) -> None:
    """Run a page for somebody who is signed in; where it cannot be shown, say why and what to do."""
    try:
        who = person()
        page()
        _account(who)
    except NotSignedIn as error:
        sign_in(error)
    except NotFound as error:
        _nothing(error)
    except UserError as error:
        empty(plain(error.message), plain(error.hint))
    except Upstream as error:
        logger.warning("a page could not be shown", exc_info=error)
        _try_again(error.message, error.hint)
    except Exception:
        logger.exception("a page failed")
        _try_again("This page failed.", "The reason is in the viewer's log.")


def empty(title: str, what_to_do: str) -> None:
    """Show that there is nothing, and how there would be something."""
    with st.container(border=True, horizontal_alignment="center"):
        st.space("small")
        st.markdown(f"**{title}**", text_alignment="center")
        st.caption(what_to_do, text_alignment="center")
        st.space("small")


def _account(who: Principal) -> None:
    """Show at the foot of a page who looks, and let him leave."""
    st.divider()
    with st.container(horizontal=True, vertical_alignment="center"):
        held = ", ".join(sorted(who.permissions)) or "no group"
        st.caption(plain(f"Signed in as {who.email or who.subject}, with {held}.", most=1000), width="stretch")
        st.button("Sign out", type="tertiary", icon=":material/logout:", key="sign_out", on_click=st.logout)


def sign_in(error: NotSignedIn) -> None:
    """Show how to sign in; afterwards the browser is on this page again."""
    empty(plain(error.message), "Sign in to see what you may see.")
    with st.container(horizontal_alignment="center"):
        st.button("Sign in", type="primary", icon=":material/login:", key="sign_in", on_click=st.login)


def _nothing(error: HawkError) -> None:
    empty(plain(error.message), plain(error.hint))
    st.button("Look again", icon=":material/refresh:", key="look_again")


def _try_again(message: str, hint: str) -> None:
    st.error(f"{plain(message)} {plain(hint)}", icon=":material/cloud_off:")
    st.button("Try again", icon=":material/refresh:", key="try_again")
