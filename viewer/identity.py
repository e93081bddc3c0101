"""Who looks: Streamlit's sign-in keeps an access token in signed cookies, believed here as at every other door."""

import streamlit as st

from hawk.auth import Principal, TokenVerifier
from hawk.errors import NotSignedIn
from hawk.permissions import viewable_groups
from hawk.settings import ViewerSettings

_HINT = "Sign in to see what you may see."


@st.cache_resource(show_spinner=False)
def settings() -> ViewerSettings:
    """Return the settings, read once a process."""
    return ViewerSettings()


@st.cache_resource(show_spinner=False)
def _verifier() -> TokenVerifier:
    return TokenVerifier(settings())


def access_token() -> str:
    """Return the token by which the viewer asks the API as whoever looks. Raises NotSignedIn."""
    token = st.user.tokens.get("access") if st.user.get("is_logged_in") else None
    if not token:
        raise NotSignedIn("You are not signed in.", hint=_HINT)
    return str(token)


def person() -> Principal:
    """Return who looks. Raises NotSignedIn also where the token has ended meanwhile, Upstream without the issuer."""
    return _verifier().verify(access_token())


def groups() -> frozenset[str]:
    """Return the groups whose results the person may see. Raises as `person` does."""
    return viewable_groups(person().permissions)
