"""`hawk local eval-set` with the real runner and a model at the border of HTTP."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from inspect_ai.log import read_eval_log

from hawk.cli.local_run import LocalRun, programs_folder
from hawk.config.eval_set import EvalSetConfig
from hawk.errors import UserError
from hawk.ids import JobId
from hawk.job_spec import InfraConfig, JobSpec
from tests.fakes.chat_model import ChatModel

PROBE_TASKS = Path(__file__).parents[1] / "data" / "probe_tasks"
ONE_ECHO = {"name": "echo", "args": {"samples": 1}}
CONFIG = {
    "name": "here",
    "tasks": [{"package": str(PROBE_TASKS), "name": "probe_tasks", "items": [ONE_ECHO]}],
    "models": [{"package": "openai", "name": "openai", "items": [{"name": "gpt-4o-mini"}]}],
    "runner": {"secrets": [{"name": "MY_TOKEN"}]},
}


@pytest.fixture
def config_file(tmp_path: Path) -> Path:
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps(CONFIG))
    return path


def spec(log_dir: Path) -> JobSpec:
    infra = InfraConfig(created_by="me", model_groups=(), log_dir=str(log_dir))
    return JobSpec(job_id=JobId("here"), config=EvalSetConfig.model_validate(CONFIG), infra=infra)


def test_runs_with_ones_own_keys_and_leaves_logs_and_no_secret(home, config_file, tmp_path, pytestconfig) -> None:
    cache = pytestconfig.cache.mkdir("runner-venvs")
    (home / "local").mkdir()
    (home / "local" / ".venvs").symlink_to(cache)
    model = ChatModel()
    model.start()
    keys = {"OPENAI_BASE_URL": model.url, "OPENAI_API_KEY": "my-own-key", "MY_TOKEN": "swordfish"}

    done = subprocess.run(
        [*(sys.executable, "-m", "hawk.cli.main", "local", "eval-set"), str(config_file), "--direct", "--json"],
        cwd=tmp_path,
        env={**os.environ, **keys, "HAWK_HOME": str(home)},
        capture_output=True,
        text=True,
    )
    model.stop()

    assert done.returncode == 0, done.stderr
    answer = json.loads(done.stdout)
    [log] = Path(answer["log_dir"]).glob("*.eval")
    assert Path(answer["log_dir"]).parent == tmp_path / "logs"
    assert read_eval_log(str(log)).status == "success"
    left = [path for path in (home / "local" / answer["eval_set_id"]).rglob("*") if path.is_file()]
    assert not [path for path in left if "swordfish" in path.read_text(errors="replace")]


def test_secret_that_neither_environment_nor_options_give_is_named(hawk, config_file) -> None:
    result = hawk("local", "eval-set", str(config_file), "--direct")

    assert result.exit_code == 2
    assert "MY_TOKEN" in result.stderr


def test_without_a_proxy_own_keys_are_asked_for(hawk, config_file, monkeypatch) -> None:
    monkeypatch.setenv("MY_TOKEN", "x")

    result = hawk("local", "eval-set", str(config_file))

    assert result.exit_code == 2
    assert "--direct" in result.stderr


def test_runner_gets_the_token_of_the_moment_in_a_file_for_the_owner_only(tmp_path) -> None:
    run = LocalRun(spec(tmp_path / "logs"), tmp_path, tmp_path, {"A": "b"}, token=lambda: "token-1")

    run._write_token(lambda: "token-2")

    file = tmp_path / "token"
    assert (file.read_text(), file.stat().st_mode & 0o777) == ("token-2", 0o600)
    environment = run._environment()
    assert (environment["HAWK_TOKEN_FILE"], environment["A"]) == (str(file), "b")


def test_nothing_that_hawk_itself_is_told_reaches_the_tasks(tmp_path, monkeypatch) -> None:
    monkeypatch.setenv("HAWK_ACCESS_TOKEN", "swordfish")

    environment = LocalRun(spec(tmp_path / "logs"), tmp_path, tmp_path, {})._environment()

    assert not [name for name in environment if name.startswith("HAWK_")]


def test_runner_is_found_in_an_installation_as_in_a_checkout(tmp_path, monkeypatch) -> None:
    import hawk

    installed = tmp_path / "site-packages" / "hawk"
    (installed / "programs" / "runner").mkdir(parents=True)
    (installed / "programs" / "runner" / "inside_venv.py").touch()

    assert programs_folder() == Path(__file__).parents[2]
    monkeypatch.setattr(hawk, "__path__", [str(installed)])
    assert programs_folder() == installed / "programs"
    monkeypatch.setattr(hawk, "__path__", [str(tmp_path / "nowhere" / "hawk")])
    with pytest.raises(UserError, match="no runner"):
        programs_folder()
