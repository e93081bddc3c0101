import json
import socket
import stat
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from pathlib import Path

import httpx
import pytest

from hawk.cli.oidc import OidcClient
from hawk.cli.session import Session
from hawk.cli.token_store import StoredTokens, TokenStore
from hawk.dev.issuer import create_app as create_issuer
from hawk.errors import NotSignedIn, Upstream, UserError
from hawk.settings import CliSettings, IssuerSettings
from tests.cli.conftest import free_port
from tests.fakes.served import served

SCOPES = ["openid", "offline_access"]


def test_commands_need_a_sign_in(hawk) -> None:
    result = hawk("models", account=None)

    assert result.exit_code == 3
    assert "hawk login" in result.stderr


def test_device_sign_in_is_kept_for_the_next_command(hawk, home) -> None:
    signed_in = hawk("login", "--device", account=None)
    models = hawk("models", account=None)

    assert signed_in.exit_code == 0, signed_in.output
    assert models.exit_code == 0, models.output
    assert json.loads(hawk("config", "--json", account=None).stdout)["is_signed_in"]


def test_tokens_lie_in_a_file_that_only_the_user_can_read(hawk, home) -> None:
    hawk("login", "--device", account=None)

    path = home / "cli" / "tokens.json"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700


def test_access_token_is_printed_and_nothing_else(hawk, api_url) -> None:
    hawk("login", "--device", account=None)

    token = hawk("auth", "access-token", account=None).stdout.strip()

    assert httpx.get(f"{api_url}/models", headers={"authorization": f"Bearer {token}"}).status_code == 200


def test_access_token_without_a_sign_in_fails(hawk) -> None:
    result = hawk("auth", "access-token", account=None)

    assert (result.exit_code, result.stdout) == (3, "")


def test_logout_forgets(hawk) -> None:
    hawk("login", "--device", account=None)

    assert hawk("logout", account=None).exit_code == 0
    assert hawk("models", account=None).exit_code == 3
    assert hawk("logout", account=None).exit_code == 0


@pytest.fixture
def oidc(issuer_url: str) -> OidcClient:
    return OidcClient(issuer_url, "hawk-cli", SCOPES)


def approve_as(account: str, url: str) -> httpx.Response:
    """Do what a person does in the browser: open the page, choose the account, follow the way back."""
    handle = httpx.get(url).text.split('name="handle" value="')[1].split('"')[0]
    form = {"handle": handle, "account": account}
    return httpx.post(httpx.URL(url, query=None), data=form, follow_redirects=True)


def test_browser_sign_in(oidc) -> None:
    pages: list[httpx.Response] = []
    thread: list[threading.Thread] = []

    def show(url: str) -> None:
        thread.append(threading.Thread(target=lambda: pages.append(approve_as("researcher", url))))
        thread[0].start()

    tokens = oidc.sign_in_with_browser(show, wait_seconds=20)
    thread[0].join()

    assert tokens.is_fresh and tokens.refresh_token
    assert "Signed in" in pages[0].text


def test_address_of_a_browser_on_another_machine_can_be_pasted(oidc) -> None:
    addresses: list[str] = []
    shown = threading.Event()

    def show(url: str) -> None:
        handle = httpx.get(url).text.split('name="handle" value="')[1].split('"')[0]
        form = {"handle": handle, "account": "researcher"}
        addresses.append(httpx.post(httpx.URL(url, query=None), data=form).headers["location"])
        shown.set()

    lines = iter(["nonsense\n", "http://127.0.0.1:1/callback?code=a&state=forged\n"])

    def read() -> str:
        shown.wait(20)
        return next(lines, addresses[0])

    tokens = oidc.sign_in_with_browser(show, read_pasted=read, wait_seconds=20)

    assert tokens.is_fresh


def test_browser_comes_back_to_the_port_that_the_deployment_names(issuer_url: str) -> None:
    addresses: list[str] = []
    port = free_port()
    oidc = OidcClient(issuer_url, "hawk-cli", SCOPES, callback_port=port)

    with pytest.raises(NotSignedIn, match="in time"):
        oidc.sign_in_with_browser(lambda url: addresses.append(httpx.URL(url).params["redirect_uri"]), wait_seconds=0.1)

    assert addresses == [f"http://127.0.0.1:{port}/callback"]


def test_port_that_is_taken_is_named(issuer_url: str) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        oidc = OidcClient(issuer_url, "hawk-cli", SCOPES, callback_port=port)

        with pytest.raises(UserError, match=f"Port {port}"):
            oidc.sign_in_with_browser(lambda _: None, wait_seconds=0.1)


def test_nobody_who_comes_is_an_error(oidc) -> None:
    with pytest.raises(NotSignedIn, match="in time"):
        oidc.sign_in_with_browser(lambda _: None, wait_seconds=0.1)


def test_code_of_another_issuer_is_not_redeemed(oidc) -> None:
    def show(url: str) -> None:
        query = {"code": "evil", "state": httpx.URL(url).params["state"], "iss": "http://evil.example"}
        httpx.get(httpx.URL(url).params["redirect_uri"], params=query)

    with pytest.raises(NotSignedIn, match="Another sign-in service"):
        oidc.sign_in_with_browser(show, wait_seconds=20)


def test_login_hint_chooses_the_account(hawk) -> None:
    hawk("login", "--device", "--login-hint", "outsider", account=None)

    assert json.loads(hawk("models", "--json", account=None).stdout) == {"models": []}


def test_answer_with_another_state_is_not_taken(oidc) -> None:
    pages: list[str] = []

    def show(url: str) -> None:
        redirect = httpx.URL(url).params["redirect_uri"]
        state = httpx.URL(url).params["state"]
        pages.append(httpx.get(redirect, params={"code": "evil", "state": "guess"}).text)
        pages.append(str(httpx.get(redirect.replace("/callback", "/other")).status_code))
        pages.append(httpx.get(redirect, params={"error": "access_denied", "state": state}).text)

    with pytest.raises(NotSignedIn, match="access_denied"):
        oidc.sign_in_with_browser(show, wait_seconds=20)

    assert "not begun here" in pages[0]
    assert pages[1] == "404"
    assert "refused" in pages[2]


def test_issuer_that_is_away_is_upstream() -> None:
    with pytest.raises(Upstream):
        OidcClient("http://127.0.0.1:1", "hawk-cli", SCOPES).sign_in_with_device(lambda *_: None)


def test_unknown_client_is_refused_with_the_issuers_words(issuer_url) -> None:
    with pytest.raises(NotSignedIn, match="Unknown client"):
        OidcClient(issuer_url, "nobody", SCOPES).sign_in_with_device(lambda *_: None)


@pytest.fixture
def session(home: Path, api_url: str) -> Iterator[Session]:
    with closing(Session(CliSettings(home=home, api_url=api_url, config_home=home / "cli"))) as session:
        yield session


def expire(session: Session) -> StoredTokens:
    tokens = session.tokens.load(session.api_url)
    assert tokens is not None
    expired = tokens.model_copy(update={"expires_at": time.time()})
    session.tokens.save(session.api_url, expired)
    return expired


class TestRefresh:
    @pytest.fixture(autouse=True)
    def signed_in(self, session: Session) -> None:
        session.tokens.save(session.api_url, session.oidc().sign_in_with_device(lambda *_: None))

    def test_expired_token_is_refreshed_and_kept(self, session) -> None:
        old = expire(session)

        token = session.access_token()

        stored = session.tokens.load(session.api_url)
        assert stored is not None
        assert token == stored.access_token != old.access_token
        assert stored.refresh_token != old.refresh_token

    def test_commands_side_by_side_refresh_once(self, session) -> None:
        expire(session)

        with ThreadPoolExecutor(6) as pool:
            tokens = set(pool.map(lambda _: session.access_token(), range(6)))

        assert len(tokens) == 1
        expire(session)
        assert session.access_token() not in tokens

    def test_refresh_token_that_was_used_ends_the_sign_in(self, session) -> None:
        old = expire(session)
        session.access_token()
        session.tokens.save(session.api_url, old)

        with pytest.raises(NotSignedIn, match="refused"):
            session.access_token()

    def test_expired_token_without_a_refresh_token_is_no_sign_in(self, session) -> None:
        session.tokens.save(session.api_url, expire(session).model_copy(update={"refresh_token": None}))

        with pytest.raises(NotSignedIn, match="expired"):
            session.access_token()


class TestStore:
    TOKENS = StoredTokens(access_token="a", expires_at=2e9, issuer="i", client_id="c")

    def test_sign_ins_at_several_apis_stand_side_by_side(self, home) -> None:
        store = TokenStore(home)
        store.save("http://one", self.TOKENS)
        store.save("http://two", self.TOKENS.model_copy(update={"access_token": "b"}))

        store.forget("http://one")

        assert store.load("http://one") is None
        two = store.load("http://two")
        assert two is not None and two.access_token == "b"

    @pytest.mark.parametrize("text", ["", "{", "[]", '{"http://one": "x"}', '{"http://one": 1}', "\x00"])
    def test_file_that_cannot_be_read_is_no_sign_in_and_is_replaced(self, home, text) -> None:
        (home / "tokens.json").write_text(text)
        store = TokenStore(home)

        assert store.load("http://one") is None
        store.save("http://one", self.TOKENS)
        assert store.load("http://one") == self.TOKENS


def test_device_sign_in_waits_for_the_approval(tmp_path) -> None:
    port = free_port()
    settings = IssuerSettings(home=tmp_path, issuer_port=port, issuer_auto_approve=False)
    with served(create_issuer(settings), port) as url:
        client = OidcClient(url, "hawk-cli", SCOPES)

        def approve(_: str, code: str) -> None:
            timer = threading.Timer(
                1.5, lambda: httpx.post(f"{url}/device", data={"user_code": code, "account": "researcher"})
            )
            timer.start()

        assert client.sign_in_with_device(approve).is_fresh
