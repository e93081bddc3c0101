"""How single values of a log become values of columns: numbers, times, texts, tokens. Pure."""

import math
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Raw

from hawk.warehouse.raw_json import is_container, is_given, is_string
from hawk.warehouse.records import ContentRecord, UsageRecord

TOKEN_FIELDS = (
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "reasoning_tokens",
    "input_tokens_cache_read",
    "input_tokens_cache_write",
)
# `tc://` is how logs of October 2024 wrote it.
ATTACHMENT_PROTOCOLS = ("attachment://", "tc://")

_GRADES_AS_NUMBERS = {"C": 1.0, "P": 0.5, "I": 0.0, "N": 0.0}
_WORDS_AS_NUMBERS = {"yes": 1.0, "true": 1.0, "no": 0.0, "false": 0.0}

_decode_any = msgspec.json.Decoder().decode
_decode_text = msgspec.json.Decoder(str).decode
_decode_content = msgspec.json.Decoder(ContentRecord | str).decode

Find = Callable[[str], str | None]  # gives the attachment of a hash


def value_number(value: Raw) -> float | None:
    """Return a score's value as Inspect's value_to_float has it; None where that would warn and say 0."""
    if not is_given(value) or is_container(value):
        return None
    try:
        scalar: Any = _decode_any(value)
    except msgspec.ValidationError:
        return None  # a number beyond a double's range
    if not isinstance(scalar, str):
        return finite(scalar)
    if scalar in _GRADES_AS_NUMBERS:
        return _GRADES_AS_NUMBERS[scalar]
    if scalar.lower() in _WORDS_AS_NUMBERS:
        return _WORDS_AS_NUMBERS[scalar.lower()]
    try:
        return finite(float(scalar))
    except ValueError:
        return None


def finite(value: float | None) -> float | None:
    """Return the number as a float; None where there is none, or SQL could not compare it."""
    if value is None:
        return None
    try:
        number = float(value)
    except OverflowError:
        return None
    return number if math.isfinite(number) else None


def moment(text: str | None) -> datetime | None:
    """Return an ISO time, UTC where it names no zone as Inspect reads it; None where it is empty or no time."""
    if not text:
        return None
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)


def content_text(content: str | list[Raw] | None, attachment: Find) -> str | None:
    """Return a message's content as text: itself, or its text parts joined by newlines; attachments put in."""
    if content is None or isinstance(content, str):
        return content and resolved(content, attachment)
    texts = []
    for data in content:
        part = _decode_content(data)
        if isinstance(part, str):
            texts.append(part)
        elif part.type == "text":
            texts.append(part.text or "")
    return "\n".join(resolved(text, attachment) for text in texts)


def resolved(text: str, attachment: Find) -> str:
    """Return the attachment that a text refers to, or the text itself."""
    if text.startswith(ATTACHMENT_PROTOCOLS):
        found = attachment(text[text.index("://") + 3 :])
        return text if found is None else found
    return text


def string(value: Raw) -> str | None:
    """Return JSON that is one string as such, None where it is anything else."""
    return _decode_text(value) if is_string(value) else None


def json_list(parts: Iterable[Raw]) -> bytes:
    """Return the list of JSON values as JSON."""
    return b"[%b]" % b",".join(parts)


def usage_columns(usage: UsageRecord) -> dict[str, Any]:
    """Return the token and cost columns of one model's usage."""
    return {name: getattr(usage, name) for name in TOKEN_FIELDS} | {"total_cost_usd": finite(usage.total_cost)}


def total_tokens(usages: Iterable[UsageRecord]) -> dict[str, int | None]:
    """Return the token columns of several models together; None where none of them counted that kind."""
    entries = list(usages)
    totals: dict[str, int | None] = {}
    for name in TOKEN_FIELDS:
        counted = [count for entry in entries if (count := getattr(entry, name)) is not None]
        totals[name] = sum(counted) if counted else None
    return totals
