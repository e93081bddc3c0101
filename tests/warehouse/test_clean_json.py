"""Whatever Inspect can write becomes JSON that msgspec and Postgres take, and good JSON stays as it is."""

import json
import math
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hawk.warehouse.clean_json import clean_json, clean_pieces

good_texts = st.text(st.characters(exclude_characters="\0", exclude_categories=["Cs"]))
any_texts = st.text(st.characters()) | st.sampled_from(["NaN", '"Infinity"', "\\u0000", "\\", "\\ud800", "-Infinity"])
any_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats() | any_texts,
    lambda inner: st.lists(inner) | st.dictionaries(any_texts, inner),
)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (b'{"a": NaN, "b": [Infinity, -Infinity, 1.5]}', b'{"a": null, "b": [null, null, 1.5]}'),
        (b'{"a": "NaN and -Infinity", "b": NaN}', b'{"a": "NaN and -Infinity", "b": null}'),
        (rb'{"a": "say \"NaN\" NaN", "NaN": NaN}', rb'{"a": "say \"NaN\" NaN", "NaN": null}'),
        (rb'"a\u0000b"', b'"ab"'),
        (rb'"a\\u0000b"', rb'"a\\u0000b"'),
        (rb'"a\\\u0000b"', rb'"a\\b"'),
        (rb'"\ud83d\ude00"', rb'"\ud83d\ude00"'),
        (rb'"\ud83d"', rb'"\ufffd"'),
        (rb'"\ude00\ud83d"', rb'"\ufffd\ufffd"'),
        (rb'"\ud83d\ud83d\ude00"', rb'"\ufffd\ud83d\ude00"'),
        (b'"\xff"', '"\ufffd"'.encode()),
        ('"ümläut 🦅"'.encode(), '"ümläut 🦅"'.encode()),
    ],
)
def test_strange_json_is_made_clean(written: bytes, expected: bytes) -> None:
    assert clean_json(written) == expected


@given(st.recursive(good_texts | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(good_texts, inner)),
       st.booleans())  # fmt: skip
def test_good_json_is_left_alone(value: Any, ascii_only: bool) -> None:
    written = json.dumps(value, ensure_ascii=ascii_only).encode()

    assert clean_json(written) == written


@given(any_values, st.booleans())
def test_anything_python_writes_can_be_decoded_and_loses_only_what_sql_lacks(value: Any, ascii_only: bool) -> None:
    written = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")

    cleaned = clean_json(written)

    assert b"\\u0000" not in cleaned.replace(b"\\\\", b"")
    assert shape(msgspec.json.decode(cleaned)) == shape(value)
    cleaned.decode()


odd_string_parts = [
    b"\\\\", b'\\"', b"\\u0000", b"\\ud83d", b"\\ude00", b"\\ud83d\\ude00", b"\\u0041", b"\\n", b"NaN", b"-Infinity",
    b"Na", b",", b":", b"[", b"1", b"a", "ü".encode(), "🦅".encode(), b"NaN,NaN", b'\\"NaN\\"', b"\xff",
    b"aaaaaaaaaaaaaaa",
]  # fmt: skip


@given(any_values, st.booleans(), st.integers(1, 40))
def test_pieces_are_cleaned_as_the_whole_is(value: Any, ascii_only: bool, piece_bytes: int) -> None:
    written = json.dumps(value, ensure_ascii=ascii_only).encode("utf-8", "surrogatepass")

    pieces = [written[start : start + piece_bytes] for start in range(0, len(written), piece_bytes)]

    assert b"".join(clean_pieces(pieces)) == clean_json(written)


@given(st.lists(st.sampled_from(odd_string_parts), max_size=30), st.integers(1, 40))
def test_pieces_of_a_string_of_odd_characters_are_cleaned_as_the_whole_is(parts: list[bytes], piece_bytes: int) -> None:
    written = b'[NaN,"' + b"".join(parts) + b'",NaN]'

    pieces = [written[start : start + piece_bytes] for start in range(0, len(written), piece_bytes)]

    assert b"".join(clean_pieces(pieces)) == clean_json(written)


@pytest.mark.parametrize(
    "long", ["x" * 5000, "\\\\" * 3000, "\\u0041" * 3000, "\\ud83d\\ude00" * 2000, "天" * 3000, "NaN " * 3000]
)
def test_long_string_without_a_mark_is_cleaned_a_piece_at_a_time(long: str) -> None:
    written = f'{{"a": NaN, "b": "{long}"}}'.encode()
    pieces = [written[start : start + 100] for start in range(0, len(written), 100)]

    cleaned = list(clean_pieces(pieces))

    assert b"".join(cleaned) == clean_json(written)
    assert max(map(len, cleaned)) < 300


def shape(value: Any) -> Any:
    """Return the value with texts reduced to the characters that are never changed."""
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, str):
        return "".join(character for character in value if character.isascii() and character != "\0")
    if isinstance(value, list):
        return [shape(part) for part in value]
    return len(value) if isinstance(value, dict) and has_odd_keys(value) else shape_of_dict(value)


def shape_of_dict(value: Any) -> Any:
    return {shape(key): shape(part) for key, part in value.items()} if isinstance(value, dict) else value


def has_odd_keys(value: dict[str, Any]) -> bool:
    # Keys may become alike when what SQL lacks is taken out of them.
    return any(not key.isascii() or "\0" in key for key in value)
