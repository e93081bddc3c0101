"""Pages of the viewer, run by Streamlit's own test runner against a warehouse that was filled from logs."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import streamlit as st
from streamlit.testing.v1 import AppTest

from hawk.dev.postgres import EmbeddedPostgres
from viewer import database

APP = Path(__file__).parent.parent.parent / "viewer" / "app.py"
SECONDS = 60

type OpenPage = Callable[..., AppTest]


@pytest.fixture
def forgotten_caches() -> Iterator[None]:
    """Forget settings, pools and options of other tests, before and after."""
    _forget()
    yield
    _forget()


@pytest.fixture(autouse=True)
def groups_of_whoever_looks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let the viewer show what is of the public group, as every model of the filled warehouse is."""
    monkeypatch.setenv("HAWK_VIEWER_GROUPS", '["model-access-public"]')


@pytest.fixture
def filled_url(postgres: EmbeddedPostgres, filled_database: str) -> str:
    return postgres.url_of(filled_database)


@pytest.fixture
def filled_viewer(filled_url: str, monkeypatch: pytest.MonkeyPatch, forgotten_caches: None) -> None:
    """Let the viewer's queries read the filled warehouse."""
    monkeypatch.setenv("HAWK_DATABASE_URL", filled_url)


@pytest.fixture
def at(filled_viewer: None) -> OpenPage:
    """Return a function that opens a page at `at("samples", task="sums")`; the warehouse is filled."""
    return open_page


def open_page(name: str, **parameters: str | list[str]) -> AppTest:
    """Open a page of the viewer as a browser does that follows a link to it."""
    page = AppTest.from_file(str(APP), default_timeout=SECONDS)
    for parameter, value in parameters.items():
        page.query_params[parameter] = value
    if name != "eval_sets":  # the page that is shown without being asked for
        page.switch_page(f"views/{name}.py")
    return page.run()


def _forget() -> None:
    pool = database._pool
    st.cache_data.clear()
    pool.clear()
    database.settings.clear()
