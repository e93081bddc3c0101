from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from hawk.naming import ANALYSES_JOB, IMPORT_JOB
from orchestration.analyses_sensor import MARTS_TAG, PastAnalysis, evaluate, marts_state, reason_to_wait
from tests.fakes.orchestrator import Orchestrator

NOW = datetime(2026, 5, 1, 12, 0, tzinfo=UTC)
PAUSE = timedelta(minutes=5)
MARTS = """
create schema if not exists marts;
create table marts.fct_eval (eval_id text, import_id bigint);
insert into marts.fct_eval values ('first', 1);
"""


def ran(minutes_ago: float, *, saw: str | None = "before", succeeded: bool = True) -> list[PastAnalysis]:
    return [PastAnalysis(saw=saw, succeeded=succeeded, began_at=NOW - timedelta(minutes=minutes_ago))]


@pytest.mark.parametrize(
    ("past", "is_importing", "reason"),
    [
        ([], False, None),
        ([], True, "import"),
        (ran(1), False, "not long ago"),
        (ran(6), False, None),
        (ran(6), True, "import"),
        (ran(31), True, None),
        (ran(600, saw="now"), False, "as the analyses saw them"),
        (ran(600, saw=None), False, None),
        (ran(6, succeeded=False), False, "failed"),
        (ran(11, saw="now", succeeded=False), False, None),
    ],
    ids=[
        "never computed",
        "never computed, importing",
        "just computed",
        "changed",
        "changed, importing",
        "importing for long",
        "unchanged",
        "computed by hand",
        "failed lately",
        "failed a while ago",
    ],
)
def test_when_a_run_is_due(past, is_importing, reason):
    found = reason_to_wait("now", past, pause=PAUSE, is_importing=is_importing, now=NOW)

    assert found is None if reason is None else reason in found


def tick(hawk: Orchestrator) -> dg.SensorResult:
    return evaluate(dg.build_sensor_context(instance=hawk.instance), hawk.settings, now=datetime.now(UTC))


def finish(hawk: Orchestrator, request: dg.RunRequest) -> None:
    """Let a requested run have succeeded an hour ago."""
    an_hour_ago = datetime.now(UTC) - timedelta(hours=1)
    run = dg.DagsterRun(job_name=ANALYSES_JOB, status=dg.DagsterRunStatus.SUCCESS, tags=dict(request.tags))
    hawk.instance.run_storage.add_historical_run(run, run_creation_time=an_hour_ago)


def test_a_changed_mart_is_analysed_once(hawk: Orchestrator):
    assert "not there yet" in tick(hawk).skip_reason.skip_message
    hawk.fetch(MARTS, returns=False)

    [request] = tick(hawk).run_requests or ()
    finish(hawk, request)

    assert request.job_name == ANALYSES_JOB
    assert request.tags[MARTS_TAG] == marts_state(hawk.settings)
    assert "as the analyses saw them" in tick(hawk).skip_reason.skip_message
    hawk.fetch("update marts.fct_eval set import_id = 2", returns=False)
    assert tick(hawk).run_requests


def test_a_set_that_got_other_groups_is_a_change_too(hawk: Orchestrator):
    hawk.fetch(MARTS, returns=False)
    eval_set_id = hawk.claim()
    before = marts_state(hawk.settings)

    hawk.fetch("update ops.eval_set set model_groups = '{secret}' where eval_set_id = %s", eval_set_id, returns=False)

    assert marts_state(hawk.settings) != before


def test_nothing_is_requested_while_a_run_or_an_import_is_under_way(hawk: Orchestrator):
    hawk.fetch(MARTS, returns=False)
    hawk.instance.add_run(dg.DagsterRun(job_name=IMPORT_JOB, status=dg.DagsterRunStatus.STARTED))
    assert tick(hawk).skip_reason.skip_message == "An import is under way."

    hawk.instance.add_run(dg.DagsterRun(job_name=ANALYSES_JOB, status=dg.DagsterRunStatus.STARTED))
    assert tick(hawk).skip_reason.skip_message == "The analyses are being computed."
