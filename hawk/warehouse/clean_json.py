"""Makes JSON that Inspect can write fit for what reads it next: strict JSON parsers and Postgres.

Inspect writes NaN and Infinity as bare words; models and tools put NUL characters and halves of surrogate pairs into
strings. None of them may stand in jsonb. Everything else passes unchanged, at the cost of a search through the bytes.
"""

import re
from collections.abc import Iterable, Iterator

# Strings are matched whole so that the words inside them stay.
_STRING_OR_CONSTANT = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+(?:"|\Z)|-?Infinity|-?NaN', re.DOTALL)
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
_HIGH_HALF = re.compile(rb"\\u[dD][89abAB][0-9a-fA-F]{2}")


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


def clean_pieces(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what `clean_json` makes of the pieces joined, holding little more than one of them at a time."""
    is_in_string = False
    for text in _apart(pieces):
        yield _clean_piece(text, is_in_string)
        is_in_string ^= _ends_the_other_way(text)


def clean_string_pieces(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield what `clean_strings` makes of the pieces joined, holding little more than one of them at a time."""
    return map(clean_strings, _apart(pieces))


def _apart(pieces: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the same text in pieces that begin and end between characters."""
    held = b""
    for piece in pieces:
        text = held + piece
        cut = _safe_cut(text)
        held = text[cut:]
        yield text[:cut]
    yield held


def _clean_piece(text: bytes, is_in_string: bool) -> bytes:
    text = clean_strings(text)
    if not is_in_string:
        return without_odd_constants(text) or text
    cleaned = without_odd_constants(b'"' + text)
    return text if cleaned is None else cleaned[1:]


def _ends_the_other_way(text: bytes) -> bool:
    """Say whether a text that begins outside a string ends inside one, or the other way round."""
    if b"\\" in text:
        text = text.replace(b"\\\\", b"")
    return bool((text.count(b'"') - text.count(b'\\"')) % 2)


def _safe_cut(text: bytes) -> int:
    """Return where a text that begins between characters may be cut without parting an escape, pair or constant."""
    mark = max(text.rfind(b'"'), text.rfind(b","))
    if mark >= 0:
        return mark + 1
    # In the middle of one long string, or of white space.
    backslash = text.rfind(b"\\")
    if backslash >= 0 and len(text) - 12 <= backslash:
        begin = len(text[: backslash + 1].rstrip(b"\\"))
        if begin == 0 and backslash == len(text) - 1:
            return len(text) // 2 * 2  # nothing but backslashes, which go in pairs
        return begin - 6 if _HIGH_HALF.fullmatch(text[max(begin - 6, 0) : begin]) else begin
    constant_bytes = len(text) - len(text.rstrip(b"-NaInfity"))
    if 0 < constant_bytes < len(b"-Infinity"):
        return len(text) - constant_bytes
    end = len(text)
    while end > 0 and len(text) - end < 4 and text[end - 1] & 0xC0 == 0x80:
        end -= 1
    return end - 1 if end > 0 and text[end - 1] >= 0xC0 else len(text)


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
