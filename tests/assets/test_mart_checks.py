"""Each check of the marts finds what it is for; on marts of just the columns that it reads."""

import pytest

from assets.mart_checks import MART_CHECKS
from tests.fakes.orchestrator import Orchestrator

BY_NAME = {check.name: check for check in MART_CHECKS}
MARTS = """
create schema if not exists marts;
create table marts.fct_eval (eval_id text, import_id bigint);
create table marts.fct_sample (eval_id text, import_id bigint, eval_set_id text, refreshed_at timestamptz);
create table marts.fct_score (import_id bigint, eval_set_id text, task_name text, scorer text, number float8);
"""
IMPORT = """
insert into raw.eval_import (eval_id, eval_set_id, location, etag, size_bytes, last_modified, log_status, sample_count,
    message_count, event_count, seconds, first_imported_at, imported_at)
values ('e', 'set', 's3://b/k', 'e', 1, now() - %s * interval '1 second', %s, 1, 0, 0, 0, now(), now())
returning import_id
"""


@pytest.fixture
def marts(hawk: Orchestrator) -> Orchestrator:
    hawk.fetch(MARTS, returns=False)
    return hawk


def imported(hawk: Orchestrator, *, seconds_ago: int = 0, status: str = "success") -> int:
    [row] = hawk.fetch(IMPORT, seconds_ago, status)
    return int(row["import_id"])


def result(hawk: Orchestrator, name: str):
    with hawk.connect() as connection:
        return BY_NAME[name].run(connection, hawk.settings)


@pytest.mark.parametrize(
    ("number", "metric", "passed"),
    [(1.0, "accuracy", True), (1.5, "accuracy", False), (-0.1, "accuracy", False), (40.0, "mean", True)],
)
def test_a_score_outside_of_an_accuracys_range_is_found(marts: Orchestrator, number: float, metric: str, passed: bool):
    import_id = imported(marts)
    marts.fetch(
        "insert into raw.eval_metric (import_id, score_name, scorer, reducer, metric, value)"
        " values (%s, 'match', 'match', '', %s, 0.5)",
        import_id,
        metric,
        returns=False,
    )
    marts.fetch("insert into marts.fct_score values (%s, 'set', 'sums', 'match', %s)", import_id, number, returns=False)

    assert result(marts, "scores_are_in_range").passed is passed


@pytest.mark.parametrize("of_eval", ["e", "another"])
def test_a_sample_whose_eval_is_not_in_the_marts_is_found(marts: Orchestrator, of_eval: str):
    import_id = imported(marts)
    marts.fetch("insert into marts.fct_eval values ('e', %s)", import_id, returns=False)
    marts.fetch("insert into marts.fct_sample values (%s, %s, 'set', now())", of_eval, import_id, returns=False)

    assert result(marts, "every_sample_in_the_marts_has_its_eval").passed is (of_eval == "e")


@pytest.mark.parametrize(
    ("landed_seconds_ago", "built_seconds_ago", "status", "passed"),
    [
        (100, 50, "success", True),
        (100, 30, "success", False),
        (30, None, "success", True),
        (100, None, "success", False),
        (100, 30, "started", True),
        (7200, 30, "success", True),
    ],
    ids=["in time", "late", "on its way", "missing", "still running", "long ago"],
)
def test_a_log_that_took_longer_than_a_minute_to_the_marts_is_found(
    marts: Orchestrator, landed_seconds_ago: int, built_seconds_ago: int | None, status: str, passed: bool
):
    import_id = imported(marts, seconds_ago=landed_seconds_ago, status=status)
    if built_seconds_ago is not None:
        marts.fetch(
            "insert into marts.fct_sample values ('e', %s, 'set', now() - %s * interval '1 second')",
            import_id,
            built_seconds_ago,
            returns=False,
        )

    found = result(marts, "landed_logs_reach_the_marts_within_a_minute")

    assert found.passed is passed
