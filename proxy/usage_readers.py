"""How many tokens a call used, read from an answer on its way, whole or in pieces, without keeping it.

Every provider's count becomes Inspect's: input tokens without cached ones, output tokens with those of reasoning.
"""

import zlib
from typing import Any, Protocol

import msgspec

from hawk.model_registry.prices import TokenUsage
from proxy.refusals import Dialect

# A line of a stream or an answer longer than this is not looked into; its usage counts as missing.
MAX_LINE_BYTES = 8 * 1024 * 1024
_KEY_OF = {"openai": b'"usage"', "anthropic": b'"usage"', "google": b'"usageMetadata"'}
MOST_TOKENS = 2**40
_END_OF_STREAM = b"data: [DONE]"  # OpenAI's


class _Details(msgspec.Struct):
    cached_tokens: int | None = None
    cache_write_tokens: int | None = None
    reasoning_tokens: int | None = None


class _OpenAiUsage(msgspec.Struct):
    prompt_tokens: int | None = None
    completion_tokens: int | None = None
    input_tokens: int | None = None
    output_tokens: int | None = None
    prompt_tokens_details: _Details | None = None
    completion_tokens_details: _Details | None = None
    input_tokens_details: _Details | None = None
    output_tokens_details: _Details | None = None


class _CacheCreation(msgspec.Struct):
    ephemeral_1h_input_tokens: int | None = None


class _AnthropicUsage(msgspec.Struct):
    input_tokens: int | None = None
    output_tokens: int | None = None
    cache_read_input_tokens: int | None = None
    cache_creation_input_tokens: int | None = None
    cache_creation: _CacheCreation | None = None


class _GoogleUsage(msgspec.Struct, rename="camel"):
    prompt_token_count: int | None = None
    candidates_token_count: int | None = None
    thoughts_token_count: int | None = None
    cached_content_token_count: int | None = None
    tool_use_prompt_token_count: int | None = None


class _Nested[UsageT](msgspec.Struct):
    """The part of Anthropic's `message_start` and OpenAI's `response.completed` that has the usage."""

    usage: UsageT | None = None


class _OpenAiAnswer(msgspec.Struct):
    usage: _OpenAiUsage | None = None
    choices: list[msgspec.Raw] | None = None
    response: _Nested[_OpenAiUsage] | None = None


class _AnthropicAnswer(msgspec.Struct):
    usage: _AnthropicUsage | None = None
    message: _Nested[_AnthropicUsage] | None = None


class _GoogleCandidate(msgspec.Struct, rename="camel"):
    finish_reason: str | None = None


class _GoogleAnswer(msgspec.Struct, rename="camel"):
    usage_metadata: _GoogleUsage | None = None
    candidates: list[_GoogleCandidate] | None = None


class _Tally(Protocol):
    """Adds up what parts of an answer say; `is_final` once that is of all of it, even where it then breaks off."""

    is_final: bool

    def add(self, text: bytes) -> None: ...
    def usage(self) -> TokenUsage | None: ...


class _OpenAiTally:
    """Some providers count in every part of a stream; the count of one that brings no text is the last."""

    def __init__(self) -> None:
        self._decoder = _OPENAI
        self._last: _OpenAiUsage | None = None
        self.is_final = False

    def add(self, text: bytes) -> None:
        answer = self._decoder.decode(text)
        said = answer.usage or (answer.response.usage if answer.response else None)
        if said is not None:
            self._last = said
            self.is_final = not answer.choices

    def usage(self) -> TokenUsage | None:
        said = self._last
        if said is None:
            return None
        all_input = said.prompt_tokens if said.prompt_tokens is not None else said.input_tokens
        output = said.completion_tokens if said.completion_tokens is not None else said.output_tokens
        if all_input is None:
            return None
        of_input = said.prompt_tokens_details or said.input_tokens_details or _Details()
        of_output = said.completion_tokens_details or said.output_tokens_details or _Details()
        read, written = _count(of_input.cached_tokens), _count(of_input.cache_write_tokens)
        return TokenUsage(
            input_tokens=max(_count(all_input) - read - written, 0),
            output_tokens=_count(output),  # embeddings have none
            input_tokens_cache_read=read,
            input_tokens_cache_write=written,
            reasoning_tokens=_count(of_output.reasoning_tokens),
        )


class _AnthropicTally:
    """A stream says the input when it starts, and the output, growing, with what ends it."""

    def __init__(self) -> None:
        self._decoder = _ANTHROPIC
        self._said: dict[str, int] = {}
        self.is_final = False

    def add(self, text: bytes) -> None:
        answer = self._decoder.decode(text)
        begun = answer.message.usage if answer.message else None
        self.is_final = self.is_final or (answer.usage is not None and answer.usage.output_tokens is not None)
        for usage in (begun, answer.usage):
            for name in _ANTHROPIC_COUNTS if usage else ():
                value = getattr(usage, name)
                if value is not None:
                    self._said[name] = _count(value)
            if usage is not None and usage.cache_creation is not None:
                self._said["1h"] = _count(usage.cache_creation.ephemeral_1h_input_tokens)

    def usage(self) -> TokenUsage | None:
        if not self.is_final:  # it broke off: what it had generated by then, nobody said
            return None
        return TokenUsage(
            input_tokens=self._said.get("input_tokens", 0),
            output_tokens=self._said.get("output_tokens", 0),
            input_tokens_cache_read=self._said.get("cache_read_input_tokens", 0),
            input_tokens_cache_write=self._said.get("cache_creation_input_tokens", 0),
            input_tokens_cache_write_1h=min(self._said.get("1h", 0), self._said.get("cache_creation_input_tokens", 0)),
        )


class _GoogleTally:
    """Every part of a stream counts what there was so far; the one that says why it ended counts all."""

    def __init__(self) -> None:
        self._decoder = _GOOGLE
        self._last: _GoogleUsage | None = None
        self.is_final = False

    def add(self, text: bytes) -> None:
        answer = self._decoder.decode(text)
        if answer.usage_metadata is not None:
            self._last = answer.usage_metadata
            self.is_final = any(candidate.finish_reason for candidate in answer.candidates or ())

    def usage(self) -> TokenUsage | None:
        said = self._last
        if said is None or said.prompt_token_count is None:
            return None
        read, thoughts = _count(said.cached_content_token_count), _count(said.thoughts_token_count)
        prompt = _count(said.prompt_token_count) + _count(said.tool_use_prompt_token_count)
        return TokenUsage(
            input_tokens=max(prompt - read, 0),
            output_tokens=_count(said.candidates_token_count) + thoughts,
            input_tokens_cache_read=read,
            reasoning_tokens=thoughts,
        )


_ANTHROPIC_COUNTS = ("input_tokens", "output_tokens", "cache_read_input_tokens", "cache_creation_input_tokens")
_OPENAI = msgspec.json.Decoder(_OpenAiAnswer)
_ANTHROPIC = msgspec.json.Decoder(_AnthropicAnswer)
_GOOGLE = msgspec.json.Decoder(_GoogleAnswer)


def _tally(dialect: Dialect) -> _Tally:
    match dialect:
        case "openai":
            return _OpenAiTally()
        case "anthropic":
            return _AnthropicTally()
        case "google":
            return _GoogleTally()


class UsageReader:
    """Takes an answer's pieces as they pass; then says what was used, or None where nobody can know."""

    def __init__(self, dialect: Dialect, *, content_type: bytes, coding: bytes) -> None:
        self._key = _KEY_OF[dialect]
        self._tally = _tally(dialect)
        self._is_stream = content_type.startswith(b"text/event-stream")
        self._parts: list[bytes] = []  # of a line that has not ended, or of a whole answer
        self._size_bytes = 0
        self._last_piece = b""
        self._inflate = _inflater(coding)
        self._is_readable = coding in (b"", b"identity") or self._inflate is not None

    def feed(self, piece: bytes) -> None:
        if self._inflate is not None:
            piece = self._inflated(piece)
        if not self._is_readable:
            return
        self._last_piece = piece
        end = piece.rfind(b"\n") + 1 if self._is_stream else 0
        if not end:
            self._keep(piece)
            return
        text = self._taken() + piece[:end] if self._size_bytes else piece[:end]
        if self._key in text:
            for line in text.splitlines():
                if self._key in line and line.startswith(b"data:"):
                    self._add(line[5:])
        if end < len(piece):
            self._keep(piece[end:])

    def usage(self, *, is_whole: bool = True) -> TokenUsage | None:
        """Return what was used, once the answer has passed; of one that broke off only what was said to be all."""
        text = self._taken()
        if self._is_readable and self._key in text:
            if self._is_stream:
                self._add(text.removeprefix(b"data:"))
            else:
                self._add_whole(text)
        if not is_whole and not self._tally.is_final and _END_OF_STREAM not in self._last_piece:
            return None
        return self._tally.usage()

    def _keep(self, text: bytes) -> None:
        self._size_bytes += len(text)
        if self._size_bytes <= MAX_LINE_BYTES:
            self._parts.append(text)
        else:
            self._parts = []

    def _taken(self) -> bytes:
        text = b"".join(self._parts)
        self._parts, self._size_bytes = [], 0
        return text

    def _add_whole(self, text: bytes) -> None:
        if text.lstrip()[:1] == b"[":  # Google's stream without `alt=sse` is one list
            try:
                for part in _PARTS.decode(text):
                    self._add(bytes(part))
            except (msgspec.DecodeError, UnicodeDecodeError):
                return
        else:
            self._add(text)

    def _add(self, text: bytes) -> None:
        try:
            self._tally.add(text)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return  # what cannot be read counts as missing

    def _inflated(self, piece: bytes) -> bytes:
        assert self._inflate is not None
        try:
            text: bytes = self._inflate.decompress(piece, MAX_LINE_BYTES)
        except zlib.error:
            self._is_readable = False
            return b""
        if self._inflate.unconsumed_tail:  # a bomb
            self._is_readable = False
        return text


_PARTS = msgspec.json.Decoder(list[msgspec.Raw])


def _inflater(coding: bytes) -> Any:
    if coding == b"gzip":
        return zlib.decompressobj(zlib.MAX_WBITS | 16)
    if coding == b"deflate":
        return zlib.decompressobj()
    return None


def _count(value: int | None) -> int:
    return min(max(value or 0, 0), MOST_TOKENS)
