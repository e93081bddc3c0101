from tests.fakes.hawk_api import HawkApi, config_of

PLACE = "/eval_sets/mine/stacktrace"


def set_with_attempt(client, hawk_api: HawkApi, phase: str) -> None:
    body = {"config": config_of(), "eval_set_id": "mine"}
    assert client.post("/eval_sets", json=body, headers=hawk_api.headers()).status_code == 201
    hawk_api.execute("update ops.eval_set set status = 'launched'")
    hawk_api.execute(
        "insert into ops.attempt (eval_set_id, job_name, attempt_number, launcher, phase, started_at, updated_at)"
        " values ('mine', 'runner', 1, 'local', %s, now(), now())",
        phase,
    )


def test_runner_is_asked_by_a_run_of_dagster_and_its_answer_is_read_when_it_has_come(client, hawk_api) -> None:
    set_with_attempt(client, hawk_api, "running")

    asked = client.post(PLACE, headers=hawk_api.headers())
    run_id = asked.json()["dagster_run_id"]
    before = client.get(PLACE, params={"run_id": run_id}, headers=hawk_api.headers()).json()
    hawk_api.execute(
        "update ops.attempt set stack_trace = 'main', stack_trace_run_id = %s, stack_traced_at = now()", run_id
    )
    after = client.get(PLACE, params={"run_id": run_id}, headers=hawk_api.headers()).json()

    assert asked.status_code == 202
    assert hawk_api.dagster.launches[-1]["job"] == "show_stack_trace"
    assert hawk_api.dagster.launches[-1]["config"] == {"eval_set_id": "mine"}
    assert (before["state"], before["text"]) == ("pending", "")
    assert (after["state"], after["attempt_number"], after["text"]) == ("ready", 1, "main")
    assert client.get(PLACE, headers=hawk_api.headers()).json() == after  # the last one
    assert hawk_api.rows("select action from ops.audit where action = 'eval_set.stacktrace'")


def test_set_whose_runner_does_not_run_is_refused(client, hawk_api) -> None:
    set_with_attempt(client, hawk_api, "failed")

    answer = client.post(PLACE, headers=hawk_api.headers())

    assert answer.status_code == 409
    assert "No runner of eval set mine runs" in answer.json()["detail"]
    assert client.get(PLACE, headers=hawk_api.headers()).json()["state"] == "none"


def test_run_that_is_not_there_has_failed(client, hawk_api) -> None:
    set_with_attempt(client, hawk_api, "running")

    answer = client.get(PLACE, params={"run_id": "no-such-run"}, headers=hawk_api.headers())

    assert answer.json()["state"] == "failed"
