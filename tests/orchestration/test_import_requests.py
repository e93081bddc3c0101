from datetime import UTC, datetime, timedelta

import pytest

from orchestration.import_requests import (
    Inbox,
    PastImport,
    is_for_news_only,
    look_at_inbox,
    reason_to_import,
    reopen_running,
)
from tests.fakes.orchestrator import Orchestrator

NOW = datetime(2026, 5, 1, 12, tzinfo=UTC)
NOTHING = Inbox(0, has_ended_set=False, has_news_of_sets=False)
OF_RUNNING_SET = Inbox(2, has_ended_set=False, has_news_of_sets=False)
OF_ENDED_SET = Inbox(2, has_ended_set=True, has_news_of_sets=False)
NEWS = Inbox(0, has_ended_set=False, has_news_of_sets=True)


def run(seconds_ago: float, *, succeeded: bool = True, seconds: float = 5) -> PastImport:
    ended_at = NOW - timedelta(seconds=seconds_ago)
    return PastImport(succeeded, ended_at - timedelta(seconds=seconds), ended_at)


def failures(*seconds_ago: float) -> list[PastImport]:
    return [run(seconds, succeeded=False) for seconds in seconds_ago]


@pytest.mark.parametrize(
    ("waiting", "past", "is_due"),
    [
        pytest.param(NOTHING, [], False, id="nothing waits"),
        pytest.param(OF_ENDED_SET, [run(1)], True, id="logs of an ended set are imported at once"),
        pytest.param(OF_RUNNING_SET, [], True, id="the first logs of all are imported at once"),
        pytest.param(OF_RUNNING_SET, [run(59)], False, id="logs of a running set wait a minute"),
        pytest.param(OF_RUNNING_SET, [run(61)], True, id="but not longer"),
        pytest.param(OF_RUNNING_SET, [run(79, seconds=20)], False, id="unless their last import took long"),
        pytest.param(OF_RUNNING_SET, [run(81, seconds=20)], True, id="then four times as long"),
        pytest.param(NEWS, [run(1)], True, id="marts show how a set ended"),
        pytest.param(OF_ENDED_SET, failures(14), False, id="a failed import pauses"),
        pytest.param(OF_ENDED_SET, failures(16), True, id="and is repeated"),
        pytest.param(NOTHING, failures(16), True, id="even when no log is pending, since dbt may have failed"),
        pytest.param(NOTHING, [*failures(100, 200, 300, 400)], False, id="pauses grow"),
        pytest.param(NOTHING, [*failures(121, 200, 300, 400)], True, id="and end"),
        pytest.param(NOTHING, failures(*[3599] * 20), False, id="after many failures the pause is an hour"),
        pytest.param(NOTHING, failures(*[3601] * 20), True, id="and no longer"),
        pytest.param(NOTHING, [run(1), *failures(50, 60)], False, id="a success ends the row of failures"),
    ],
)
def test_import_is_due_when(waiting: Inbox, past: list[PastImport], is_due: bool):
    assert (reason_to_import(waiting, past, now=NOW) is not None) is is_due


@pytest.mark.parametrize(
    ("waiting", "past", "is_for_news"),
    [
        pytest.param(OF_RUNNING_SET, [run(61), *failures(90)], True, id="the last run built the marts"),
        pytest.param(OF_RUNNING_SET, failures(61), False, id="it may have failed in dbt"),
        pytest.param(OF_RUNNING_SET, [], False, id="there are no marts yet"),
        pytest.param(NEWS, [run(61)], False, id="marts lack how a set ended"),
    ],
)
def test_marts_may_stay_where_nothing_new_comes_if(waiting: Inbox, past: list[PastImport], is_for_news: bool):
    assert is_for_news_only(waiting, past) is is_for_news


def put_in_inbox(hawk: Orchestrator, eval_set_id: str) -> None:
    hawk.fetch(
        "insert into ops.log_inbox (bucket, key, etag, eval_set_id, size_bytes, last_modified, source, state, reason,"
        " discovered_at, state_changed_at)"
        " values ('b', %s, 'e', %s, 1, now(), 'listing', 'pending', '', now(), now())",
        f"evals/{eval_set_id}/a.eval",
        eval_set_id,
        returns=False,
    )


def look(hawk: Orchestrator, past: list[PastImport]) -> Inbox:
    with hawk.connect() as connection:
        return look_at_inbox(connection, past)


@pytest.mark.parametrize(
    ("state", "has_ended"), [("launched", False), ("complete", True), ("failed", True), ("stopped", True)]
)
def test_log_is_urgent_when_its_set_has_ended(hawk: Orchestrator, state: str, has_ended: bool):
    eval_set_id = hawk.claim()
    hawk.fetch("update ops.eval_set set status = %s", state, returns=False)
    put_in_inbox(hawk, eval_set_id)

    waiting = look(hawk, [])

    assert (waiting.pending, waiting.has_ended_set) == (1, has_ended)


def test_log_of_a_set_that_nobody_asked_for_is_urgent(hawk: Orchestrator):
    put_in_inbox(hawk, "found-on-s3")

    assert look(hawk, []).has_ended_set


def test_set_that_ended_after_the_last_good_import_began_is_news(hawk: Orchestrator):
    hawk.claim()
    hawk.fetch("update ops.eval_set set status = 'complete', status_changed_at = %s", NOW, returns=False)

    assert look(hawk, [run(-10)]).has_news_of_sets is False
    assert look(hawk, [run(0)]).has_news_of_sets is True
    assert look(hawk, [run(-10, succeeded=False), run(60)]).has_news_of_sets is True


def put_running_eval(hawk: Orchestrator, eval_set_id: str, *, seconds: float, log_status: str = "started") -> None:
    hawk.fetch(
        "insert into raw.eval_import (eval_id, eval_set_id, location, etag, size_bytes, last_modified, log_status,"
        " sample_count, message_count, event_count, seconds, first_imported_at, imported_at)"
        " values ('eval', %s, %s, 'e', 1, now(), %s, 1, 1, 1, %s, now(), now())",
        eval_set_id,
        f"s3://b/evals/{eval_set_id}/a.eval",
        log_status,
        seconds,
        returns=False,
    )
    put_in_inbox(hawk, eval_set_id)
    hawk.fetch(
        "update ops.log_inbox set state = 'imported', state_changed_at = now() - interval '90 seconds'", returns=False
    )


@pytest.mark.parametrize(
    ("set_status", "log_status", "seconds", "is_reopened"),
    [
        pytest.param("launched", "started", 1, True, id="a running eval"),
        pytest.param("launched", "started", 23, False, id="one that takes long to import"),
        pytest.param("launched", "success", 1, False, id="one that has ended"),
        pytest.param("complete", "started", 1, False, id="one whose set has ended"),
    ],
)
def test_running_evals_are_looked_at_again_after_a_while(
    hawk: Orchestrator, set_status: str, log_status: str, seconds: float, is_reopened: bool
):
    eval_set_id = hawk.claim()
    hawk.fetch("update ops.eval_set set status = %s", set_status, returns=False)
    put_running_eval(hawk, eval_set_id, seconds=seconds, log_status=log_status)

    with hawk.connect() as connection:
        reopened = [reopen_running(connection, after_seconds=60) for _ in range(2)]

    assert reopened == [int(is_reopened), 0]
    assert look(hawk, []).pending == int(is_reopened)
