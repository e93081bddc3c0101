"""What a URL asks of a list: read, written again, and turned into SQL whose text is ours alone."""

import string
from datetime import UTC, date, datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hawk.listing.filters import MAX_CHOICES, MAX_TEXT, Chosen, Kind, ListView, conditions, order_by, read, written
from hawk.listing.keyset import Cursor
from hawk.listing.lists import EVAL_SETS, EVALS, SAMPLES

VIEWS = [pytest.param(view, id=view.relation) for view in (EVAL_SETS, EVALS, SAMPLES)]
GOOD_VALUES: dict[Kind, Any] = {
    Kind.TEXT: ["two words"],
    Kind.CHOICES: ["a", "b"],
    Kind.NUMBER: ["0.25"],
    Kind.INTEGER: ["2"],
    Kind.COUNT: ["0"],
    Kind.DATE: ["2026-01-31"],
    Kind.FLAG: ["true"],
}


@pytest.mark.parametrize("view", VIEWS)
def test_what_is_written_is_read_again(view: ListView) -> None:
    parameters = {each.name: GOOD_VALUES[each.kind] for each in view.filters}
    cursor = Cursor((*("b", None)[: len(view.columns_of("")) - 1], datetime(2026, 1, 2, tzinfo=UTC)))
    parameters |= {"sort": [f"{view.sortable[-1]}.desc"], "page_before": [cursor.written()]}

    chosen = read(view, parameters)

    assert chosen.problems == ()
    assert set(chosen.values) == {each.name for each in view.filters}
    assert written(view, chosen) == parameters


@pytest.mark.parametrize("view", VIEWS)
def test_an_empty_url_asks_for_everything_in_the_first_order(view: ListView) -> None:
    chosen = read(view, {})

    assert chosen == Chosen(sort=view.sorts[0].name)
    assert written(view, chosen) == {}


@pytest.mark.parametrize(
    ("name", "text", "problem"),
    [
        pytest.param("score_min", "abc", "Score from 'abc' is not a number; use for example 0.5.", id="word as number"),
        pytest.param("score_min", "nan", "Score from 'nan' is not a number; use for example 0.5.", id="nan"),
        pytest.param("score_max", "inf", "Score to 'inf' is not a number; use for example 0.5.", id="infinity"),
        pytest.param("epoch", "-1", "Epoch '-1' is not a whole number from 1; use for example 2.", id="negative epoch"),
        pytest.param("epoch", "1.5", "Epoch '1.5' is not a whole number from 1; use for example 2.", id="half epoch"),
        pytest.param("epoch", "9" * 30, "is not a whole number from 1", id="huge epoch"),
        pytest.param("after", "yesterday", "is not a date; use for example 2026-01-31.", id="word as date"),
        pytest.param("before", "2026-02-30", "is not a date; use for example 2026-01-31.", id="day that is none"),
        pytest.param("attempts", "yes", "Replaced attempts too 'yes' is neither true nor false.", id="word as flag"),
        pytest.param("search", "a\x00b", "Search holds a NUL character", id="nul"),
        pytest.param("search", "x" * (MAX_TEXT + 1), "at most 200 can be searched for", id="long search"),
        pytest.param("task", "x" * (MAX_TEXT + 1), "at most 200 can be searched for", id="long choice"),
        pytest.param("sort", "random()", "There is no order 'random()'; use one of newest, oldest", id="unknown order"),
        pytest.param("sort", "score.up", "There is no order 'score.up'; use one of newest", id="unknown direction"),
        pytest.param("sort", "import_id.asc", "There is no order 'import_id.asc'", id="column that is no order"),
        pytest.param("page_after", "0", "The place in the list cannot be read", id="place that is none"),
        pytest.param("page_after", "WzFd", "The place in the list is of another order", id="place of another order"),
        pytest.param("tokens_min", "١", "Tokens from '١' is not a whole number from 0", id="foreign digits"),
        pytest.param("page", "3", "This page has no filter 'page'", id="page by number"),
        pytest.param("taks", "a", "This page has no filter 'taks'; did you mean 'task'?", id="misspelt filter"),
        pytest.param("zzz", "a", "This page has no filter 'zzz'; it knows search, task", id="unknown filter"),
    ],
)
def test_what_cannot_be_used_is_left_out_and_said(name: str, text: str, problem: str) -> None:
    chosen = read(SAMPLES, {name: [text], "model": ["openai/gpt-4o-mini"]})

    assert len(chosen.problems) == 1
    assert problem in chosen.problems[0]
    assert chosen.values == {"model": ["openai/gpt-4o-mini"]}


def test_a_score_of_zero_is_a_bound() -> None:
    chosen = read(SAMPLES, {"score_max": ["0"]})

    assert chosen.values == {"score_max": 0.0}
    assert written(SAMPLES, chosen) == {"score_max": ["0"]}


def test_more_choices_than_a_person_makes_are_cut() -> None:
    chosen = read(SAMPLES, {"task": [str(number) for number in range(1000)]})

    assert len(chosen.values["task"]) == MAX_CHOICES


def test_a_search_needs_every_word_and_takes_wildcards_as_they_are() -> None:
    where, values = conditions(EVALS, read(EVALS, {"search": ["50% a_b"]}))

    assert where.count(" and ") == 1
    assert values == {"search_0": r"%50\%%", "search_1": r"%a\_b%"}


def test_the_last_day_of_a_span_is_part_of_it() -> None:
    _, values = conditions(SAMPLES, read(SAMPLES, {"after": ["2026-01-30"], "before": ["2026-01-31"]}))

    assert values["after"] == datetime(2026, 1, 30, tzinfo=UTC)
    assert values["before"] == datetime(2026, 2, 1, tzinfo=UTC)


def test_the_last_day_of_all_is_no_error() -> None:
    _, values = conditions(SAMPLES, Chosen({"before": date.max}))

    assert values["before"].date() == date.max


def test_samples_that_were_replaced_are_shown_only_when_asked_for() -> None:
    assert conditions(SAMPLES, Chosen())[0] == "where is_canonical"
    assert conditions(SAMPLES, Chosen({"attempts": True}))[0] == ""


names = st.sampled_from(
    [*(each.name for each in SAMPLES.filters), "sort", "page_after", "page_before", "other"]
) | st.text(max_size=10)
texts = st.text(max_size=40) | st.text(alphabet=string.punctuation + "0123456789eE.-", max_size=12)


@settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(parameters=st.dictionaries(names, st.lists(texts, min_size=1, max_size=4), max_size=6))
def test_no_url_breaks_a_list_or_reaches_the_sql(parameters: dict[str, list[str]]) -> None:
    chosen = read(SAMPLES, parameters)

    where, values = conditions(SAMPLES, chosen)

    assert (where + order_by(SAMPLES, chosen)).isascii()
    known = {name for each in SAMPLES.filters for name in [each.name, *(f"{each.name}_{n}" for n in range(8))]}
    assert set(values) <= known
    pieces = where.removeprefix("where ")
    for each in SAMPLES.filters:
        pieces = pieces.replace(each.condition.format(name=f"%({each.name})s") or "\0", "")
        for column in each.searched:
            pieces = pieces.replace(f"{column} ilike", "")
    assert not set(pieces) - set("() andor%search_01234567s")
