"""How a set's attempts look on its page."""

import json
from collections.abc import Iterator

import psycopg
import pytest

from tests.marts import MADE
from tests.viewer.conftest import OpenPage
from tests.viewer.test_pages import assert_inert, words

_INSERT = """
insert into ops.attempt (eval_set_id, job_name, attempt_number, launcher, phase, exit_code, reason, message,
    peak_memory_bytes, last_log_lines, pod_events, started_at, ended_at, updated_at)
values (%s, 'runner', %s, 'kubernetes', %s, %s, %s, %s, 268435456, %s, %s, now(), now(), now())
"""
EVENTS = ["Normal Scheduled: to node-1", "Warning BackOff: <img src=x onerror=alert(1)>"]


@pytest.fixture
def attempts(filled_url: str) -> Iterator[None]:
    """Let the made set have a job that ran out of memory, and then succeeded."""
    with psycopg.connect(filled_url, autocommit=True) as connection:
        rows = [
            (MADE, 1, "failed", 137, "OOMKilled", "It used more than 256Mi.", "loading", json.dumps(EVENTS)),
            (MADE, 2, "failed", 1, "TasksFailed", "1 of 2 tasks failed.", "![x](http://192.0.2.1/x.png)", "[]"),
        ]
        connection.cursor().executemany(_INSERT, rows)
        yield
        connection.execute("delete from ops.attempt where eval_set_id = %s", [MADE])


def test_attempts_stand_under_their_set_with_phase_exit_code_reason_and_words(at: OpenPage, attempts: None) -> None:
    page = at("evals", eval_set_id=MADE)

    assert not page.exception
    table = next(shown.value for shown in page.dataframe if "exit_code" in shown.value)
    assert list(table["attempt_number"]) == [2, 1]
    assert list(table["reason"]) == ["TasksFailed", "OOMKilled"]
    assert list(table["exit_code"]) == [1, 137]
    assert list(table["message"]) == ["1 of 2 tasks failed.", "It used more than 256Mi."]
    assert list(table["peak_memory_bytes"]) == [268435456] * 2
    assert any("192.0.2.1" in block.value for block in page.code)
    assert_inert(page)


def test_what_an_earlier_attempt_left_is_chosen(at: OpenPage, attempts: None) -> None:
    page = at("evals", eval_set_id=MADE)

    page = page.selectbox(key="attempt").set_value(1).run()

    assert not page.exception
    assert "Warning BackOff" in page.code[0].value
    assert page.text[0].value == "It used more than 256Mi."
    assert_inert(page)


@pytest.fixture
def waiting(filled_url: str) -> Iterator[str]:
    """Return a set that was just launched: no log of it has come, and no node has room for its pod."""
    with psycopg.connect(filled_url, autocommit=True) as connection:
        connection.execute(
            "insert into ops.eval_set (eval_set_id, name, origin, model_groups, access_set_id, status, created_at,"
            " status_changed_at) select 'waiting', 'w', 'api', model_groups, access_set_id, 'launched', now(), now()"
            " from ops.eval_set where eval_set_id = %s",
            [MADE],
        )
        words = "0/3 nodes are available: 3 Insufficient cpu."
        row = ("waiting", 1, "waiting_for_capacity", None, "Unschedulable", words, "", "[]")
        connection.execute(_INSERT.replace("now(), now(), now())", "null, null, now())"), row)
        yield "waiting"
        connection.execute("delete from ops.attempt where eval_set_id = 'waiting'")
        connection.execute("delete from ops.eval_set where eval_set_id = 'waiting'")


def test_set_that_waits_for_room_says_so_before_any_log_has_come(at: OpenPage, waiting: str) -> None:
    page = at("evals", eval_set_id=waiting)

    assert not page.exception
    assert "waiting_for_capacity" in "".join(str(badge.value) for badge in page.markdown).replace("\\", "")
    assert "Insufficient cpu" in words(page)
    assert_inert(page)


def test_set_whose_job_never_began_shows_no_attempts(at: OpenPage) -> None:
    page = at("evals", eval_set_id=MADE)

    assert not page.exception
    assert "Attempts of its job" not in words(page)
    assert not page.expander
