"""Values of logs become values of columns as Inspect itself understands them."""

import json
from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from inspect_ai.scorer import value_to_float
from msgspec import Raw

from hawk.warehouse.log_values import content_text, finite, moment, resolved, total_tokens, value_number
from hawk.warehouse.records import UsageRecord


def raw(value: Any) -> Raw:
    return msgspec.json.decode(json.dumps({"value": value}).encode(), type=dict[str, Raw])["value"]


@pytest.mark.parametrize(
    ("value", "number"),
    [
        ("C", 1.0), ("P", 0.5), ("I", 0.0), ("N", 0.0), ("yes", 1.0), ("True", 1.0), ("no", 0.0), ("FALSE", 0.0),
        (True, 1.0), (False, 0.0), (3, 3.0), (-2.5, -2.5), ("3.25", 3.25), ("1e3", 1000.0),
        ("c", None), ("maybe", None), ("", None), ("nan", None), ("inf", None), (None, None), ([1], None),
        ({"a": 1}, None),
    ],
)  # fmt: skip
def test_score_is_a_number_where_inspect_has_one(value: Any, number: float | None) -> None:
    assert value_number(raw(value)) == number


numbers = st.integers(-(2**53), 2**53) | st.floats(allow_nan=False, allow_infinity=False)
words = st.sampled_from(["C", "P", "I", "N", "Yes", "TRUE", "No", "false"])


@given(numbers | st.booleans() | words | st.floats(-9, 9).map(str))
def test_score_has_the_number_that_inspect_gives_it(value: Any) -> None:
    assert value_number(raw(value)) == value_to_float()(value)


def test_number_beyond_a_double_is_none() -> None:
    assert value_number(msgspec.json.decode(b'{"v": 1e400}', type=dict[str, Raw])["v"]) is None
    assert finite(10**400) is None
    assert finite(float("nan")) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2026-01-02T03:04:05Z", datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)),
        ("2024-11-05T13:32:37-05:00", datetime(2024, 11, 5, 18, 32, 37, tzinfo=UTC)),
        ("2024-11-05T13:32:37.112639", datetime(2024, 11, 5, 13, 32, 37, 112639, tzinfo=UTC)),
        ("", None),
        (None, None),
        ("yesterday", None),
    ],
)
def test_times_are_aware(text: str | None, expected: datetime | None) -> None:
    assert moment(text) == expected


@pytest.mark.parametrize(
    ("content", "text"),
    [
        ("plain", "plain"),
        ("attachment://abc", "the long one"),
        ("tc://abc", "the long one"),
        ("attachment://unknown", "attachment://unknown"),
        ([{"type": "text", "text": "one"}, {"type": "image"}, {"type": "text", "text": "two"}], "one\ntwo"),
        ([{"type": "text", "text": "attachment://abc"}], "the long one"),
        ([{"type": "reasoning", "reasoning": "hm"}], ""),
        (None, None),
    ],
)
def test_content_is_text(content: Any, text: str | None) -> None:
    given_content = msgspec.json.decode(json.dumps(content), type=str | list[Raw] | None)

    assert content_text(given_content, {"abc": "the long one"}.get) == text


def test_text_that_only_mentions_an_attachment_stays() -> None:
    assert resolved("see attachment://abc", {"abc": "the long one"}.get) == "see attachment://abc"


def test_tokens_of_models_add_up_and_uncounted_ones_stay_none() -> None:
    totals = total_tokens([UsageRecord(input_tokens=1, reasoning_tokens=5), UsageRecord(input_tokens=2)])

    assert totals["input_tokens"] == 3
    assert totals["reasoning_tokens"] == 5
    assert totals["output_tokens"] is None
