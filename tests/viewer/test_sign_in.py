"""Who looks decides what is shown; whoever is nobody sees nothing."""

import re
from pathlib import Path

import psycopg
import pytest

from hawk.dev.postgres import EmbeddedPostgres
from hawk.settings import ViewerSettings
from tests.marts import MADE, copy_database
from tests.viewer.conftest import COOKIE_KEY, OpenPage, TokenOf, open_page
from viewer.__main__ import sign_in_settings
from viewer.return_to_page import is_own_page, page_of

VIEWER = Path(__file__).parents[2] / "viewer"


def words(page) -> str:
    elements = [*page.markdown, *page.caption, *page.error]
    return "\n".join(str(element.value) for element in elements).replace("\\", "")


@pytest.mark.parametrize("token", ["", "nonsense", "a.b.c"])
def test_whoever_has_not_signed_in_sees_how_to_and_nothing_else(at: OpenPage, token: str) -> None:
    page = at("samples", token=token)

    assert not page.exception
    assert not page.dataframe
    assert [button.label for button in page.button] == ["Sign in"]


def test_page_says_who_looks(at: OpenPage) -> None:
    assert "Signed in as public-user@hawk.example, with model-access-public." in words(at("eval_sets"))


@pytest.fixture
def private_url(postgres: EmbeddedPostgres, filled_database: str, monkeypatch: pytest.MonkeyPatch, forgotten_caches):
    """Return a warehouse in which the set of the made logs is of the private group, the foreign one of the public."""
    copy_database(postgres, "viewer_private", template=filled_database)
    url = postgres.url_of("viewer_private")
    with psycopg.connect(url) as connection:
        connection.execute(
            "update ops.model_group set model_group = 'model-access-private' where model_name = 'mockllm/good'"
        )
    monkeypatch.setenv("HAWK_DATABASE_URL", url)
    return url


def test_two_people_at_one_viewer_each_see_their_own(private_url: str, token_of: TokenOf) -> None:
    seen = {}
    for account in ("researcher", "public-user", "outsider", "researcher"):
        page = open_page("samples", token=token_of(account))
        assert not page.exception
        models = set(page.multiselect[1].options)
        shown = set(page.dataframe[0].value["model"]) if page.dataframe else set()
        seen.setdefault(account, []).append((models, shown))

    [(options, shown), (options_after, _)] = seen["researcher"]
    assert "mockllm/good" in options & options_after & shown
    [(options, shown)] = seen["public-user"]
    assert "mockllm/poor" in options
    assert "mockllm/good" not in options | shown
    [(options, shown)] = seen["outsider"]
    assert options | shown == set()


def test_what_is_hidden_and_what_is_not_there_are_answered_alike(private_url: str, token_of: TokenOf) -> None:
    token = token_of("outsider")

    hidden, absent = (open_page("evals", token=token, eval_set_id=name) for name in (MADE, "never-was"))

    assert words(hidden).replace(MADE, "X") == words(absent).replace("never-was", "X")
    assert f"There is no eval set {MADE} that you may see." in words(hidden)
    assert hidden.code[0].value == f"hawk why {MADE}"


def test_only_what_is_kept_by_groups_is_kept() -> None:
    users = [path.name for path in VIEWER.rglob("*.py") if "cache_data" in path.read_text()]

    assert users == ["memory.py"]


def test_streamlit_is_told_of_the_issuer_and_asks_for_the_access_token() -> None:
    settings = ViewerSettings(
        database_url="postgresql://none",
        issuer="https://id.example/",
        viewer_cookie_key=COOKIE_KEY,
        viewer_url="https://v.example/",
    )

    told = sign_in_settings(settings)

    assert told["redirect_uri"] == "https://v.example/oauth2callback"
    assert told["server_metadata_url"] == "https://id.example/.well-known/openid-configuration"
    assert told["expose_tokens"] == ["access"]
    assert told["client_kwargs"]["token_endpoint_auth_method"] == "none"


@pytest.mark.parametrize(
    ("referrer", "page"),
    [
        ("https://v.example/samples?task=a&task=b", "/samples?task=a&task=b"),
        ("https://v.example", "/"),
        ("https://v.example/a#b", "/a"),
        ("https://evil.example/samples", ""),
        ("https://v.example//evil.example", ""),
        ("https://v.example/\\evil", "/\\evil"),
        ("http://[broken", ""),
        ("", ""),
    ],
)
def test_sign_in_returns_to_pages_of_the_viewer_only(referrer: str, page: str) -> None:
    found = page_of(referrer, "v.example")

    assert found == ("" if re.search(r"\\", page) else page)
    assert found == "" or is_own_page(found)
