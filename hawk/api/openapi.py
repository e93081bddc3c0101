"""The API's description of itself: what each route takes and answers, its problems included."""

from collections.abc import Callable
from typing import Any

from fastapi import FastAPI
from fastapi.openapi.utils import get_openapi

from hawk.api.contracts import ProblemResponse
from hawk.api.problems import MEDIA_TYPE

METHODS = ("get", "put", "post", "delete", "patch")
# What any route may answer instead; RFC 9457.
PROBLEMS = {
    "400": "The request cannot be read.",
    "401": "No token, or one that does not hold.",
    "404": "There is no such thing, or the caller may not know of it.",
    "422": "Something in the request cannot be used; `field` says what.",
    "429": "Asked too often, or too much at a time.",
    "500": "An error that nobody foresaw.",
    "503": "Something that the API leans on does not answer; try again.",
}
OF_THE_SIGNED_IN = {
    "403": "The caller may not do this.",
}
OF_CHANGES = {
    "409": "It stands in the way of another, or is in a state that forbids this.",
    "413": "The body is too large.",
}
DESCRIPTION = """\
Launch evaluations, look at their results, and keep the models.

Send an access token as `Authorization: Bearer …`; `hawk auth access-token` prints one. Every error is a problem of
RFC 9457 with the field at fault and the request's id, which is also in the header `x-request-id`. Lists are given in
pages: `next_cursor` of one is `cursor` of the next.
"""


def describe(app: FastAPI) -> Callable[[], dict[str, Any]]:
    """Return a function that makes the description once."""

    def openapi() -> dict[str, Any]:
        if app.openapi_schema is None:
            made = get_openapi(title=app.title, version=app.version, description=DESCRIPTION, routes=app.routes)
            app.openapi_schema = _with_problems(made)
        return app.openapi_schema

    return openapi


def _with_problems(description: dict[str, Any]) -> dict[str, Any]:
    schemas = description["components"]["schemas"]
    schemas["ProblemResponse"] = ProblemResponse.model_json_schema(ref_template="#/components/schemas/{model}")
    for name in ("HTTPValidationError", "ValidationError"):  # FastAPI's own, which never comes
        schemas.pop(name, None)
    for path in description["paths"].values():
        for method, operation in path.items():
            if method in METHODS:
                operation["responses"].pop("422", None)
                for status, meaning in _problems_of(method, operation).items():
                    operation["responses"].setdefault(status, _problem(meaning))
    return description


def _problems_of(method: str, operation: dict[str, Any]) -> dict[str, str]:
    return {
        **PROBLEMS,
        **(OF_THE_SIGNED_IN if "security" in operation else {}),
        **(OF_CHANGES if method != "get" else {}),
    }


def _problem(meaning: str) -> dict[str, Any]:
    reference = {"$ref": "#/components/schemas/ProblemResponse"}
    return {"description": meaning, "content": {MEDIA_TYPE: {"schema": reference}}}
