"""The janitor's view of eval sets, on a real warehouse."""

import dagster as dg

from hawk.ids import JobId
from orchestration.janitor import job_facts, remove_leftovers
from tests.fakes.orchestrator import Orchestrator


def test_job_is_known_by_its_set_and_since_when_it_has_ended_or_its_attempt_runs(hawk: Orchestrator) -> None:
    running, ended = JobId(hawk.claim()), JobId(hawk.claim())
    hawk.fetch(
        "update ops.eval_set set status = 'complete', status_changed_at = '2026-01-01Z' where eval_set_id = %s",
        ended,
        returns=False,
    )
    for number, moment in ((1, "2026-01-02T00:00:00Z"), (2, "2026-01-03T00:00:00Z")):
        hawk.fetch(
            "insert into ops.attempt (eval_set_id, job_name, attempt_number, launcher, phase, started_at, updated_at) "
            "values (%s, 'runner', %s, 'kubernetes', 'running', %s, now())",
            running,
            number,
            moment,
            returns=False,
        )

    with hawk.connect() as connection:
        facts = job_facts(connection, [running, ended, JobId("unknown")])

    assert {job_id: (fact.has_ended, fact.since.isoformat()) for job_id, fact in facts.items()} == {
        ended: (True, "2026-01-01T00:00:00+00:00"),
        running: (False, "2026-01-03T00:00:00+00:00"),
    }


def test_janitor_has_nothing_to_do_where_jobs_run_on_this_machine(hawk: Orchestrator) -> None:
    result = remove_leftovers.execute_in_process(resources=hawk.resources, instance=dg.DagsterInstance.ephemeral())

    assert result.success
