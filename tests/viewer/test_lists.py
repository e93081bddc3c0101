"""The lists' queries against a warehouse that was filled from logs."""

import csv
import io
from typing import Any

import pytest

from hawk.errors import UserError
from hawk.listing.filters import DIRECTIONS, Chosen, Kind, ListView, read
from hawk.listing.keyset import Cursor
from hawk.listing.lists import EVAL_SETS, EVALS, SAMPLES
from tests.made_logs import FORMULA, HOSTILE_HTML
from viewer import queries, sample_queries, tables
from viewer.lists import IMPORTS

HOSTILE_TEXTS = [
    "' or 1=1 --",
    "'; drop table marts.fct_sample; --",
    '"; select pg_sleep(10); --',
    "%(limit)s",
    "%s %%",
    "{name}",
    "\\",
    "$1",
    "<script>alert(1)</script>",
    "${jndi:ldap://192.0.2.1}",
    "\u202e\ufeff🦅",
]
VIEWS = [pytest.param(view, id=view.name) for view in (EVAL_SETS, EVALS, SAMPLES, IMPORTS)]
MANY = 10_000

pytestmark = pytest.mark.usefixtures("filled_reader")


def found(view: ListView, **parameters: Any) -> list[dict[str, Any]]:
    chosen = read(view, {name: [value] if isinstance(value, str) else value for name, value in parameters.items()})
    assert chosen.problems == ()
    rows = queries.all_of(view, chosen, max_rows=MANY)
    assert queries.total_of(view, chosen, max_rows=MANY).count == len(rows)
    return rows


@pytest.mark.parametrize("view", VIEWS)
def test_every_order_lists_the_same_rows(view: ListView) -> None:
    lists = [found(view, sort=sort.name) for sort in view.sorts]

    assert lists[0]
    for rows in lists[1:]:
        assert sorted(map(str, rows)) == sorted(map(str, lists[0]))


@pytest.mark.parametrize("text", HOSTILE_TEXTS)
@pytest.mark.parametrize("view", VIEWS)
def test_hostile_text_in_any_filter_finds_at_most_itself(view: ListView, text: str) -> None:
    for each in view.filters:
        if each.kind in (Kind.TEXT, Kind.CHOICES):
            assert found(view, **{each.name: text}) == []

    assert found(view)


@pytest.mark.parametrize("view", VIEWS)
def test_every_choice_that_is_offered_finds_something(view: ListView) -> None:
    offered = [each.name for each in view.filters if (view.relation, each.name) in queries._OPTION_SOURCES]

    assert offered
    for name in offered:
        for option in queries.options(view.relation, name):
            assert found(view, **{name: option}), (name, option)


def test_filters_narrow_samples_to_what_they_say() -> None:
    rows = found(SAMPLES, task=["arithmetic", "choices"], model="mockllm/poor", score_max="0.5", epoch="1")

    assert {(row["task_name"], row["sample_id"]) for row in rows} == {
        ("arithmetic", "sum-1"),
        ("arithmetic", "sum-3"),
        ("arithmetic", "sum-5"),
        ("choices", "2"),
        ("choices", "3"),
    }


def test_statuses_of_every_kind_of_end_can_be_chosen() -> None:
    assert {"error", "success", "token_limit"} <= set(queries.options(SAMPLES.relation, "status"))
    assert {row["sample_id"] for row in found(SAMPLES, status=["error", "token_limit"])} == {"raise", "ramble"}


def test_search_finds_words_in_input_output_and_error_ignoring_case() -> None:
    assert {row["sample_id"] for row in found(SAMPLES, search="MADE to fail")} == {"raise"}
    assert {row["task_name"] for row in found(SAMPLES, search="onerror")} == {"hostile"}


def test_search_takes_wildcards_as_characters() -> None:
    every = {row["sample_uuid"] for row in found(SAMPLES)}
    with_percent = {row["sample_uuid"] for row in found(SAMPLES, search="%")}

    assert with_percent < every
    assert all("%" in str(row) for row in found(SAMPLES, search="%"))


def test_dates_narrow_evals() -> None:
    assert {row["task_name"] for row in found(EVALS, before="2024-11-30", after="2024-11-05")} == {
        "input_task",
        "popularity",
    }
    assert found(EVALS, after="2199-01-01") == []


def test_a_list_is_bounded_and_says_so() -> None:
    total = queries.total_of(SAMPLES, Chosen(), max_rows=10)

    assert str(total) == "10+"
    assert len(queries.all_of(SAMPLES, Chosen(), max_rows=10)) == 10


SORTS = [sort.name for sort in SAMPLES.sorts] + [f"{column}.{way}" for column in SAMPLES.sortable for way in DIRECTIONS]


@pytest.mark.parametrize("sort", SORTS)
def test_pages_follow_one_another_both_ways_without_gap_or_double(monkeypatch: pytest.MonkeyPatch, sort: str) -> None:
    monkeypatch.setattr(queries, "PAGE_SIZE", 70)
    whole = [key_of(row) for row in queries.all_of(SAMPLES, Chosen(sort=sort), max_rows=MANY)]

    pages = [queries.page_of(SAMPLES, Chosen(sort=sort))]
    while pages[-1].after is not None:
        pages.append(queries.page_of(SAMPLES, Chosen(sort=sort, cursor=pages[-1].after)))
    back = [pages[-1]]
    while back[0].before is not None:
        back.insert(0, queries.page_of(SAMPLES, Chosen(sort=sort, cursor=back[0].before)))

    assert [key_of(row) for page in pages for row in page.rows] == whole
    assert [key_of(row) for page in back for row in page.rows] == whole
    assert len(pages) == 3


def test_samples_beside_one_are_those_of_the_list() -> None:
    chosen = Chosen(sort="score.desc")  # some have none
    rows = queries.all_of(SAMPLES, chosen, max_rows=MANY)

    for number in (0, 1, len(rows) - 2, len(rows) - 1):
        beside = sample_queries.neighbours(SAMPLES, chosen, rows[number])
        around = (beside.previous, beside.following)
        expected = [rows[number - 1] if number else None, rows[number + 1] if number + 1 < len(rows) else None]
        assert [row and key_of(row) for row in around] == [row and key_of(row) for row in expected]


@pytest.mark.parametrize("values", [("x", "a", "b"), (1, 2, 3), (True, None, None), ("2026-01-01", "'; drop", "%s")])
def test_place_that_no_row_can_have_is_an_error_in_words_or_a_place(values: tuple[Any, ...]) -> None:
    try:
        queries.page_of(SAMPLES, Chosen(cursor=Cursor(values)))
    except UserError as error:
        assert "place in the list" in error.message


def test_more_filters_narrow_samples() -> None:
    assert {row["sample_id"] for row in found(SAMPLES, limit_hit="token")} == {"ramble"}
    assert {row["sample_id"] for row in found(SAMPLES, error="made FAIL")} == {"raise"}
    assert {row["task_name"] for row in found(SAMPLES, tool="calculator")} == {"arithmetic"}
    assert found(SAMPLES, invalid="true") == []
    assert all(row["total_tokens"] >= 100 for row in found(SAMPLES, tokens_min="100"))
    assert len(found(SAMPLES, tokens_max="99")) + len(found(SAMPLES, tokens_min="100")) <= len(found(SAMPLES))


def key_of(row: dict[str, Any]) -> tuple[str, str]:
    return row["eval_id"], row["sample_uuid"]


def test_mean_scores_of_some_evals_are_defined_as_those_of_all() -> None:
    over_all = {(row["task_name"], row["model"]): row for row in queries.mean_scores(EVALS, Chosen(), max_rows=MANY)}
    chosen = read(EVALS, {"eval_set_id": ["made-aaaabbbbccccdddd"]})

    rows = queries.mean_scores(EVALS, chosen, max_rows=MANY)

    assert {row["task_name"] for row in rows} == {"arithmetic", "choices", "hostile", "troubled"}
    for row in rows:
        same = over_all[row["task_name"], row["model"]]
        assert row["mean_score"] == pytest.approx(same["mean_score"])
        assert row["standard_error"] == pytest.approx(same["standard_error"])
        assert row["scored_sample_count"] == same["scored_sample_count"]
        assert (row["error_count"], row["limit_count"]) == (same["error_count"], same["limit_count"])


def test_csv_has_the_list_and_no_formula() -> None:
    rows = found(SAMPLES, task="hostile", sort="sample")

    lines = list(csv.DictReader(io.StringIO(tables.csv_of(rows).decode())))

    assert [line["sample_uuid"] for line in lines] == [row["sample_uuid"] for row in rows]
    assert HOSTILE_HTML in {line["sample_id"] for line in lines}
    assert f"'{FORMULA}" in {line["input_text"] for line in lines}
    assert not [value for line in lines for value in line.values() if value.startswith(("=", "+", "-", "@"))]
