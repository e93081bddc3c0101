import dagster as dg
import pytest

from assets.checks import CHECKS
from tests.fakes.orchestrator import Orchestrator

BY_NAME = {check.name: check for check in CHECKS}
INBOX = """
insert into ops.log_inbox (bucket, key, etag, eval_set_id, size_bytes, last_modified, source, state, reason,
    discovered_at, state_changed_at)
values ('b', %s, %s, 'set', 1, now() + %s * interval '1 minute', 'listing', %s, %s,
    now() - %s * interval '1 minute', now())
returning 1
"""
IMPORT = """
insert into raw.eval_import (eval_id, eval_set_id, location, etag, size_bytes, last_modified, log_status, sample_count,
    message_count, event_count, seconds, first_imported_at, imported_at)
values (%s, %s, 's3://b/k', 'e', 1, now(), %s, %s, 0, 0, 0, now(), now())
returning import_id
"""
EVAL = """
insert into raw.eval (import_id, eval_id, eval_set_id, task_id, task_name, model, status, is_invalidated, location,
    created_at, total_samples, completed_samples)
values (%s, %s, %s, 'task', 'gpqa', 'm', %s, false, 's3://b/k', now() + %s * interval '1 minute', %s, %s)
returning 1
"""
SAMPLE = """
insert into raw.sample (import_id, sample_uuid, eval_id, sample_id, epoch, is_invalidated, is_complete, message_count,
    event_count, model_call_count, tool_call_count)
values (%s, 'u', %s, '1', 1, false, true, 0, 0, 0, 0)
returning 1
"""


def result(hawk: Orchestrator, name: str):
    with hawk.connect() as connection:
        return BY_NAME[name].run(connection, hawk.settings)


def put_eval(
    hawk: Orchestrator, eval_id: str, eval_set_id: str, status: str, minute: int, *, samples: int = 0, header: int = 0
) -> int:
    [row] = hawk.fetch(IMPORT, eval_id, eval_set_id, status, samples)
    hawk.fetch(EVAL, row["import_id"], eval_id, eval_set_id, status, minute, header, header)
    return int(row["import_id"])


@pytest.mark.parametrize("name", sorted(BY_NAME))
def test_empty_warehouse_passes(hawk: Orchestrator, name: str):
    assert result(hawk, name).passed


@pytest.mark.parametrize(("groups", "is_told"), [("{model-access-public}", True), ("{model-access-x}", False)])
def test_log_that_was_set_aside_is_found_and_told_of_where_all_may_know(hawk: Orchestrator, groups: str, is_told: bool):
    hawk.fetch(
        "insert into ops.eval_set (eval_set_id, name, origin, model_groups, status, created_at, status_changed_at)"
        " values ('set', 'set', 'import', %s, 'complete', now(), now()) returning 1",
        groups,
    )
    hawk.fetch(INBOX, "evals/set/a.eval", "1", 0, "quarantined", "It is no zip.", 0)

    found = result(hawk, "no_log_is_set_aside")

    assert not found.passed
    assert ("It is no zip." in found.metadata["rows"].value) is is_told
    assert "set" in found.metadata["rows"].value


def test_quarantined_log_that_was_overwritten_by_a_good_one_is_forgiven(hawk: Orchestrator):
    hawk.fetch(INBOX, "evals/set/a.eval", "1", 0, "quarantined", "It is no zip.", 0)
    hawk.fetch(INBOX, "evals/set/a.eval", "2", 1, "imported", "", 0)

    assert result(hawk, "no_log_is_set_aside").passed


@pytest.mark.parametrize(("minutes", "passed"), [(29, True), (31, False)])
def test_log_that_waits_longer_than_half_an_hour_is_found(hawk: Orchestrator, minutes: int, passed: bool):
    hawk.fetch(INBOX, "evals/set/a.eval", "1", 0, "pending", "", minutes)

    assert result(hawk, "landed_logs_are_imported_soon").passed is passed


@pytest.mark.parametrize(("eval_id", "passed"), [("eval", True), ("another", False)])
def test_sample_of_another_eval_than_its_import_is_found(hawk: Orchestrator, eval_id: str, passed: bool):
    import_id = put_eval(hawk, "eval", "set", "success", 0)
    hawk.fetch(SAMPLE, import_id, eval_id)

    assert result(hawk, "every_sample_has_its_eval").passed is passed


@pytest.mark.parametrize(("newest", "passed"), [("success", True), ("error", False)])
def test_complete_set_whose_newest_log_failed_is_found(hawk: Orchestrator, newest: str, passed: bool):
    eval_set_id = hawk.claim()
    hawk.fetch("update ops.eval_set set status = 'complete' returning 1")
    put_eval(hawk, "first", eval_set_id, "error", 0)
    put_eval(hawk, "second", eval_set_id, newest, 1)

    assert result(hawk, "status_agrees_with_logs").passed is passed


@pytest.mark.parametrize(("minutes", "state", "passed"), [(9, "quarantined", True), (11, "dead_letter", False)])
def test_failure_that_nobody_has_seen_to_for_10_minutes_is_found(
    hawk: Orchestrator, minutes: int, state: str, passed: bool
):
    hawk.fetch(INBOX, "evals/set/a.eval", "1", 0, state, "It is no zip.", 0)
    hawk.fetch("update ops.log_inbox set state_changed_at = now() - %s * interval '1 minute' returning 1", minutes)

    found = result(hawk, "no_import_failed_for_10_minutes")

    assert found.passed is passed
    assert found.severity is dg.AssetCheckSeverity.ERROR


@pytest.mark.parametrize(
    ("counted", "header", "status", "passed"),
    [
        pytest.param(1, 1, "success", True, id="as many as were imported and the header says"),
        pytest.param(2, 1, "success", False, id="a row is missing"),
        pytest.param(1, 2, "success", False, id="the header says more"),
        pytest.param(1, 2, "error", True, id="an eval that failed has what it has"),
    ],
)
def test_samples_are_counted(hawk: Orchestrator, counted: int, header: int, status: str, passed: bool):
    import_id = put_eval(hawk, "eval", "set", status, 0, samples=counted, header=header)
    hawk.fetch(SAMPLE, import_id, "eval")

    assert result(hawk, "rows_equal_counts").passed is passed


def test_rows_without_an_import_are_found(hawk: Orchestrator):
    kept = put_eval(hawk, "eval", "set", "success", 0)
    hawk.fetch(SAMPLE, kept, "eval")
    hawk.fetch(SAMPLE, kept + 7, "eval")

    found = result(hawk, "no_orphan_rows")

    assert not found.passed
    assert found.metadata["found"].value == 1
    assert str(kept + 7) in found.metadata["rows"].value


@pytest.mark.parametrize(("minutes", "passed"), [(9, True), (11, False)])
def test_messages_that_cannot_be_searched_for_long_are_found(hawk: Orchestrator, minutes: int, passed: bool):
    import_id = put_eval(hawk, "eval", "set", "success", 0)
    hawk.fetch(
        "insert into raw.search_queue (import_id, message_count, queued_at)"
        " values (%s, 5, now() - %s * interval '1 minute') returning 1",
        import_id,
        minutes,
    )

    assert result(hawk, "messages_are_searchable_soon").passed is passed
