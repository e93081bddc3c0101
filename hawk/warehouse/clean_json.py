"""Makes JSON that Inspect can write fit for what reads it next: strict JSON parsers and Postgres.

Inspect writes NaN and Infinity as bare words; models and tools put NUL characters and halves of surrogate pairs into
strings. None of them may stand in jsonb. Everything else passes unchanged, at the cost of a search through the bytes.
"""

import re

# Strings are matched whole so that the words inside them stay.
_STRING_OR_CONSTANT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"|-?Infinity|-?NaN', re.DOTALL)
# What may have to be changed; a pair of surrogates is found too, and left.
_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")
# A pair of surrogates, NUL, half a pair, any other escape; in this order.
_ESCAPE = re.compile(
    rb"\\u[dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2}"
    rb"|(?P<nul>\\u0000)"
    rb"|(?P<half>\\u[dD][89a-fA-F][0-9a-fA-F]{2})"
    rb"|\\.",
    re.DOTALL,
)


def clean_json(data: bytes) -> bytes:
    """Return the JSON with NaN and infinities as null, NUL removed, and what is no Unicode as U+FFFD."""
    text = clean_strings(data)
    cleaned = without_odd_constants(text)
    return text if cleaned is None else cleaned


def clean_strings(data: bytes) -> bytes:
    """Return the JSON with NUL removed, and what is no Unicode as U+FFFD; its numbers as they are."""
    text = data if _is_utf8(data) else data.decode("utf-8", "replace").encode()
    return _ESCAPE.sub(_clean_escape, text) if _SUSPECT.search(text) else text


def without_odd_constants(data: bytes) -> bytes | None:
    """Return the JSON with NaN and infinities as null; None where it has neither. Parsers refuse them, so ask then."""
    if b"NaN" not in data and b"Infinity" not in data:
        return None
    return _STRING_OR_CONSTANT.sub(_clean_constant, data)


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    try:
        data.decode()
    except UnicodeDecodeError:
        return False
    return True


def _clean_escape(found: re.Match[bytes]) -> bytes:
    if found["nul"]:
        return b""
    return b"\\ufffd" if found["half"] else found[0]


def _clean_constant(found: re.Match[bytes]) -> bytes:
    return found[0] if found[0].startswith(b'"') else b"null"
