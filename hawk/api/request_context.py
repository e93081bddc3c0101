"""What every request has: an id, a line in the access log, a limit to its body, and an answer even to a bug."""

import logging
import re
import time
import uuid
from typing import Any

from starlette.datastructures import Headers, MutableHeaders
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from hawk.api.json_bodies import shallow
from hawk.api.problems import problem_response, unexpected_problem
from hawk.naming import CLIENT_VERSION_HEADER, REQUEST_ID_HEADER, SERVER_VERSION_HEADER

# Room for a config of 1 MiB with its secrets.
MAX_BODY_BYTES = 8 * 1024 * 1024

_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,128}")
_UNPRINTABLE = re.compile(r"[^\x20-\x7e]")

logger = logging.getLogger(__name__)


class RequestContext:
    """The outermost middleware; believes a caller's request id where it is harmless, else makes one."""

    def __init__(self, app: ASGIApp, *, version: str, max_body_bytes: int = MAX_BODY_BYTES) -> None:
        self._app = app
        self._version = version
        self._max_body_bytes = max_body_bytes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        given_id = Headers(scope=scope).get(REQUEST_ID_HEADER, "")
        request_id = given_id if _REQUEST_ID.fullmatch(given_id) else uuid.uuid4().hex
        scope["hawk.request_id"] = request_id
        started = time.perf_counter()
        status: int | None = None

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableHeaders(scope=message)
                headers[REQUEST_ID_HEADER] = request_id
                headers[SERVER_VERSION_HEADER] = self._version
                headers["x-content-type-options"] = "nosniff"
                headers.setdefault("cache-control", "no-store")
            await send(message)

        try:
            limited = _limited(receive, scope, self._max_body_bytes)
            await self._app(scope, shallow(limited, scope), send_with_headers)
        except Exception:
            logger.exception("request failed unexpectedly", extra={"request_id": request_id, "path": _path(scope)})
            if status is not None:
                raise
            await problem_response(unexpected_problem(request_id))(scope, receive, send_with_headers)
        finally:
            _log(scope, status, seconds=time.perf_counter() - started)


def _limited(receive: Receive, scope: Scope, limit: int) -> Receive:
    """Return a receive that ends a body over the limit with 413, whether its length was told or not."""
    seen = 0
    told = Headers(scope=scope).get("content-length", "")

    async def receive_limited() -> Message:
        nonlocal seen
        if told.isdecimal() and int(told) > limit:
            raise _too_large(limit)
        message = await receive()
        seen += len(message.get("body", b""))
        if seen > limit:
            raise _too_large(limit)
        return message

    return receive_limited


def _too_large(limit: int) -> HTTPException:
    return HTTPException(413, f"The body is larger than {limit} bytes.")


def _log(scope: Scope, status: int | None, *, seconds: float) -> None:
    fields: dict[str, Any] = {
        "request_id": scope["hawk.request_id"],
        "method": scope["method"],
        "path": _path(scope),
        "status": status,
        "subject": scope.get("hawk.subject"),
        "client_version": Headers(scope=scope).get(CLIENT_VERSION_HEADER),
        "milliseconds": round(seconds * 1000, 1),
    }
    # Plain text for people; the fields go along for structured handlers.
    logger.info("request %s", " ".join(f"{key}={_clean(value)}" for key, value in fields.items()), extra=fields)


def _path(scope: Scope) -> str:
    return str(scope.get("path", ""))


def _clean(value: object) -> str:
    return _UNPRINTABLE.sub("?", str(value))[:300]
