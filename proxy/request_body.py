"""What a request body says that the proxy must know, found without parsing the rest of it.

The provider reads the same bytes with another parser, so a body that two parsers could read differently (a field
twice, in other letters, with escapes) is refused rather than guessed at.
"""

import json
import re
from dataclasses import dataclass
from typing import Any

import msgspec

from proxy.paths import ProviderKind
from proxy.refusals import Reason, Refusal

# A key that reads `model` or `models`, whatever escapes and letter case it is written with.
_MODEL_KEY = re.compile(
    rb'"(?:m|\\u00[46]d)(?:o|\\u00[46]f)(?:d|\\u00[46]4)(?:e|\\u00[46]5)(?:l|\\u00[46]c)(?:s|\\u00[57]3)?"\s*:',
    re.IGNORECASE,
)
_MODEL_VALUE = re.compile(rb'"model"\s*:\s*("(?:[^"\\]|\\.)*")', re.DOTALL)
_PLAIN_KEYS = frozenset({b"model", b"models"})
# A whole string, or a bracket: enough to know how deep a key stands.
_STRUCTURE = re.compile(rb'"(?:[^"\\]|\\.)*"|[{}\[\]]', re.DOTALL)
MOST_ANSWERS = 128  # `n` of OpenAI

Body = bytes | bytearray  # of one piece, or of many
BodyPart = Body | memoryview


@dataclass(frozen=True, slots=True)
class BodyFacts:
    """Models that may answer, the first wanted most, and the most tokens that the answer may have, None if unsaid."""

    models: tuple[str, ...]
    output_tokens: int | None = None


class _Generation(msgspec.Struct):
    maxOutputTokens: Any = None  # noqa: N815  # Google's spelling


class _Body(msgspec.Struct):
    model: Any = msgspec.UNSET
    models: Any = msgspec.UNSET
    preset: Any = msgspec.UNSET
    max_tokens: Any = None
    max_completion_tokens: Any = None
    max_output_tokens: Any = None
    n: Any = None


class _GoogleBody(msgspec.Struct):
    generationConfig: _Generation | None = None  # noqa: N815  # Google's spelling
    generation_config: _Generation | None = None


_DECODER = msgspec.json.Decoder(_Body)
_GOOGLE_DECODER = msgspec.json.Decoder(_GoogleBody)


def body_facts(body: Body) -> BodyFacts:
    """Return what a body says of itself; models are `model`, and OpenRouter's fallbacks `models`.

    Raises Refusal where the body is not a JSON object that names its model once, plainly.
    """
    fields = _decoded(body)
    keys = _MODEL_KEY.findall(body)
    wanted = (fields.model is not msgspec.UNSET) + (fields.models is not msgspec.UNSET)
    if len(keys) != wanted or any(_key_text(key) not in _PLAIN_KEYS for key in keys):
        _require_plain_top_level_keys(body)
    if fields.preset is not msgspec.UNSET:
        raise Refusal(Reason.BAD_REQUEST, "'preset' hides which model is called; name the model instead.")
    fallbacks = [] if fields.models in (msgspec.UNSET, None) else fields.models
    models = [fields.model, *fallbacks] if isinstance(fallbacks, list) else [None]
    if not all(isinstance(model, str) and model for model in models):
        raise Refusal(Reason.BAD_REQUEST, "The request body must name its model as text, in 'model'.")
    return BodyFacts(tuple(models), _most_output_tokens(fields))


def facts_of_named(kind: ProviderKind, model: str, body: Body) -> BodyFacts:
    """Return what is known of a call whose path names the model; whatever the body says of one, it does not choose.

    Raises Refusal where the body is no JSON object.
    """
    if kind == "azure":
        return BodyFacts((model,), _most_output_tokens(_decoded(body)))
    try:
        fields = _GOOGLE_DECODER.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError):
        return BodyFacts((model,))  # Google says what is wrong with it
    generation = fields.generationConfig or fields.generation_config
    return BodyFacts((model,), _count(generation.maxOutputTokens) if generation else None)


def with_model(body: Body, model: str) -> list[BodyPart]:
    """Return the body, in parts, with another value of its `model`; every other byte is as it was."""
    start, end = _model_span(body)
    view = memoryview(body)
    return [view[:start], json.dumps(model).encode(), view[end:]]


def _decoded(body: Body) -> _Body:
    try:
        return _DECODER.decode(body)
    except (msgspec.DecodeError, RecursionError, UnicodeDecodeError) as error:
        raise Refusal(Reason.BAD_REQUEST, f"The request body cannot be read as a JSON object: {error}") from error


def _most_output_tokens(fields: _Body) -> int | None:
    said = [fields.max_tokens, fields.max_completion_tokens, fields.max_output_tokens]
    counts = [count for count in map(_count, said) if count is not None]
    return max(counts) * min(_count(fields.n) or 1, MOST_ANSWERS) if counts else None


def _count(value: object) -> int | None:
    is_count = isinstance(value, int) and not isinstance(value, bool) and 0 < value < 2**31
    return value if is_count else None  # type: ignore[return-value]  # checked in the line above


def _require_plain_top_level_keys(body: Body) -> None:
    seen: set[bytes] = set()
    for start in _top_level_model_keys(body):
        key = bytes(body[start + 1 : body.index(b'"', start + 1)])
        if key in seen or key not in _PLAIN_KEYS:
            raise Refusal(Reason.BAD_REQUEST, "The request body must name its model once, in 'model'.")
        seen.add(key)


def _top_level_model_keys(body: Body) -> list[int]:
    """Return where keys that read `model` or `models` begin, of those that are the body's own."""
    depth = 0
    found_at: list[int] = []
    for found in _STRUCTURE.finditer(body):
        token = found.group()
        if token in (b"{", b"["):
            depth += 1
        elif token in (b"}", b"]"):
            depth -= 1
        elif depth == 1 and _MODEL_KEY.match(body, found.start()):
            found_at.append(found.start())
    return found_at


def _model_span(body: Body) -> tuple[int, int]:
    only = [found.start() for found in _MODEL_KEY.finditer(body)]
    for start in only if len(only) == 1 else _top_level_model_keys(body):
        found = _MODEL_VALUE.match(body, start)
        if found:
            return found.span(1)
    raise Refusal(Reason.BAD_REQUEST, "The request body must name its model as text, in 'model'.")


def _key_text(key: bytes) -> bytes:
    return key[1 : key.rindex(b'"')]
