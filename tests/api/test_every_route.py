"""Every route of the API before every kind of caller: a route that is not in the table fails here."""

import base64
import json
import re
import time
from collections.abc import Callable
from datetime import timedelta

import pytest
from fastapi.routing import APIRoute
from joserfc import jwt
from joserfc.jwk import RSAKey

from hawk.api.app import NOUNS
from hawk.auth import mint_job_token
from tests.fakes.hawk_api import PRIVATE, PUBLIC, HawkApi, config_of

OPEN = {"/health/live", "/health/ready", "/version", "/auth/config", "/view/open", "/view/open.js", "/view/logs/"}
# Anybody may ask, and gets nothing for it: a code to be exchanged, files of the viewer's page that are there.
ASKED_BY_ANYBODY = {("POST", "/view/session"), ("GET", "/view/logs/assets/{name}")}
OF_A_SET = re.compile(r"/eval_sets/\{eval_set_id\}")
FOR_ADMINISTRATORS = re.compile(r"/admin/|/audit$")
FOR_EVERYBODY = {
    ("GET", "/models"),
    ("POST", "/plan"),
    ("GET", "/usage"),
    ("GET", "/usage/live"),
    ("GET", "/usage/limits"),
    ("POST", "/eval_sets"),
    ("GET", "/eval_sets"),
    ("POST", "/imports"),
    ("PUT", "/imports/uploads/{upload_id}/parts/{number}"),
    ("POST", "/imports/uploads/{upload_id}/finish"),
    ("POST", "/token"),
    ("GET", "/why"),
    ("GET", "/benchmarks"),
    ("POST", "/view/sessions"),
    ("GET", "/evals"),
    ("GET", "/evals/{eval_id}"),
    ("GET", "/samples"),
    ("GET", "/samples/{sample_uuid}"),
    ("GET", "/jobs"),
    ("POST", "/edits"),
    ("GET", "/edits"),
    ("GET", "/edits/{edit_request_id}"),
    ("POST", "/edits/{edit_request_id}/approve"),
    ("POST", "/edits/{edit_request_id}/reject"),
}
# A job has its own credentials for its folder; these are for people, and for browsers of theirs.
LOGS_OF_A_SET = re.compile(r"/eval_sets/\{eval_set_id\}/(files|transcripts)")
LOGS_OF_PEOPLE = re.compile(r"/(view/logs|api)/|/view/session$|/samples/\{sample_uuid\}/(transcript|raw)$")
ROUTES = [
    (method, route.path)
    for noun in NOUNS
    for route in noun.router.routes
    if isinstance(route, APIRoute)
    for method in sorted(route.methods)
]
GUARDED = [route for route in ROUTES if route[1] not in OPEN and route not in ASKED_BY_ANYBODY]
VALUES = {
    "eval_set_id": "mine",
    "upload_id": "0",
    "number": "1",
    "scope": "user",
    "period": "day",
    "log": "mine/some.eval",
}
QUERIES = {"/files/url": "name=some.eval", "/files/content": "name=some.eval", "/log-bytes/": "start=0&end=1"}

Token = Callable[[HawkApi], str]


def unsigned(claims: dict) -> str:
    def part(value: dict) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part({'alg': 'none', 'typ': 'at+jwt'})}.{part(claims)}."


def signed_by_a_stranger(api: HawkApi) -> str:
    claims = {"iss": api.settings.issuer, "aud": "hawk", "sub": "admin", "exp": int(time.time()) + 600}
    # The header names the issuer's own key.
    header = json.loads(base64.urlsafe_b64decode(api.token().split(".")[0] + "=="))
    return jwt.encode(header, {**claims, "permissions": ["hawk-admin", PRIVATE]}, RSAKey.generate_key(2048))


NOBODY: dict[str, Token | None] = {
    "no token": None,
    "nonsense": lambda api: "a.b.c",
    "expired": lambda api: api.expired_token(),
    "wrong issuer": lambda api: api.signed(iss="https://evil.example", permissions=["hawk-admin", PRIVATE]),
    "wrong audience": lambda api: api.signed(aud="other", permissions=["hawk-admin", PRIVATE]),
    "no algorithm": lambda api: unsigned({"iss": api.settings.issuer, "aud": "hawk", "sub": "a", "exp": 2**33}),
    "ID token": lambda api: api.signed(token_type="JWT", nonce="n", permissions=["hawk-admin", PRIVATE]),
    "signed by a stranger": signed_by_a_stranger,
}
SOMEBODY: dict[str, Token] = {
    "reader": lambda api: api.signed(sub="reader", permissions=[f"{PRIVATE}:read", f"{PUBLIC}:read"]),
    "no groups": lambda api: api.signed(sub="outsider", permissions=[]),
    "other group": lambda api: api.signed(sub="bob", permissions=[PUBLIC]),
    "not the owner": lambda api: api.signed(sub="carol", permissions=[PUBLIC, PRIVATE]),
    "job": lambda api: mint_job_token(
        api.settings.job_token_key,
        job_id="mine",
        permissions=[PRIVATE],
        created_by="researcher",
        lifetime=timedelta(hours=1),
    ),
    "admin without groups": lambda api: api.signed(sub="root", permissions=["hawk-admin"]),
    "owner": lambda api: api.signed(permissions=[PUBLIC, PRIVATE]),
    "admin": lambda api: api.signed(sub="root", permissions=["hawk-admin", PUBLIC, PRIVATE]),
}
READS_SETS = {"reader", "not the owner", "job", "owner", "admin"}
CHANGES_SETS = {"owner", "admin"}
ADMINS = {"admin without groups", "admin"}


def by_name(route: tuple[str, str]) -> str:
    return " ".join(route)


def ask(client, route: tuple[str, str], token: str | None):
    method, path = route
    path = re.sub(r"\{(\w+)(:path)?\}", lambda match: VALUES.get(match[1], "some/name" if match[2] else "some"), path)
    path += "".join(f"?{query}" for part, query in QUERIES.items() if part in path)
    headers = {"authorization": f"Bearer {token}"} if token is not None else {}
    return client.request(method, path, headers=headers, json=None if method == "GET" else {})


def status_allowed(name: str, route: tuple[str, str], status: int) -> bool:
    """Say whether this is how the route should answer this caller; past the door an empty body is 404, 409 or 422."""
    method, path = route
    if FOR_ADMINISTRATORS.search(path) or (path.startswith("/benchmarks/") and method != "GET"):
        return status not in (401, 403) if name in ADMINS else status == 403
    if LOGS_OF_PEOPLE.search(path) or LOGS_OF_A_SET.match(path):
        is_of_oneself = path.endswith(("/view/session", "/user-info"))
        if name == "job" or (method != "GET" and not is_of_oneself):
            return status == 403
        if is_of_oneself:
            return status in (200, 204)
        # There is no log yet; who may not see the set is told no more than that.
        return status == 404 if name not in READS_SETS else status in (200, 404)
    if OF_A_SET.match(path):
        if name not in READS_SETS:
            # A job is told first that changing is not for jobs.
            return status == 404
        if method == "GET":
            return status in (200, 404)
        return status in (200, 202, 409, 422) if name in CHANGES_SETS else status == 403
    assert route in FOR_EVERYBODY, f"{method} {path} is not in the table"
    is_for_people = (method != "GET" and route != ("POST", "/token")) or path in ("/why", "/benchmarks")
    is_for_people = is_for_people or path.startswith("/edits")
    if name == "job" and is_for_people:
        return status == 403
    return status != 401


@pytest.mark.parametrize("path", sorted(OPEN))
def test_open_routes_need_no_token(client, path):
    assert client.get(path).status_code == 200


@pytest.mark.parametrize("route", GUARDED, ids=by_name)
def test_nobody_passes(client, hawk_api, route):
    answers = {name: ask(client, route, token and token(hawk_api)) for name, token in NOBODY.items()}

    assert {name: answer.status_code for name, answer in answers.items()} == dict.fromkeys(NOBODY, 401)


@pytest.mark.parametrize("route", GUARDED, ids=by_name)
def test_everybody_gets_what_the_table_says(client, hawk_api, route):
    body = {"config": config_of("openai/secret"), "eval_set_id": "mine"}
    assert client.post("/eval_sets", json=body, headers=hawk_api.headers()).status_code == 201

    statuses = {name: ask(client, route, token(hawk_api)).status_code for name, token in SOMEBODY.items()}

    wrong = {name: status for name, status in statuses.items() if not status_allowed(name, route, status)}
    assert wrong == {}
