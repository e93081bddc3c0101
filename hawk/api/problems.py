"""Every error answer: an RFC 9457 problem, without stack traces, paths of this machine or secrets."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse
from starlette.concurrency import run_in_threadpool
from starlette.exceptions import HTTPException

from hawk.api.contracts import ProblemResponse
from hawk.api.request_audit import Withheld, record_denial
from hawk.errors import ConfigError, HawkError, TooManyRequests

MEDIA_TYPE = "application/problem+json"
MAX_PROBLEMS = 100


def install_problem_handlers(app: FastAPI) -> None:
    """Let the app answer its expected errors with problems; hawk.api.request_context answers the unexpected."""
    app.add_exception_handler(HawkError, _on_hawk_error)
    app.add_exception_handler(RequestValidationError, _on_validation_error)
    app.add_exception_handler(HTTPException, _on_http_exception)


def problem_response(problem: ProblemResponse, headers: dict[str, str] | None = None) -> JSONResponse:
    return JSONResponse(
        problem.model_dump(mode="json"), status_code=problem.status, media_type=MEDIA_TYPE, headers=headers
    )


def unexpected_problem(request_id: str) -> ProblemResponse:
    """Return what a caller learns of an error that nobody foresaw: only how to find it in the log."""
    return ProblemResponse(
        title="Internal Server Error",
        status=500,
        detail="Something went wrong that should not.",
        hint=f"Tell whoever runs this server the request id {request_id}.",
        request_id=request_id,
    )


async def _on_hawk_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HawkError)
    if error.http_status == 500:
        raise error
    if error.http_status == 403 or isinstance(error, Withheld):
        await run_in_threadpool(record_denial, request, error)
    problem = ProblemResponse(
        title=HTTPStatus(error.http_status).phrase,
        status=error.http_status,
        detail=error.message if not isinstance(error, ConfigError) else "The config cannot be used.",
        hint=error.hint,
        field=error.field,
        request_id=_request_id(request),
        problems=_config_problems(error) if isinstance(error, ConfigError) else [],
    )
    return problem_response(problem, _headers(error))


async def _on_validation_error(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    faults = error.errors()
    problem = ProblemResponse(
        title=HTTPStatus(422).phrase,
        status=422,
        detail="The request cannot be understood.",
        hint="; ".join(f"{_place(fault['loc'])}: {fault['msg']}" for fault in faults[:3]),
        field=_place(faults[0]["loc"]) if faults else "",
        request_id=_request_id(request),
        # Never the input itself: it may hold secrets.
        problems=[{"path": _place(fault["loc"]), "message": fault["msg"]} for fault in faults[:MAX_PROBLEMS]],
    )
    return problem_response(problem)


async def _on_http_exception(request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, HTTPException)
    phrase = HTTPStatus(error.status_code).phrase
    problem = ProblemResponse(
        title=phrase,
        status=error.status_code,
        detail="" if error.detail == phrase else str(error.detail),
        request_id=_request_id(request),
    )
    return problem_response(problem, dict(error.headers) if error.headers else None)


def _headers(error: HawkError) -> dict[str, str] | None:
    if error.http_status == 401:
        return {"www-authenticate": "Bearer"}
    if isinstance(error, TooManyRequests) and isinstance(error.value, int):
        return {"retry-after": str(error.value)}
    return None


def _config_problems(error: ConfigError) -> list[dict[str, Any]]:
    return [
        {
            "path": ".".join(str(part) for part in problem.path),
            "line": problem.line,
            "column": problem.column,
            "message": problem.message,
            "hint": problem.hint,
        }
        for problem in error.problems[:MAX_PROBLEMS]
    ]


def _place(location: Sequence[str | int]) -> str:
    parts = location[1:] if location and location[0] in {"body", "query", "path", "header"} else location
    return ".".join(str(part) for part in parts) or str(location[0] if location else "")


def _request_id(request: Request) -> str:
    return str(request.scope.get("hawk.request_id", ""))
