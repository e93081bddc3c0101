"""The door before a webserver that says what it was asked; sign-ins are the development issuer's."""

import asyncio
import contextlib
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import psycopg
import pytest
import websockets
from cryptography.fernet import Fernet
from psycopg.rows import dict_row
from pydantic import SecretStr
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route, WebSocketRoute
from starlette.websockets import WebSocket

from hawk.dev.issuer import create_app as create_issuer
from hawk.dev.issuer_tokens import Grant, TokenMint
from hawk.door.app import create_app
from hawk.settings import DoorSettings, IssuerSettings
from tests.conftest import free_port
from tests.fakes.served import served

LAUNCH = "mutation Launch($p: ExecutionParams!) { launchRun(executionParams: $p) { __typename } }"
PAGE = {"accept": "text/html"}


class FakeWebserver:
    """Says what it was asked."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.app = Starlette(
            routes=[
                WebSocketRoute("/graphql", self.websocket),
                Route("/{path:path}", self.answer, methods=["GET", "POST"]),
            ]
        )

    async def answer(self, request: Request) -> Response:
        body = await request.body()
        self.asked.append(
            {
                "method": request.method,
                "path": request.scope["path"],
                "query": request.url.query,
                "headers": dict(request.headers),
                "body": json.loads(body) if body else None,
            }
        )
        return JSONResponse({"data": {}}, headers={"x-of-dagster": "1", "set-cookie": "theirs=1"})

    async def websocket(self, socket: WebSocket) -> None:
        await socket.accept(subprotocol="graphql-ws")
        with contextlib.suppress(Exception):
            while True:
                await socket.send_text(json.dumps({"seen": await socket.receive_json()}))


class DoorUnderTest:
    """A served door and what stands on its two sides."""

    def __init__(self, url: str, webserver: FakeWebserver, mint: TokenMint, database_url: str) -> None:
        self.url = url
        self.webserver = webserver
        self.mint = mint
        self.database_url = database_url

    def headers(self, account: str | None) -> dict[str, str]:
        if account is None:
            return {}
        return {"authorization": f"Bearer {self.mint.access_token(Grant(account, 'hawk-dagster', 'openid'))}"}

    def ask(self, account: str | None, query: str, variables: Any = None, **headers: str) -> httpx.Response:
        body = {"query": query, "variables": variables or {}}
        return httpx.post(f"{self.url}/graphql", json=body, headers=self.headers(account) | headers)

    def rows(self, query: str) -> list[dict[str, Any]]:
        with psycopg.connect(self.database_url, row_factory=dict_row) as connection:
            return connection.execute(query).fetchall()


@pytest.fixture(scope="module")
def shared_door(shared_database_url: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[DoorUnderTest]:
    home: Path = tmp_path_factory.mktemp("door")
    webserver = FakeWebserver()
    issuer_port, port = free_port(), free_port()
    with (
        served(create_issuer(IssuerSettings(home=home, issuer_port=issuer_port)), issuer_port) as issuer_url,
        served(webserver.app, free_port()) as webserver_url,
    ):
        settings = DoorSettings(
            home=home,
            database_url=SecretStr(shared_database_url),
            issuer=issuer_url,
            job_token_key=SecretStr("k" * 40),
            secret_key=SecretStr(Fernet.generate_key().decode()),
            door_port=port,
            dagster_webserver_url=webserver_url,
        )
        mint = TokenMint(IssuerSettings(home=home, issuer=issuer_url))
        with served(create_app(settings), port) as url:
            yield DoorUnderTest(url, webserver, mint, shared_database_url)


@pytest.fixture
def door(shared_door: DoorUnderTest) -> DoorUnderTest:
    shared_door.webserver.asked.clear()
    return shared_door


def sign_in(door: DoorUnderTest, browser: httpx.Client, account: str, page: str = "/runs?view=all") -> httpx.Response:
    """Go through the sign-in as a browser does, and return the page that it ends on."""
    sent = browser.get(f"{door.url}{page}", headers=PAGE)
    form = browser.get(sent.headers["location"]).text
    handle = form.split('name="handle" value="')[1].split('"')[0]
    target = urlsplit(sent.headers["location"])
    chosen = browser.post(f"{target.scheme}://{target.netloc}/authorize", data={"handle": handle, "account": account})
    return browser.get(chosen.headers["location"])


class TestSignIn:
    def test_browser_is_signed_in_and_led_back_to_its_page(self, door) -> None:
        with httpx.Client() as browser:
            back = sign_in(door, browser, "researcher")
            seen = browser.get(door.url + back.headers["location"], headers=PAGE)

        assert back.headers["location"] == "/runs?view=all"
        assert (seen.status_code, seen.headers["x-of-dagster"]) == (200, "1")
        assert (door.webserver.asked[-1]["path"], door.webserver.asked[-1]["query"]) == ("/runs", "view=all")

    def test_session_cookie_is_for_http_only_and_says_nothing(self, door) -> None:
        with httpx.Client() as browser:
            back = sign_in(door, browser, "researcher")

        cookie = next(value for value in back.headers.get_list("set-cookie") if value.startswith("hawk_door="))
        assert "HttpOnly" in cookie and "SameSite=lax" in cookie
        assert "researcher" not in cookie

    def test_cookies_stay_between_browser_and_door(self, door) -> None:
        with httpx.Client() as browser:
            sign_in(door, browser, "researcher")
            answer = browser.get(f"{door.url}/runs", headers=PAGE)

        assert "cookie" not in door.webserver.asked[-1]["headers"]
        assert "authorization" not in door.webserver.asked[-1]["headers"]
        assert "set-cookie" not in answer.headers

    def test_state_of_another_browser_is_refused(self, door) -> None:
        with httpx.Client() as browser, httpx.Client() as other:
            browser.get(f"{door.url}/", headers=PAGE)
            state = parse_qs(urlsplit(other.get(f"{door.url}/", headers=PAGE).headers["location"]).query)["state"][0]

            assert browser.get(f"{door.url}/auth/callback?code=x&state={state}").status_code == 401
            assert httpx.get(f"{door.url}/auth/callback?code=x&state={state}").status_code == 401

    @pytest.mark.parametrize("page", ["//evil.example/", "/\\evil.example"])
    def test_sign_in_leads_to_no_other_site(self, door, page) -> None:
        answer = httpx.get(f"{door.url}{page}", headers=PAGE)

        assert answer.status_code == 404

    @pytest.mark.parametrize("cookie", ["", "x", "gAAAA", "a.b.c"])
    def test_cookie_that_the_door_did_not_make_is_nobody(self, door, cookie) -> None:
        answer = httpx.get(f"{door.url}/runs", headers={"cookie": f"hawk_door={cookie}"})

        assert answer.status_code == 401

    def test_sign_in_cookie_is_no_session(self, door) -> None:
        with httpx.Client() as browser:
            browser.get(f"{door.url}/", headers=PAGE)
            stolen = browser.cookies["hawk_door_sign_in"]

        assert httpx.get(f"{door.url}/runs", headers={"cookie": f"hawk_door={stolen}"}).status_code == 401

    def test_signed_out_browser_is_nobody(self, door) -> None:
        with httpx.Client() as browser:
            sign_in(door, browser, "researcher")
            browser.post(f"{door.url}/door/sign-out")

            assert browser.get(f"{door.url}/runs").status_code == 401


class TestWhoMay:
    @pytest.mark.parametrize(
        ("query", "allowed"),
        [
            ("{ version }", {"researcher", "public-user", "admin"}),
            (LAUNCH, {"researcher", "public-user", "admin"}),
            ('mutation { terminateRun(runId: "r") { __typename } }', {"admin"}),
            ('mutation { deleteRun(runId: "r") { __typename } }', {"admin"}),
            ("mutation { reloadWorkspace { __typename } }", {"admin"}),
            ("mutation { becomeRoot }", set()),
        ],
        ids=["view", "launch", "terminate", "wipe", "change", "unknown"],
    )
    @pytest.mark.parametrize("account", [None, "outsider", "public-user", "researcher", "admin"])
    def test_operation_takes_its_right(self, door, account, query, allowed) -> None:
        answer = door.ask(account, query, {"p": {"selector": {"jobName": "import_logs"}}})

        assert answer.status_code == (200 if account in allowed else 401 if account is None else 403)
        assert bool(door.webserver.asked) is (account in allowed)
        if account not in allowed:
            assert answer.json()["errors"][0]["message"]

    @pytest.mark.parametrize("path", ["/", "/runs", "/logs/run/compute/stdout", "/server_info", "/asset-groups"])
    def test_pages_are_seen_by_who_may_view(self, door, path) -> None:
        answers = {
            account: httpx.get(door.url + path, headers=door.headers(account)).status_code
            for account in ("researcher", "outsider", None)
        }

        assert answers == {"researcher": 200, "outsider": 403, None: 401}

    @pytest.mark.parametrize("path", ["/notebook?path=x", "/dagit/notebook", "/download_debug/run"])
    def test_pages_that_show_files_are_for_administrators(self, door, path) -> None:
        assert httpx.get(door.url + path, headers=door.headers("researcher")).status_code == 403
        assert httpx.get(door.url + path, headers=door.headers("admin")).status_code == 200

    @pytest.mark.parametrize("path", ["/report_asset_materialization/a", "/report_asset_check/a", "/anything"])
    def test_other_posts_are_for_administrators(self, door, path) -> None:
        assert httpx.post(door.url + path, json={}, headers=door.headers("researcher")).status_code == 403
        assert httpx.post(door.url + path, json={}, headers=door.headers("admin")).status_code == 200

    def test_job_has_no_business_there(self, door) -> None:
        from datetime import timedelta

        from hawk.auth import mint_job_token

        token = mint_job_token(
            "k" * 40, job_id="a", permissions=["hawk-admin"], created_by="x", lifetime=timedelta(hours=1)
        )

        assert door.ask(None, "{ version }", authorization=f"Bearer {token}").status_code == 403

    @pytest.mark.parametrize(
        "path", ["/x/../graphql", "/./graphql", "//graphql", "/x/%2e%2e/graphql", "/a\\b", "/a%0d%0ab"]
    )
    def test_crooked_paths_lead_nowhere(self, door, path) -> None:
        host, port = urlsplit(door.url).hostname, urlsplit(door.url).port

        async def ask() -> bytes:
            reader, writer = await asyncio.open_connection(host, port)
            token = door.headers("admin")["authorization"]
            writer.write(f"POST {path} HTTP/1.1\r\nhost: x\r\nauthorization: {token}\r\n".encode())
            writer.write(b"content-length: 2\r\nconnection: close\r\ncontent-type: application/json\r\n\r\n{}")
            answer = await reader.read()
            writer.close()
            return answer

        assert asyncio.run(ask()).startswith(b"HTTP/1.1 404")
        assert door.webserver.asked == []

    @pytest.mark.parametrize(
        ("content_type", "method"),
        [
            ("text/plain", "POST"),
            ("application/graphql", "POST"),
            ("application/x-www-form-urlencoded", "POST"),
            ("application/json", "GET"),
        ],
    )
    def test_graphql_comes_as_json_by_post_only(self, door, content_type, method) -> None:
        headers = door.headers("admin") | {"content-type": content_type}

        answer = httpx.request(method, f"{door.url}/graphql?query=%7Bversion%7D", headers=headers, content=b"{}")

        assert answer.status_code == 422
        assert door.webserver.asked == []

    def test_page_of_another_site_cannot_use_the_session(self, door) -> None:
        answer = door.ask("admin", "{ version }", origin="https://evil.example")

        assert answer.status_code == 403
        assert door.webserver.asked == []

    @pytest.mark.parametrize(
        "body",
        [
            b"",
            b"[]",
            b"{",
            b"null",
            b'{"query": 7}',
            b'{"query": "{a}", "variables": []}',
            b'{"query": "{a}", "variables": "["}',
            b"[" * 100_000,
        ],
    )
    def test_hostile_bodies_are_422(self, door, body) -> None:
        headers = door.headers("admin") | {"content-type": "application/json"}

        assert httpx.post(f"{door.url}/graphql", content=body, headers=headers).status_code == 422
        assert door.webserver.asked == []

    def test_webserver_is_asked_what_was_judged_and_nothing_more(self, door) -> None:
        body = b'{"query": "mutation { becomeRoot }", "query": "{ version }", "extensions": {"persisted": 1}}'
        headers = door.headers("researcher") | {"content-type": "application/json"}

        httpx.post(f"{door.url}/graphql?query=mutation%7BbecomeRoot%7D", content=body, headers=headers)

        [asked] = door.webserver.asked
        assert asked["body"] == {"query": "{ version }", "variables": {}, "operationName": None}
        assert asked["query"] == ""


class TestLaunch:
    def test_launch_is_the_persons_and_its_yaml_is_kept_elsewhere(self, door) -> None:
        config = {"tasks": [{"name": "secret-task"}]}
        params = {"selector": {"jobName": "submit_eval_set"}, "runConfigData": config}

        door.ask("researcher", LAUNCH, {"p": params})

        [asked] = door.webserver.asked
        sent = asked["body"]["variables"]["p"]
        tags = {tag["key"]: tag["value"] for tag in sent["executionMetadata"]["tags"]}
        [kept] = [
            row for row in door.rows("select * from ops.launch_stamp") if row["stamp"] == tags["hawk/launch_stamp"]
        ]
        assert "secret-task" not in json.dumps(asked["body"])
        assert sent["runConfigData"] == {"launchpad_order": kept["stamp"]}
        assert tags["hawk/created_by"] == kept["subject"] == "researcher"
        assert kept["config"] == config
        assert set(kept["permissions"]) == {"model-access-public", "model-access-private"}

    def test_acts_and_denials_are_in_the_audit(self, door) -> None:
        door.ask("researcher", LAUNCH, {"p": {"selector": {"jobName": "import_logs"}}})
        door.ask("researcher", 'mutation { deleteRun(runId: "r") { __typename } }')

        denied, allowed = door.rows("select * from ops.audit where door = 'dagster' order by audit_id desc limit 2")

        assert (allowed["action"], allowed["detail"]["job"]) == ("dagster.launch", "import_logs")
        assert (denied["outcome"], denied["detail"]) == ("denied", {"right": "wipe", "path": "deleteRun"})


class TestWebsocket:
    def talk(self, door: DoorUnderTest, message: dict, *, account: str | None, origin: str | None = None) -> dict:
        async def go() -> dict:
            url = door.url.replace("http", "ws", 1) + "/graphql"
            async with websockets.connect(
                url, subprotocols=["graphql-ws"], additional_headers=door.headers(account), origin=origin, proxy=None
            ) as socket:
                await socket.send(json.dumps(message))
                return json.loads(await socket.recv())

        return asyncio.run(go())

    def start(self, query: str) -> dict:
        return {"type": "start", "id": "1", "payload": {"query": query, "variables": {}}}

    def test_subscription_is_passed_on(self, door) -> None:
        answer = self.talk(door, self.start("subscription { capturedLogs { id } }"), account="researcher")

        assert answer["seen"]["payload"]["query"] == "subscription { capturedLogs { id } }"

    def test_other_messages_are_passed_on(self, door) -> None:
        assert self.talk(door, {"type": "connection_init"}, account="researcher")["seen"] == {"type": "connection_init"}

    def test_mutation_is_judged_there_as_well(self, door) -> None:
        answer = self.talk(door, self.start('mutation { deleteRun(runId: "r") { id } }'), account="researcher")

        assert answer["type"] == "error" and "wipe" in answer["payload"]["message"]

    @pytest.mark.parametrize(
        ("account", "origin"), [(None, None), ("outsider", None), ("admin", "https://evil.example")]
    )
    def test_who_may_not_view_is_not_let_in(self, door, account, origin) -> None:
        with pytest.raises(websockets.exceptions.InvalidStatus):
            self.talk(door, {"type": "connection_init"}, account=account, origin=origin)


def test_webserver_that_is_away_is_said_to_be(door, shared_database_url, tmp_path) -> None:
    settings = DoorSettings(
        home=tmp_path,
        database_url=SecretStr(shared_database_url),
        issuer=door.mint._settings.issuer_url,
        job_token_key=SecretStr("k" * 40),
        secret_key=SecretStr(Fernet.generate_key().decode()),
        dagster_webserver_url=f"http://127.0.0.1:{free_port()}",
    )
    with served(create_app(settings), free_port()) as url:
        answer = httpx.get(f"{url}/runs", headers=door.headers("researcher"))

    assert answer.status_code == 503


class TestAuditPage:
    def page(self, door, account: str | None = "admin", **query: str) -> httpx.Response:
        return httpx.get(f"{door.url}/door/audit", params=query, headers=door.headers(account) | PAGE)

    def test_shows_what_was_denied_and_to_whom(self, door) -> None:
        assert door.ask("outsider", "{ runs { id } }").status_code == 403

        text = self.page(door, subject="outsider", outcome="denied").text

        assert "<td>outsider</td>" in text and '<td class="denied">denied</td>' in text
        assert "Nothing like that" in self.page(door, subject="outsider", outcome="allowed").text

    @pytest.mark.parametrize("account", ["researcher", "outsider"])
    def test_is_for_administrators_and_denials_are_written_down(self, door, account) -> None:
        assert self.page(door, account).status_code == 403

        [row] = door.rows(
            "select subject, outcome, detail->>'path' as path from ops.audit order by audit_id desc limit 1"
        )
        assert row == {"subject": account, "outcome": "denied", "path": "/door/audit"}

    def test_nobody_is_sent_to_sign_in(self, door) -> None:
        assert self.page(door, None).headers["location"].startswith("http")
        assert not door.webserver.asked

    def test_texts_of_strangers_are_only_text(self, door) -> None:
        door.ask("admin", LAUNCH, {"p": {"selector": {"jobName": "<script>alert(1)</script>"}}})
        answer = self.page(door, subject='"><img src=x>')

        for text in (answer.text, self.page(door, action="dagster.launch").text):
            assert "<script>" not in text and "<img" not in text
        assert answer.headers["content-security-policy"].startswith("default-src 'none'")

    @pytest.mark.parametrize("before", ["x", "-1", "9" * 30, "1'"])
    def test_page_that_cannot_be_meant_is_the_first(self, door, before) -> None:
        assert self.page(door, before=before).status_code == 200
