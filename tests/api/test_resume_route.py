import pytest

from tests.fakes.hawk_api import HawkApi, config_of

CHECKPOINT = {"enabled": True, "checkpoints_location": "s3://elsewhere/checkpoints"}


@pytest.fixture
def ended(client, hawk_api) -> HawkApi:
    config = config_of(checkpoint=CHECKPOINT, runner={"secrets": [{"name": "TOKEN"}]})
    body = {"config": config, "eval_set_id": "mine", "secrets": {"TOKEN": "first"}, "priority": "high"}
    assert client.post("/eval_sets", json=body, headers=hawk_api.headers()).status_code == 201
    hawk_api.execute("update ops.eval_set set status = 'failed'")
    hawk_api.execute("delete from ops.job_secret")  # they go with the job
    return hawk_api


def resume(client, api: HawkApi, account: str = "researcher", eval_set_id: str = "mine", **body):
    return client.post(f"/eval_sets/{eval_set_id}/resume", json=body, headers=api.headers(account))


def test_set_is_launched_again_as_it_was(client, ended) -> None:
    answer = resume(client, ended, secrets={"TOKEN": "again"})

    assert answer.status_code == 201, answer.text
    [row] = ended.rows("select status, priority, config->>'name' as name from ops.eval_set")
    assert row == {"status": "claimed", "priority": "high", "name": "arithmetic"}
    [entry] = ended.rows("select action, object_id from ops.audit order by audit_id desc limit 1")
    assert entry == {"action": "eval_set.resume", "object_id": "mine"}


def test_other_config_takes_the_place_of_the_stored_one(client, ended) -> None:
    config = config_of(checkpoint=CHECKPOINT, message_limit=5)

    assert resume(client, ended, config=config).status_code == 201

    [row] = ended.rows("select config->>'message_limit' as message_limit from ops.eval_set")
    assert row["message_limit"] == "5"


def test_secrets_must_be_given_again(client, ended) -> None:
    answer = resume(client, ended)

    assert answer.status_code == 422
    assert answer.json()["field"] == "secrets"
    assert "TOKEN" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("config", "field"),
    [
        (config_of(eval_set_id="other", checkpoint=CHECKPOINT), "config.eval_set_id"),
        (config_of(), "config.checkpoint"),
        (config_of(checkpoint={"enabled": True}), "config.checkpoint"),
    ],
    ids=["of another set", "without checkpoints", "checkpoints elsewhere"],
)
def test_config_that_cannot_go_on_is_refused_and_changes_nothing(client, ended, config, field) -> None:
    answer = resume(client, ended, config=config, secrets={"TOKEN": "again"})

    assert (answer.status_code, answer.json()["field"]) == (422, field)
    assert ended.rows("select status from ops.eval_set") == [{"status": "failed"}]


def test_active_set_is_a_conflict(client, ended) -> None:
    ended.execute("update ops.eval_set set status = 'launched'")

    assert resume(client, ended, secrets={"TOKEN": "again"}).status_code == 409


def test_set_that_only_its_logs_tell_of_needs_a_config(client, ended) -> None:
    ended.execute("update ops.eval_set set config = null")

    assert resume(client, ended).status_code == 409
    assert resume(client, ended, config=config_of()).status_code == 201


def test_only_owner_and_admin_may(client, ended) -> None:
    answers = [resume(client, ended, account, secrets={"TOKEN": "x"}) for account in ("public-user", "researcher")]

    assert [answer.status_code for answer in answers] == [403, 201]
