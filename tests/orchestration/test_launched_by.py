"""Runs that came through Dagster's door act as who launched them."""

import dagster as dg
import psycopg
import pytest
from psycopg.rows import dict_row

from hawk.auth import Principal
from hawk.launch_stamps import write_stamp
from hawk.naming import LAUNCH_STAMP_TAG, LAUNCHPAD_ORDER
from orchestration.eval_set_actions import delete_eval_set, retry_eval_set, stop_eval_set
from orchestration.submit_eval_set import submit_eval_set
from tests.fakes.orchestrator import Orchestrator, simple_config

PUBLIC = "model-access-public"


def stamp(hawk: Orchestrator, subject: str, *groups: str, config=None, is_admin: bool = False) -> str:
    principal = Principal(subject=subject, permissions=frozenset(groups), is_admin=is_admin)
    url = hawk.settings.database_url.get_secret_value()
    with psycopg.connect(url, row_factory=dict_row) as connection:
        return write_stamp(connection, principal, config)


def run(hawk: Orchestrator, job: dg.JobDefinition, config: dict, **tags: str) -> dg.ExecuteInProcessResult:
    return job.execute_in_process(
        run_config=config, instance=hawk.instance, resources=hawk.resources, raise_on_error=False, tags=tags
    )


def stamped_run(hawk: Orchestrator, job: dg.JobDefinition, config: dict, made: str) -> dg.ExecuteInProcessResult:
    return run(hawk, job, config, **{LAUNCH_STAMP_TAG: made})


def failure(result: dg.ExecuteInProcessResult) -> str:
    [event] = [event for event in result.all_events if event.event_type is dg.DagsterEventType.STEP_FAILURE]
    return str(event.step_failure_data)


def test_launchpad_acts_as_the_person_with_the_yaml_that_the_door_kept(hawk: Orchestrator):
    made = stamp(hawk, "alice", PUBLIC, config=simple_config())

    result = stamped_run(hawk, submit_eval_set, {LAUNCHPAD_ORDER: made}, made)

    assert result.success
    [row] = hawk.fetch("select created_by, config from ops.eval_set")
    assert row == {"created_by": "alice", "config": simple_config()}
    [entry] = hawk.fetch("select subject, door, action from ops.audit where action = 'eval_set.launch'")
    assert entry == {"subject": "alice", "door": "dagster", "action": "eval_set.launch"}


def test_person_without_the_models_group_is_refused(hawk: Orchestrator):
    made = stamp(hawk, "bob", "model-access-other", config=simple_config())

    result = stamped_run(hawk, submit_eval_set, {LAUNCHPAD_ORDER: made}, made)

    assert not result.success and PUBLIC in failure(result)
    assert hawk.fetch("select 1 from ops.eval_set") == []


def test_order_of_another_is_not_run_again(hawk: Orchestrator):
    of_alice = stamp(hawk, "alice", PUBLIC, config=simple_config())
    of_bob = stamp(hawk, "bob", PUBLIC)

    result = stamped_run(hawk, submit_eval_set, {LAUNCHPAD_ORDER: of_alice}, of_bob)

    assert not result.success and "another person" in failure(result)


def test_stamp_that_the_door_did_not_make_is_refused(hawk: Orchestrator):
    result = stamped_run(hawk, submit_eval_set, simple_config(), "made-up")

    assert not result.success and "did not make" in failure(result)


@pytest.mark.parametrize("job", [stop_eval_set, delete_eval_set, retry_eval_set], ids=lambda job: job.name)
@pytest.mark.parametrize(
    ("subject", "groups", "is_admin", "said"),
    [
        ("bob", [PUBLIC], False, "was made by"),
        ("bob", [], False, "no eval set"),
        ("bob", [], True, "no eval set"),
        ("bob", [f"{PUBLIC}:read"], True, "You lack"),
    ],
    ids=["another's", "no groups", "admin without groups", "admin who only reads"],
)
def test_action_on_a_set_takes_its_owner_or_an_admin_with_its_groups(
    hawk: Orchestrator, job, subject, groups, is_admin, said
):
    eval_set_id = hawk.claim()

    result = stamped_run(hawk, job, {"eval_set_id": eval_set_id}, stamp(hawk, subject, *groups, is_admin=is_admin))

    assert not result.success and said in failure(result)


def test_admin_with_the_groups_deletes_it(hawk: Orchestrator):
    eval_set_id = hawk.claim()

    assert stamped_run(
        hawk, delete_eval_set, {"eval_set_id": eval_set_id}, stamp(hawk, "root", PUBLIC, is_admin=True)
    ).success
