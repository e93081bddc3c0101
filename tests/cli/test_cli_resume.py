import json

import pytest

from tests.fakes.hawk_api import config_of


@pytest.fixture
def ended(hawk, hawk_api, tmp_path, monkeypatch) -> str:
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps(config_of(eval_set_id="mine", runner={"secrets": [{"name": "MY_TOKEN"}]})))
    monkeypatch.setenv("MY_TOKEN", "value")
    assert hawk("eval-set", str(path), "--secret", "MY_TOKEN").exit_code == 0
    hawk_api.execute("update ops.eval_set set status = 'failed'")
    hawk_api.execute("delete from ops.job_secret")
    return "mine"


@pytest.mark.parametrize("command", [["resume"], ["eval-set", "resume"]], ids=" ".join)
def test_last_set_is_launched_again(hawk, hawk_api, ended, command) -> None:
    result = hawk(*command, "--secret", "MY_TOKEN", "--priority", "low")

    assert result.exit_code == 0, result.output
    assert result.stdout.startswith("Eval set: mine\n")
    assert hawk_api.rows("select status, priority from ops.eval_set") == [{"status": "claimed", "priority": "low"}]


def test_secrets_that_are_missing_are_named_before_anything_is_launched(hawk, hawk_api, ended) -> None:
    result = hawk("resume")

    assert result.exit_code == 2
    assert "MY_TOKEN" in result.stderr
    assert hawk_api.rows("select status from ops.eval_set") == [{"status": "failed"}]


def test_other_config_needs_the_id(hawk, hawk_api, ended, tmp_path) -> None:
    path = tmp_path / "other.yaml"
    path.write_text(json.dumps(config_of(message_limit=7)))

    refused, resumed = hawk("resume", "--config", str(path)), hawk("resume", "mine", "--config", str(path))

    assert (refused.exit_code, resumed.exit_code) == (2, 0), resumed.output
    [row] = hawk_api.rows("select config->>'message_limit' as message_limit from ops.eval_set")
    assert row["message_limit"] == "7"


def test_set_that_runs_is_a_conflict(hawk, hawk_api, ended) -> None:
    hawk_api.execute("update ops.eval_set set status = 'launched'")

    assert hawk("resume", "mine", "--secret", "MY_TOKEN").exit_code == 5
