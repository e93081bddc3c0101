"""Refuses JSON that is nested deeper than anything here is, before Python descends into it."""

import email.message
from typing import Any

from pydantic_core import from_json
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import Message, Receive, Scope

MAX_DEPTH = 200  # what pydantic's parser descends; a config may have 64 levels, see hawk.config.node


def shallow(receive: Receive, scope: Scope) -> Receive:
    """Return a receive that gives a JSON body in one piece, once it is known not to be too deep.

    What is wrong with it otherwise is left to whoever reads it. The body's size is limited already.
    """
    if not _is_json(Headers(scope=scope).get("content-type", "")):
        return receive
    given = False

    async def receive_shallow() -> Message:
        nonlocal given
        if given:
            return await receive()
        given = True
        body = bytearray()
        while True:
            message = await receive()
            if message["type"] != "http.request":
                return message
            body += message.get("body", b"")
            if not message.get("more_body", False):
                break
        _check_depth(bytes(body))
        whole: dict[str, Any] = {"type": "http.request", "body": bytes(body), "more_body": False}
        return whole

    return receive_shallow


def _check_depth(body: bytes) -> None:
    try:
        from_json(body)
    except ValueError as error:
        if "recursion limit" in str(error):
            raise HTTPException(422, f"The body is nested more than {MAX_DEPTH} levels deep.") from error


def _is_json(content_type: str) -> bool:
    if not content_type:  # may be taken for JSON
        return True
    message = email.message.Message()
    message["content-type"] = content_type
    subtype = message.get_content_subtype()
    return subtype == "json" or subtype.endswith("+json")
