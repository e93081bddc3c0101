"""Pages of the viewer, run by Streamlit's own test runner against a warehouse that was filled from logs."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from hawk.dev.issuer import create_app
from hawk.dev.issuer_tokens import Grant, TokenMint
from hawk.dev.postgres import EmbeddedPostgres
from hawk.settings import IssuerSettings
from tests.conftest import free_port
from tests.fakes.served import served
from viewer import database, identity

APP = Path(__file__).parent.parent.parent / "viewer" / "app.py"
SECONDS = 60
USER = "public-user"  # holds the public group, as every model of the filled warehouse is of
COOKIE_KEY = "c" * 32

type OpenPage = Callable[..., AppTest]
type TokenOf = Callable[[str], str]


@pytest.fixture(scope="session")
def issuer(tmp_path_factory: pytest.TempPathFactory) -> Iterator[IssuerSettings]:
    """Serve the issuer of the embedded stack for the session."""
    settings = IssuerSettings(home=tmp_path_factory.mktemp("issuer"), issuer_port=free_port())
    with served(create_app(settings), settings.issuer_port):
        yield settings


@pytest.fixture(scope="session")
def token_of(issuer: IssuerSettings) -> TokenOf:
    """Return a function that gives an access token of an account of the issuer."""
    mint = TokenMint(issuer)
    return lambda account: mint.access_token(Grant(account, "hawk-viewer", "openid"))


@pytest.fixture
def forgotten_caches() -> Iterator[None]:
    """Forget settings, pools and options of other tests, before and after."""
    _forget()
    yield
    _forget()


@pytest.fixture(autouse=True)
def sign_in(monkeypatch: pytest.MonkeyPatch, issuer: IssuerSettings, token_of: TokenOf) -> None:
    """Let the viewer believe the issuer, and pages be opened by somebody who has signed in there."""
    monkeypatch.setenv("HAWK_ISSUER", issuer.issuer_url)
    monkeypatch.setenv("HAWK_VIEWER_COOKIE_KEY", COOKIE_KEY)
    monkeypatch.setitem(_TOKENS, USER, token_of(USER))


_TOKENS: dict[str, str] = {}


@pytest.fixture
def filled_url(postgres: EmbeddedPostgres, filled_database: str) -> str:
    return postgres.url_of(filled_database)


@pytest.fixture
def filled_viewer(filled_url: str, monkeypatch: pytest.MonkeyPatch, forgotten_caches: None) -> None:
    """Let the viewer's queries read the filled warehouse."""
    monkeypatch.setenv("HAWK_DATABASE_URL", filled_url)


@pytest.fixture
def filled_reader(filled_viewer: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Let queries that no page asks read the filled warehouse, with the public group."""
    monkeypatch.setattr(database, "groups", lambda: frozenset({"model-access-public"}))


@pytest.fixture
def at(filled_viewer: None) -> OpenPage:
    """Return a function that opens a page at `at("samples", task="sums")`; the warehouse is filled."""
    return open_page


def open_page(name: str, *, token: str | None = None, **parameters: str | list[str]) -> AppTest:
    """Open a page of the viewer as the browser of somebody who is signed in, and follows a link to it.

    An empty token is nobody's.
    """
    page = AppTest.from_file(str(APP), default_timeout=SECONDS)
    access = _TOKENS[USER] if token is None else token
    page.user = {"is_logged_in": True, "tokens": {"access": access}} if access else {"is_logged_in": False}
    for parameter, value in parameters.items():
        page.query_params[parameter] = value
    if name != "eval_sets":  # the page that is shown without being asked for
        page.switch_page(f"views/{name}.py")
    return page.run()


def _forget() -> None:
    pool = database._pool
    st.cache_data.clear()
    pool.clear()
    identity.settings.clear()
    identity._verifier.clear()
