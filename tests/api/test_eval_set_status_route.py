import json

import pytest

from tests.fakes.hawk_api import HawkApi, config_of

TASK = {
    "task_name": "arithmetic",
    "model": "openai/small",
    "eval_id": "eval-1",
    "state": "running",
    "total_samples": 3,
    "completed_samples": 2,
    "failed_samples": 1,
}


@pytest.fixture
def mine(client, hawk_api: HawkApi) -> HawkApi:
    response = client.post(
        "/eval_sets", json={"config": config_of(), "eval_set_id": "mine"}, headers=hawk_api.headers()
    )
    assert response.status_code == 201
    return hawk_api


def status(client, hawk_api: HawkApi, **query) -> dict:
    response = client.get("/eval_sets/mine/status", headers=hawk_api.headers(), params=query)
    assert response.status_code == 200, response.text
    return response.json()


def launch(api: HawkApi, state: str = "launched") -> None:
    api.execute("update ops.eval_set set status = %s, status_changed_at = now() - interval '5 minutes'", state)


def add_attempt(api: HawkApi, number: int, phase: str, *, minutes_ago: int = 1, **fields) -> None:
    ended = f"now() - interval '{minutes_ago} minutes'" if phase in {"failed", "succeeded", "stopped"} else "null"
    api.execute(
        "insert into ops.attempt (eval_set_id, job_name, attempt_number, launcher, phase, exit_code, reason, message,"
        f" started_at, ended_at, updated_at) values ('mine', 'mine', %s, 'local', %s, %s, %s, %s,"
        f" now() - interval '{minutes_ago + 1} minutes', {ended}, now())",
        number,
        phase,
        fields.get("exit_code"),
        fields.get("reason", ""),
        fields.get("message", ""),
    )


def add_progress(api: HawkApi, *tasks: dict) -> None:
    body = {"eval_set_id": "mine", "first_sample_at": "2026-11-24T10:00:00Z", "tasks": tasks}
    api.services.s3.put_object(
        Bucket=api.settings.bucket, Key="evals/mine/.progress/mine.json", Body=json.dumps(body).encode()
    )


def add_eval(api: HawkApi, eval_id: str = "eval-1", *, status: str = "success", task_id: str = "task-1") -> int:
    [row] = api.rows(
        "insert into raw.eval_import (eval_id, eval_set_id, location, etag, size_bytes, last_modified, log_status,"
        " sample_count, message_count, event_count, seconds, first_imported_at, imported_at)"
        " values (%s, 'mine', 's3://x', 'e', 1, now(), 'success', 3, 0, 0, 0, now(), now()) returning import_id",
        eval_id,
    )
    api.execute(
        "insert into raw.eval (import_id, eval_id, eval_set_id, task_id, task_name, model, status, is_invalidated,"
        " total_samples, completed_samples, location, error_message, created_at)"
        " values (%s, %s, 'mine', %s, 'arithmetic', 'openai/small', %s, false, 3, 3, 's3://x', 'boom', now())",
        row["import_id"],
        eval_id,
        task_id,
        status,
    )
    return int(row["import_id"])


def add_inbox(api: HawkApi, key: str, state: str, *, reason: str = "", etag: str = "e") -> None:
    api.execute(
        "insert into ops.log_inbox (bucket, key, etag, eval_set_id, size_bytes, last_modified, source, state, reason,"
        " discovered_at, state_changed_at) values ('b', %s, %s, 'mine', 1, now(), 'listing', %s, %s, now(), now())",
        key,
        etag,
        state,
        reason,
    )


def show_in_marts(api: HawkApi, *import_ids: int) -> None:
    api.execute("create table if not exists marts.fct_eval (eval_id text, import_id bigint, access_set_id integer)")
    api.execute("select ops.protect_rows('marts.fct_eval')")
    for import_id in import_ids:
        api.execute(
            "insert into marts.fct_eval"
            " select eval_id, import_id, access_set_id from raw.eval_import where import_id = %s",
            import_id,
        )


def test_fresh_set_is_pending(client, mine) -> None:
    answer = status(client, mine)

    assert (answer["status"], answer["name"], answer["created_by"]) == ("pending", "arithmetic", "researcher")
    assert answer["dagster_run_url"] == "http://dagster.example/runs/run-1"
    assert answer["tasks"] == [] and answer["attempts"] == [] and answer["first_sample_at"] is None


def test_running_set_shows_tasks_and_samples(client, mine) -> None:
    launch(mine)
    add_attempt(mine, 1, "running")
    samples = [{"sample_id": str(n), "epoch": 1, "state": "success", "scores": {"match": "C"}} for n in range(3)]
    add_progress(mine, {**TASK, "samples": [*samples, {"sample_id": "9", "epoch": 1, "state": "running"}]})

    answer = status(client, mine, samples=2)

    assert answer["status"] == "running"
    assert answer["first_sample_at"] == "2026-11-24T10:00:00Z"
    [task] = answer["tasks"]
    assert (task["completed_samples"], task["total_samples"], task["failed_samples"]) == (2, 3, 1)
    assert [sample["state"] for sample in task["samples"]] == ["running", "success"]


def test_failed_attempt_that_is_tried_again_is_pending_with_its_reason(client, mine) -> None:
    launch(mine)
    add_attempt(mine, 1, "failed", exit_code=1, reason="Error", message="The model did not answer.")

    answer = status(client, mine)

    assert answer["status"] == "pending"
    assert "The model did not answer." in answer["status_reason"]
    assert answer["attempts"][0]["exit_code"] == 1


def test_attempts_of_an_earlier_launch_do_not_count(client, mine) -> None:
    launch(mine)
    add_attempt(mine, 1, "failed", minutes_ago=60)
    add_attempt(mine, 2, "failed", minutes_ago=50)

    answer = status(client, mine)

    assert answer["status"] == "pending"
    assert len(answer["attempts"]) == 2


def test_ended_set_is_importing_until_dbt_has_seen_its_logs(client, mine) -> None:
    launch(mine, "complete")
    add_inbox(mine, "evals/mine/a.eval", "pending")
    assert status(client, mine)["status"] == "importing"

    mine.execute("update ops.log_inbox set state = 'imported'")
    import_id = add_eval(mine)
    assert status(client, mine)["status"] == "importing"

    show_in_marts(mine)
    assert status(client, mine)["status"] == "importing"

    show_in_marts(mine, import_id)
    answer = status(client, mine)
    assert answer["status"] == "complete"
    assert {**answer["imports"], "problems": []} == {
        "landed": 1,
        "pending": 0,
        "imported": 1,
        "quarantined": 0,
        "in_marts": 1,
        "problems": [],
    }


def test_log_that_was_imported_anew_is_not_in_the_marts_yet(client, mine) -> None:
    launch(mine, "complete")
    show_in_marts(mine, add_eval(mine))
    assert status(client, mine)["status"] == "complete"

    mine.execute("delete from raw.eval_import")
    add_eval(mine)

    assert status(client, mine)["status"] == "importing"


def test_only_the_newest_version_of_a_log_counts(client, mine) -> None:
    launch(mine, "complete")
    add_inbox(mine, "evals/mine/a.eval", "superseded", etag="1")
    add_inbox(mine, "evals/mine/a.eval", "quarantined", etag="2", reason="not a zip")

    answer = status(client, mine)

    assert answer["imports"]["landed"] == 1
    assert answer["status"] == "failed"
    assert answer["imports"]["problems"] == ["a.eval: not a zip"]


def test_complete_set_with_a_log_of_an_error_is_failed(client, mine) -> None:
    launch(mine, "complete")
    show_in_marts(mine, add_eval(mine, status="error"))

    answer = status(client, mine)

    assert (answer["status"], answer["status_reason"]) == ("failed", "arithmetic ended with an error: boom.")


def test_error_that_a_retry_mended_is_complete(client, mine) -> None:
    launch(mine, "complete")
    first = add_eval(mine, "eval-0", status="error")
    show_in_marts(mine, first, add_eval(mine, "eval-1"))

    answer = status(client, mine)

    assert answer["status"] == "complete"
    assert [task["eval_id"] for task in answer["tasks"]] == ["eval-1"]


@pytest.mark.parametrize(("log_status", "state"), [("success", "success"), (None, "cancelled")])
def test_task_that_a_killed_runner_left_running_ends_as_its_log_says(client, mine, log_status, state) -> None:
    launch(mine, "failed")
    add_progress(mine, TASK)
    if log_status:
        show_in_marts(mine, add_eval(mine, status=log_status))

    assert [task["state"] for task in status(client, mine)["tasks"]] == [state]


def test_hostile_progress_leaves_the_rest(client, mine) -> None:
    launch(mine)
    mine.services.s3.put_object(Bucket=mine.settings.bucket, Key="evals/mine/.progress/x.json", Body=b"[" * 10_000)
    add_progress(mine, TASK)

    assert [task["task_name"] for task in status(client, mine)["tasks"]] == ["arithmetic"]


def test_list_counts_evals_and_samples(client, mine) -> None:
    launch(mine, "complete")
    show_in_marts(mine, add_eval(mine))

    [entry] = client.get("/eval_sets", headers=mine.headers()).json()["eval_sets"]

    assert (entry["status"], entry["eval_count"], entry["sample_count"]) == ("complete", 1, 3)
