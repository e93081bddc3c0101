"""Edits asked for over the API: whose samples, who has to agree, what Dagster is told, what its job may reach."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hawk.auth import mint_job_token
from hawk.naming import EDIT_JOB, EDIT_REQUEST_TAG
from hawk.warehouse import inbox
from hawk.warehouse.importer import import_log
from tests.fakes.hawk_api import PRIVATE, PUBLIC, HawkApi, config_of
from tests.fakes.small_logs import small_log


def score(uuid: str, **fields: Any) -> dict[str, Any]:
    return {
        "sample_uuid": uuid,
        "details": {"type": "score_edit", "scorer": "match", "value": "I", "reason": "Wrong.", **fields},
    }


@pytest.fixture
def samples(client, hawk_api: HawkApi, tmp_path: Path) -> None:
    """Import a log of three samples into each of two sets: `mine` is public, `secret` of the private group."""
    for eval_set_id, model in (("mine", "openai/small"), ("secret", "openai/secret")):
        body = {"config": config_of(model), "eval_set_id": eval_set_id}
        assert client.post("/eval_sets", json=body, headers=hawk_api.headers()).status_code == 201
        log = small_log(tmp_path / f"{eval_set_id}.eval", samples=3, eval_id=f"eval-{eval_set_id}", model=model)
        place(hawk_api, eval_set_id, log)
    hawk_api.execute("update ops.eval_set set status = 'complete'")
    hawk_api.dagster.reset()


def place(hawk_api: HawkApi, eval_set_id: str, log: Path) -> None:
    key = f"evals/{eval_set_id}/{log.name}"
    hawk_api.services.s3.put_object(Bucket=hawk_api.settings.bucket, Key=key, Body=log.read_bytes())
    s3, settings = hawk_api.services.s3, hawk_api.settings
    with hawk_api.connection() as connection:
        inbox.discover(connection, s3, settings, [eval_set_id])
        [entry] = inbox.claim_batch(connection, 10)
        assert import_log(connection, s3, entry).state == "imported"


def ask(client, hawk_api: HawkApi, *edits: dict[str, Any], account: str = "researcher"):
    return client.post("/edits", json={"edits": list(edits)}, headers=hawk_api.headers(account))


def test_edits_are_kept_by_log_and_dagster_is_told(client, hawk_api: HawkApi, samples):
    answer = ask(
        client, hawk_api, score("eval-mine-1"), score("eval-secret-2"), score("eval-mine-2", value={"a": 1, "b": None})
    )

    body = answer.json()
    request_id = body["edit_request_id"]
    assert (answer.status_code, body["state"], body["edit_count"]) == (202, "accepted", 3)
    assert [(log["eval_set_id"], log["log"], log["edit_count"]) for log in body["logs"]] == [
        ("mine", "mine.eval", 2),
        ("secret", "secret.eval", 1),
    ]
    assert hawk_api.dagster.launches == [
        {
            "job": EDIT_JOB,
            "config": {"edit_request_id": request_id},
            "tags": {EDIT_REQUEST_TAG: request_id, "hawk/created_by": "researcher"},
        }
    ]
    kept = hawk_api.rows("select job_id, edits from ops.edit_log where eval_set_id = 'mine'")
    assert kept[0]["job_id"] == f"{request_id}-1"
    assert [(edit["position"], edit["sample_id"], edit["epoch"]) for edit in kept[0]["edits"]] == [
        (0, "1", 1),
        (2, "2", 1),
    ]
    audited = hawk_api.rows("select object_id from ops.audit where action = 'sample.edit' order by 1")
    assert {row["object_id"] for row in audited} >= {"mine", "secret"}


def test_request_waits_for_dagster_and_says_so(client, hawk_api: HawkApi, samples):
    hawk_api.dagster.is_down = True

    body = ask(client, hawk_api, score("eval-mine-1")).json()

    assert body["state"] == "accepted"
    assert "as soon as Dagster is back" in body["warnings"][0]


@pytest.mark.parametrize(
    ("permissions", "subject", "status"),
    [
        ([PUBLIC, PRIVATE], "researcher", 202),
        (["hawk-admin", PUBLIC, PRIVATE], "root", 202),
        ([PUBLIC, PRIVATE], "carol", 403),  # sees them, and owns none
        (["hawk-admin"], "root", 404),  # an administrator without the groups sees nothing
        ([PUBLIC], "researcher", 404),  # the owner of a set that he may not see any more
        ([f"{PUBLIC}:read", f"{PRIVATE}:read"], "researcher", 403),
    ],
)
def test_edits_are_for_owners_and_administrators_who_may_use_the_models(
    client, hawk_api: HawkApi, samples, permissions: list[str], subject: str, status: int
):
    token = hawk_api.signed(sub=subject, permissions=permissions)
    edits = {"edits": [score("eval-mine-1"), score("eval-secret-1")]}

    answer = client.post("/edits", json=edits, headers={"authorization": f"Bearer {token}"})

    assert answer.status_code == status, answer.text
    assert len(hawk_api.rows("select 1 from ops.edit_request")) == (1 if status == 202 else 0)


@pytest.mark.parametrize(
    ("edits", "where"),
    [
        ([], "edits"),
        ([score("eval-mine-1", value="UNCHANGED")], "edits.0.details"),
        ([{"sample_uuid": "eval-mine-1", "details": {"type": "rescore"}}], "edits.0.details"),
        ([score("eval-mine-1", reason="")], "edits.0.details"),
        ([score("eval-mine-1", value=[[1]])], "edits.0.details"),
        ([{**score("eval-mine-1"), "more": 1}], "edits.0.more"),
        ([score("eval-mine-1")] * 1001, "edits"),
        ([score("eval-mine-1", explanation="x" * 20_000)] * 30, "edits"),
    ],
    ids=[
        "none",
        "changes nothing",
        "unknown kind",
        "no reason",
        "nested value",
        "unknown field",
        "too many",
        "too long",
    ],
)
def test_what_cannot_be_done_is_refused_with_its_place(client, hawk_api: HawkApi, samples, edits, where: str):
    answer = ask(client, hawk_api, *edits)

    assert answer.status_code == 422
    assert answer.json()["field"].startswith(where)


def test_one_unknown_sample_refuses_all(client, hawk_api: HawkApi, samples):
    answer = ask(client, hawk_api, score("eval-mine-1"), score("nobody's"))

    assert (answer.status_code, answer.json()["field"]) == (404, "edits.1.sample_uuid")
    assert hawk_api.rows("select 1 from ops.edit_request") == []


@pytest.fixture
def needing_approval(hawk_api: HawkApi, monkeypatch: pytest.MonkeyPatch) -> None:
    settings = hawk_api.settings.model_copy(update={"edits_need_approval": True})
    monkeypatch.setitem(hawk_api.services.__dict__, "settings", settings)


def test_second_person_approves_and_only_then_dagster_is_told(client, hawk_api: HawkApi, samples, needing_approval):
    request_id = ask(client, hawk_api, score("eval-mine-1")).json()["edit_request_id"]
    admin = {"authorization": f"Bearer {hawk_api.signed(sub='root', permissions=['hawk-admin', PUBLIC])}"}
    stranger = {"authorization": f"Bearer {hawk_api.signed(sub='carol', permissions=[PUBLIC])}"}
    path = f"/edits/{request_id}/approve"
    assert hawk_api.dagster.launches == []

    own = client.post(path, json={}, headers=hawk_api.headers())
    strangers = client.post(path, json={}, headers=stranger)
    listed = client.get("/edits", params={"waiting": True}, headers=admin).json()["edits"]
    approved = client.post(path, json={"reason": "Agreed."}, headers=admin)
    again = client.post(path, json={}, headers=admin)

    assert (own.status_code, strangers.status_code, again.status_code) == (403, 404, 409)
    assert [edit["edit_request_id"] for edit in listed] == [request_id]
    assert (approved.status_code, approved.json()["state"]) == (202, "accepted")
    assert approved.json()["decided_by"] == "root"
    assert [launch["job"] for launch in hawk_api.dagster.launches] == [EDIT_JOB]


def test_rejected_edits_are_never_made(client, hawk_api: HawkApi, samples, needing_approval):
    request_id = ask(client, hawk_api, score("eval-mine-1")).json()["edit_request_id"]
    admin = {"authorization": f"Bearer {hawk_api.signed(sub='root', permissions=['hawk-admin', PUBLIC])}"}

    client.post(f"/edits/{request_id}/reject", json={"reason": "No."}, headers=admin)

    shown = client.get(f"/edits/{request_id}", headers=hawk_api.headers()).json()
    assert (shown["state"], shown["decision_reason"]) == ("rejected", "No.")
    assert hawk_api.dagster.launches == []


def test_edit_job_gets_credentials_for_its_set_while_it_is_due(client, hawk_api: HawkApi, samples):
    request_id = ask(client, hawk_api, score("eval-mine-1")).json()["edit_request_id"]
    token = mint_job_token(
        hawk_api.settings.job_token_key,
        job_id=f"{request_id}-1",
        permissions=[PUBLIC],
        created_by="researcher",
        lifetime=timedelta(hours=1),
    )
    body = {"job_id": f"{request_id}-1", "job_type": "edit"}
    headers = {"authorization": f"Bearer {token}"}

    before = client.post("/token", json=body, headers=headers)
    hawk_api.execute("update ops.edit_request set state = 'running'")
    running = client.post("/token", json=body, headers=headers)
    hawk_api.execute("update ops.edit_request set state = 'applied'")
    after = client.post("/token", json=body, headers=headers)

    assert (before.status_code, after.status_code) == (404, 404)
    # This deployment has no role to make sessions of; all checks are passed where that is said.
    assert "HAWK_LOG_ROLE_ARN" in running.text
