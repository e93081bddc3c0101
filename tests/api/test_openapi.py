"""The real API against its own description: Schemathesis makes requests of it, right ones and wrong ones."""

import re

import pytest
import schemathesis
from fastapi.routing import APIRoute
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.errors import Unsatisfiable
from schemathesis import GenerationMode
from schemathesis.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)
from starlette.types import ASGIApp, Receive, Scope, Send

from hawk.api.app import NOUNS
from tests.fakes.hawk_api import HawkApi, config_of

EXAMPLES = 3  # right ones and wrong ones of each operation; the more, the longer


def no_error_that_nobody_foresaw(context, response, case) -> None:
    assert response.status_code != 500  # 503 says that something else is away, which it is


CHECKS = [
    no_error_that_nobody_foresaw,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
OPERATIONS = sorted(
    {
        (method, re.sub(r":path\}", "}", route.path))
        for noun in NOUNS
        for route in noun.router.routes
        if isinstance(route, APIRoute) and route.include_in_schema
        for method in route.methods
    }
)


class Running:
    """An app that runs already: Schemathesis would start and end it around each test."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            await self._app(scope, receive, send)
            return
        for step in ("startup", "shutdown"):
            await receive()
            await send({"type": f"lifespan.{step}.complete"})


@pytest.fixture(scope="module")
def described(shared_api: HawkApi):
    """Return the description, of an API that has something to find: an eval set `mine`."""
    shared_api.clear()
    shared_api.services.database.open()
    schema = schemathesis.openapi.from_asgi("/openapi.json", Running(shared_api.app))
    made = schema["/eval_sets"]["POST"].Case(
        body={"config": config_of(eval_set_id="mine")}, media_type="application/json"
    )
    assert made.call(headers=shared_api.headers("admin")).status_code == 201
    return schema


@pytest.mark.parametrize("operation", OPERATIONS, ids=" ".join)
@pytest.mark.parametrize("mode", [GenerationMode.POSITIVE, GenerationMode.NEGATIVE], ids=lambda mode: mode.value)
def test_operation_does_what_it_says(described, shared_api: HawkApi, operation, mode) -> None:
    method, path = operation
    headers = shared_api.headers("admin")

    @settings(
        max_examples=EXAMPLES,
        deadline=None,
        database=None,
        derandomize=True,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )
    @given(case=described[path][method].as_strategy(generation_mode=mode))
    def ask(case: schemathesis.Case) -> None:
        case.call_and_validate(headers=headers, checks=CHECKS)

    try:
        ask()
    except Unsatisfiable:
        pytest.skip("it takes nothing that could be wrong")


def test_every_operation_names_its_problems_and_who_may_call(described) -> None:
    paths = described.raw_schema["paths"]
    operations = {(method, path): each for path, of in paths.items() for method, each in of.items()}

    for (method, path), operation in operations.items():
        assert operation["summary"] and operation["description"], f"{method} {path} is not described"
        problems = {status for status, each in operation["responses"].items() if "problem+json" in str(each)}
        assert {"401", "404", "422", "429", "500"} <= problems
        assert ("403" in problems) == ("security" in operation)
