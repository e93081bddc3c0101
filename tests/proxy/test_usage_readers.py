"""Usage is read from answers as providers write them, whole, in pieces, compressed, and counted as Inspect counts."""

import gzip
import json
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hawk.model_registry.prices import TokenUsage
from proxy.usage_readers import MAX_LINE_BYTES, UsageReader

SSE = b"text/event-stream; charset=utf-8"
JSON = b"application/json"

OPENAI_CHAT = {
    "id": "chatcmpl-1",
    "choices": [{"message": {"content": 'say "usage": {"prompt_tokens": 9}'}}],
    "usage": {
        "prompt_tokens": 42,
        "completion_tokens": 27,
        "total_tokens": 69,
        "prompt_tokens_details": {"cached_tokens": 10, "audio_tokens": 0},
        "completion_tokens_details": {"reasoning_tokens": 5},
    },
}
OPENAI_RESPONSE = {
    "id": "resp_1",
    "output": [],
    "usage": {
        "input_tokens": 42,
        "input_tokens_details": {"cached_tokens": 10},
        "output_tokens": 27,
        "output_tokens_details": {"reasoning_tokens": 5},
        "total_tokens": 69,
    },
}
EMBEDDING = {"data": [{"embedding": [0.1, 0.2]}], "usage": {"prompt_tokens": 8, "total_tokens": 8}}
ANTHROPIC = {
    "type": "message",
    "content": [{"type": "text", "text": "Hi"}],
    "usage": {
        "input_tokens": 20,
        "cache_creation_input_tokens": 7,
        "cache_read_input_tokens": 5,
        "output_tokens": 11,
        "cache_creation": {"ephemeral_5m_input_tokens": 4, "ephemeral_1h_input_tokens": 3},
        "service_tier": "standard",
    },
}
GOOGLE = {
    "candidates": [{"content": {"parts": [{"text": "Hi"}]}}],
    "usageMetadata": {
        "promptTokenCount": 30,
        "candidatesTokenCount": 9,
        "thoughtsTokenCount": 4,
        "cachedContentTokenCount": 10,
        "totalTokenCount": 43,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 30}],
    },
}
CHAT_USAGE = TokenUsage(32, 27, input_tokens_cache_read=10, reasoning_tokens=5)
ANTHROPIC_USAGE = TokenUsage(
    20, 11, input_tokens_cache_read=5, input_tokens_cache_write=7, input_tokens_cache_write_1h=3
)
GOOGLE_USAGE = TokenUsage(20, 13, input_tokens_cache_read=10, reasoning_tokens=4)


def event(value: object, name: str = "") -> bytes:
    return (f"event: {name}\n" if name else "").encode() + b"data: " + json.dumps(value).encode() + b"\n\n"


OPENAI_STREAM = (
    event({"choices": [{"delta": {"content": "a"}}], "usage": None})
    + event({"choices": [{"delta": {"content": 'b"usage"'}}], "usage": None})
    + event({"choices": [], "usage": OPENAI_CHAT["usage"]})
    + b"data: [DONE]\n\n"
)
RESPONSES_STREAM = (
    event({"type": "response.created", "response": {"id": "r", "usage": None}}, "response.created")
    + event({"type": "response.output_text.delta", "delta": "a"}, "response.output_text.delta")
    + event({"type": "response.completed", "response": OPENAI_RESPONSE}, "response.completed")
)
ANTHROPIC_STREAM = (
    event(
        {"type": "message_start", "message": {"usage": {**ANTHROPIC["usage"], "output_tokens": 1}}},
        "message_start",
    )
    + event({"type": "content_block_delta", "delta": {"text": "Hi"}}, "content_block_delta")
    + event({"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 11}})
    + event({"type": "message_stop"}, "message_stop")
)
GOOGLE_STREAM = event({"usageMetadata": {"promptTokenCount": 30}}) + event(GOOGLE)
GOOGLE_LIST = json.dumps([{"usageMetadata": {"promptTokenCount": 30}}, GOOGLE], indent=1).encode()


def read(dialect: str, *pieces: bytes, content_type: bytes = JSON, coding: bytes = b"") -> TokenUsage | None:
    reader = UsageReader(dialect, content_type=content_type, coding=coding)
    for piece in pieces:
        reader.feed(piece)
    return reader.usage()


CASES = {
    "chat": ("openai", json.dumps(OPENAI_CHAT).encode(), JSON, CHAT_USAGE),
    "responses": ("openai", json.dumps(OPENAI_RESPONSE).encode(), JSON, CHAT_USAGE),
    "embeddings": ("openai", json.dumps(EMBEDDING).encode(), JSON, TokenUsage(8, 0)),
    "chat stream": ("openai", OPENAI_STREAM, SSE, CHAT_USAGE),
    "chat stream, CRLF": ("openai", OPENAI_STREAM.replace(b"\n", b"\r\n"), SSE, CHAT_USAGE),
    "responses stream": ("openai", RESPONSES_STREAM, SSE, CHAT_USAGE),
    "anthropic": ("anthropic", json.dumps(ANTHROPIC).encode(), JSON, ANTHROPIC_USAGE),
    "anthropic stream": ("anthropic", ANTHROPIC_STREAM, SSE, ANTHROPIC_USAGE),
    "google": ("google", json.dumps(GOOGLE).encode(), JSON, GOOGLE_USAGE),
    "google stream": ("google", GOOGLE_STREAM, SSE, GOOGLE_USAGE),
    "google list": ("google", GOOGLE_LIST, JSON, GOOGLE_USAGE),
}


@pytest.mark.parametrize(("dialect", "answer", "content_type", "usage"), CASES.values(), ids=CASES)
def test_usage_is_counted_as_inspect_counts(dialect, answer, content_type, usage):
    assert read(dialect, answer, content_type=content_type) == usage


@pytest.mark.parametrize(("dialect", "answer", "content_type", "usage"), CASES.values(), ids=CASES)
@given(size=st.integers(1, 400))
def test_pieces_may_end_anywhere(dialect, answer, content_type, usage, size):
    pieces = [answer[start : start + size] for start in range(0, len(answer), size)]

    assert read(dialect, *pieces, content_type=content_type) == usage


def test_compressed_answers_are_read_too():
    packed = gzip.compress(OPENAI_STREAM)

    assert read("openai", packed, content_type=SSE, coding=b"gzip") == CHAT_USAGE
    assert read("openai", packed[:20], packed[20:], content_type=SSE, coding=b"gzip") == CHAT_USAGE
    assert read("google", zlib.compress(json.dumps(GOOGLE).encode()), coding=b"deflate") == GOOGLE_USAGE


@pytest.mark.parametrize(
    ("dialect", "answer", "content_type", "coding"),
    [
        ("openai", OPENAI_STREAM.split(b'data: {"choices": []')[0], SSE, b""),
        ("anthropic", ANTHROPIC_STREAM.split(b'data: {"type": "message_delta"')[0], SSE, b""),
        ("google", b'data: {"candidates": []}\n\n', SSE, b""),
        ("openai", b'{"usage": {"prompt_tokens": "many"}}', JSON, b""),
        ("openai", b'{"usage": {}}', JSON, b""),
        ("openai", b'{"usage"', JSON, b""),
        ("openai", b'\xff"usage"', JSON, b""),
        ("google", b'["usageMetadata"', JSON, b""),
        ("openai", b"", JSON, b""),
        ("openai", OPENAI_STREAM, SSE, b"br"),
        ("openai", b"not gzip", SSE, b"gzip"),
        ("openai", gzip.compress(b" " * (MAX_LINE_BYTES + 1) + OPENAI_STREAM), SSE, b"gzip"),
    ],
    ids=lambda value: None if isinstance(value, bytes) else value,
)
def test_usage_that_nobody_can_read_is_missing_and_not_zero(dialect, answer, content_type, coding):
    assert read(dialect, answer, content_type=content_type, coding=coding) is None


GOOGLE_PART = b'data: {"candidates": [{}], "usageMetadata": {"promptTokenCount": 4, "candidatesTokenCount": 1}}\n\n'
GOOGLE_LAST = GOOGLE_PART.replace(b"[{}]", b'[{"finishReason": "STOP"}]')
COUNTED_PART = b'data: {"choices": [{}], "usage": {"prompt_tokens": 4, "completion_tokens": 1}}\n\n'


@pytest.mark.parametrize(
    ("dialect", "pieces", "usage"),
    [
        ("openai", [COUNTED_PART], None),
        ("openai", [COUNTED_PART, COUNTED_PART.replace(b"[{}]", b"[]")], TokenUsage(4, 1)),
        ("openai", [COUNTED_PART, b"data: [DONE]\n\n"], TokenUsage(4, 1)),
        ("openai", [RESPONSES_STREAM], CHAT_USAGE),
        ("anthropic", [ANTHROPIC_STREAM], ANTHROPIC_USAGE),
        ("google", [GOOGLE_PART], None),
        ("google", [GOOGLE_PART, GOOGLE_LAST], TokenUsage(4, 1)),
    ],
)
def test_of_an_answer_that_breaks_off_only_the_last_count_is_taken(dialect, pieces, usage):
    reader = UsageReader(dialect, content_type=SSE, coding=b"")
    for piece in pieces:
        reader.feed(piece)

    assert reader.usage(is_whole=False) == usage


def test_line_that_is_too_long_is_skipped_and_the_next_read():
    long = b"data: " + b"x" * 1_000_000

    reader = UsageReader("openai", content_type=SSE, coding=b"")
    for _ in range(10):
        reader.feed(long)
    reader.feed(b"\n\n" + OPENAI_STREAM)

    assert reader.usage() == CHAT_USAGE


def test_numbers_beyond_reason_are_cut():
    usage = read("openai", json.dumps({"usage": {"prompt_tokens": 2**62, "completion_tokens": -5}}).encode())

    assert usage == TokenUsage(2**40, 0)


@given(st.binary(max_size=300))
def test_no_answer_can_stop_the_reader(answer):
    for dialect in ("openai", "anthropic", "google"):
        for content_type in (SSE, JSON):
            read(dialect, answer, b'"usage"' + answer, content_type=content_type)
