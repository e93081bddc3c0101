"""Sets members of JSON objects by splicing bytes: what is not set stays as it was written, to the last digit."""

import json
import re
from collections.abc import Mapping
from typing import Any

from hawk.warehouse.log_archive import BrokenLog

type Span = tuple[int, int]

_TOKEN = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|[{}\[\],:]', re.DOTALL)
_SPACE = b" \t\r\n"


def members_of(document: bytes, begin: int = 0) -> tuple[dict[str, Span], int]:
    """Return where each member's value lies in the object that begins there, and where the object ends.

    Of members with the same name the last counts, as for every reader. Raises BrokenLog where it is no object.
    """
    found: dict[str, Span] = {}
    depth, name, value_begin = 0, None, 0
    for token in _TOKEN.finditer(document, begin):
        kind = token[0][:1]
        if kind in b"}],":
            if depth == 1 and name is not None:
                found[name] = _stripped(document, value_begin, token.start())
                name = None
            if kind != b",":
                depth -= 1
                if depth == 0:
                    return found, token.end()
        elif kind in b"{[":
            if depth == 0 and (kind != b"{" or document[begin : token.start()].strip(_SPACE)):
                break
            depth += 1
        elif depth == 0:
            break
        elif kind == b'"' and depth == 1 and name is None:
            name = _text(token[0])
        elif kind == b":" and depth == 1:
            value_begin = token.end()
    raise BrokenLog("The log's header is no complete JSON object.")


def with_members(document: bytes, values: Mapping[str, Any], begin: int = 0) -> bytes:
    """Return the document with members of the object that begins there set: replaced, or added at its end."""
    members, end = members_of(document, begin)
    edits = {members[name]: _json(value) for name, value in values.items() if name in members}
    added = {name: value for name, value in values.items() if name not in members}
    if added:
        comma = b"," if members else b""
        text = b",".join(_json(name) + b":" + _json(value) for name, value in added.items())
        edits[end - 1, end - 1] = comma + text
    return spliced(document, edits)


def spliced(document: bytes, edits: Mapping[Span, bytes]) -> bytes:
    """Return the document with spans of it replaced; none of them overlap."""
    parts: list[bytes] = []
    position = 0
    for (begin, end), text in sorted(edits.items()):
        parts += (document[position:begin], text)
        position = end
    return b"".join((*parts, document[position:]))


def is_object(document: bytes, span: Span) -> bool:
    return document[span[0] : span[0] + 1] == b"{"


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


def _text(token: bytes) -> str:
    try:
        return str(json.loads(token))
    except ValueError:  # no name that anybody looks for
        return token.decode("utf-8", "replace")


def _stripped(document: bytes, begin: int, end: int) -> Span:
    while begin < end and document[begin] in _SPACE:
        begin += 1
    while end > begin and document[end - 1] in _SPACE:
        end -= 1
    return begin, end
