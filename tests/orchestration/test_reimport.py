import dagster as dg
import pytest

from assets.import_logs import import_pending_logs
from hawk.errors import NotFound
from hawk.naming import REIMPORT_JOB
from orchestration.definitions import definitions
from tests.fakes.import_runs import LOGS, land
from tests.fakes.orchestrator import EVALS, Orchestrator


def run_reimport(hawk: Orchestrator, **config: object) -> dg.ExecuteInProcessResult:
    job = definitions().resolve_job_def(REIMPORT_JOB)
    return job.execute_in_process(
        instance=hawk.instance, resources=hawk.resources, run_config=config, raise_on_error=False
    )


def states(hawk: Orchestrator) -> list[tuple[str, bool]]:
    rows = hawk.fetch("select state, is_forced from ops.log_inbox order by key")
    return [(row["state"], row["is_forced"]) for row in rows]


@pytest.fixture
def old_logs(hawk: Orchestrator) -> str:
    """Return a set with a log that is imported and one that was set aside."""
    hawk.put_log("old-logs", EVALS / "README.md", name="broken.eval")
    land(hawk, "old-logs", LOGS[0])
    hawk.fetch(
        "insert into ops.eval_set (eval_set_id, name, origin, status, created_at, status_changed_at)"
        " values ('old-logs', 'old', 'listing', 'complete', now(), now())",
        returns=False,
    )
    hawk.fetch(
        "update ops.log_inbox set state = case when key like '%%broken%%' then 'quarantined' else 'imported' end",
        returns=False,
    )
    return "old-logs"


def test_logs_that_were_set_aside_wait_again(hawk: Orchestrator, old_logs: str):
    result = run_reimport(hawk, eval_set_id=old_logs)

    assert result.success
    assert states(hawk) == [("pending", False), ("imported", False)]


def test_all_logs_wait_again_where_that_is_forced(hawk: Orchestrator, old_logs: str):
    result = run_reimport(hawk, eval_set_id=old_logs, force=True)

    assert result.success
    assert states(hawk) == [("pending", True), ("pending", True)]


@pytest.mark.parametrize(
    ("eval_set_id", "kind"), [("nobodys", NotFound.__name__), ("No Id!", "UserError"), ("x" * 99, "UserError")]
)
def test_id_of_no_set_fails_with_a_sentence(hawk: Orchestrator, eval_set_id: str, kind: str):
    result = run_reimport(hawk, eval_set_id=eval_set_id)

    [failure] = [event for event in result.all_events if event.event_type is dg.DagsterEventType.STEP_FAILURE]
    assert failure.step_failure_data.user_failure_data.metadata["kind"].value == kind


def test_launchpad_explains_itself():
    job = definitions().resolve_job_def(REIMPORT_JOB)

    assert "hawk imports list" in str(job.description)
    fields = job.config_mapping.config_schema.config_type.fields
    assert fields.keys() == {"eval_set_id", "force"}
    assert all(field.description for field in fields.values())
    assert fields["force"].default_value is False


def test_import_after_it_replaces_the_rows(hawk: Orchestrator):
    land(hawk, "old-logs", LOGS[0])
    import_pending_logs(hawk.settings)
    before = hawk.fetch("select import_id from raw.eval")

    run_reimport(hawk, eval_set_id="old-logs", force=True)
    import_pending_logs(hawk.settings)

    after = hawk.fetch("select import_id from raw.eval")
    assert len(after) == len(before) == 1
    assert after != before
