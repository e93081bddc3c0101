import json
import threading
import time
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from hawk.cli.log_follow import read_events
from hawk.cli.main import COMMANDS, main
from tests.fakes.hawk_api import config_of


@pytest.fixture
def mine(hawk, hawk_api, tmp_path) -> str:
    path = tmp_path / "config.yaml"
    path.write_text(json.dumps(config_of(eval_set_id="mine")))
    assert hawk("eval-set", str(path)).exit_code == 0
    return "mine"


def progress(hawk_api, *tasks: dict) -> None:
    body = json.dumps({"eval_set_id": "mine", "tasks": tasks}).encode()
    hawk_api.services.s3.put_object(Bucket=hawk_api.settings.bucket, Key="evals/mine/.progress/mine.json", Body=body)


TASK = {
    "task_name": "arithmetic",
    "model": "openai/small",
    "state": "success",
    "total_samples": 1,
    "completed_samples": 1,
    "samples": [
        {"sample_id": "one", "epoch": 1, "state": "success", "scores": {"match": "C"}, "seconds": 1.5},
        {"sample_id": "\x1b[31mtwo", "epoch": 2, "state": "error", "message": "[bold]boom[/bold]"},
    ],
}


def all_commands(command: click.Command, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    if not isinstance(command, click.Group):
        return [path]
    context = click.Context(command)
    names = command.list_commands(context)
    found = [path] if path else []
    for name in names:
        child = command.get_command(context, name)
        assert child is not None
        found += all_commands(child, (*path, name))
    return found


OURS = [path for path in all_commands(main) if path[0] != "dev"]


@pytest.mark.parametrize("path", OURS, ids=" ".join)
def test_every_command_has_help(path) -> None:
    result = CliRunner().invoke(main, [*path, "--help"])

    assert result.exit_code == 0, result.output
    assert len(result.output) > 100


@pytest.mark.parametrize("path", [path for path in OURS if path not in {("list",), ("auth",)}], ids=" ".join)
def test_every_command_shows_an_example(path) -> None:
    assert "Example: " in CliRunner().invoke(main, [*path, "--help"]).output


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_is_in_the_reference(name) -> None:
    assert f"`hawk {name}" in (Path(__file__).parents[2] / "docs" / "reference" / "cli.md").read_text()


def test_every_command_is_listed() -> None:
    output = CliRunner().invoke(main, ["--help"]).output

    assert all(name in output for name in COMMANDS)


class TestStatus:
    def test_of_the_last_set(self, hawk, hawk_api, mine) -> None:
        progress(hawk_api, TASK)

        result = hawk("status")

        assert result.exit_code == 0, result.output
        assert "mine" in result.stdout and "pending" in result.stdout
        assert "arithmetic" in result.stdout and "match C" in result.stdout

    def test_texts_of_strangers_steer_nothing(self, hawk, hawk_api, mine) -> None:
        progress(hawk_api, TASK)

        result = hawk("status", "mine")

        assert "\x1b[31m" not in result.output
        assert "[bold]boom[/bold]" in result.stdout

    def test_json(self, hawk, mine) -> None:
        assert json.loads(hawk("status", "--json").stdout)["eval_set_id"] == "mine"

    @pytest.mark.parametrize("command", ["status", "watch", "logs", "stop", "retry"])
    def test_no_last_set_is_an_error(self, hawk, command) -> None:
        result = hawk(command)

        assert result.exit_code == 2
        assert "hawk list eval-sets" in result.stderr

    @pytest.mark.parametrize("command", [["status"], ["watch"], ["logs"], ["stop"], ["retry"], ["delete", "--yes"]])
    @pytest.mark.parametrize("eval_set_id", ["nine", "../x", "a b", "%00", "é"])
    def test_set_that_is_not_there_is_not_found(self, hawk, command, eval_set_id) -> None:
        result = hawk(*command, eval_set_id)

        assert result.exit_code == 4, result.output


class TestWatch:
    @pytest.mark.parametrize(("state", "exit_code"), [("complete", 0), ("failed", 1), ("stopped", 1), ("deleted", 1)])
    def test_ends_with_the_set_and_its_exit_code(self, hawk, hawk_api, mine, state, exit_code) -> None:
        hawk_api.execute("update ops.eval_set set status = %s", state)

        assert hawk("watch").exit_code == exit_code

    def test_prints_lines_of_what_changed_without_a_terminal(self, hawk, hawk_api, mine) -> None:
        progress(hawk_api, {**TASK, "state": "running"})

        def end() -> None:
            time.sleep(1.5)
            progress(hawk_api, TASK)
            hawk_api.execute("update ops.eval_set set status = 'complete'")

        ending = threading.Thread(target=end)
        ending.start()
        result = hawk("watch")
        ending.join()

        assert result.exit_code == 0, result.output
        lines = result.stderr.splitlines()
        assert lines.count("arithmetic × openai/small: sample one success, match C") == 1
        assert lines.index("arithmetic × openai/small: running") < lines.index("arithmetic × openai/small: success")
        assert lines[-1].startswith("mine: complete")

    def test_json_is_a_line_a_change(self, hawk, hawk_api, mine) -> None:
        hawk_api.execute("update ops.eval_set set status = 'complete'")

        [line] = hawk("watch", "--json").stdout.splitlines()

        assert json.loads(line)["status"] == "complete"

    def test_no_follow_ends_at_once(self, hawk, mine) -> None:
        assert hawk("watch", "--no-follow").exit_code == 1

    def test_monitor_watches_after_the_launch(self, hawk, hawk_api, mine, tmp_path) -> None:
        hawk_api.execute("update ops.eval_set set status = 'failed'")

        def end() -> None:
            time.sleep(1)
            hawk_api.execute("update ops.eval_set set status = 'complete'")

        ending = threading.Thread(target=end)
        ending.start()
        result = hawk("eval-set", str(tmp_path / "config.yaml"), "--monitor")
        ending.join()

        assert result.exit_code == 0, result.output
        assert "mine: complete" in result.stderr


class TestLogs:
    def attempt(self, hawk_api, text: str) -> None:
        hawk_api.execute("delete from ops.attempt")
        hawk_api.execute(
            "insert into ops.attempt (eval_set_id, job_name, attempt_number, launcher, phase, last_log_lines,"
            " updated_at) values ('mine', 'mine', 1, 'local', 'running', %s, now())",
            text,
        )

    def test_shows_the_end(self, hawk, hawk_api, mine) -> None:
        self.attempt(hawk_api, "one\ntwo\x1b[2J\nthree\n")

        assert hawk("logs", "-n", "2").stdout == "two�[2J\nthree\n"

    def test_nothing_yet_is_said(self, hawk, mine) -> None:
        result = hawk("logs")

        assert (result.exit_code, result.stdout) == (0, "")
        assert "nothing yet" in result.stderr

    def test_follow_shows_each_line_once_until_the_set_ends(self, hawk, hawk_api, mine) -> None:
        self.attempt(hawk_api, "one\ntwo")

        def go_on() -> None:
            time.sleep(1)
            self.attempt(hawk_api, "two\nthree")
            hawk_api.execute("update ops.eval_set set status = 'complete'")

        going = threading.Thread(target=go_on)
        going.start()
        result = hawk("logs", "-f", "-n", "1")
        going.join()

        assert result.stdout.splitlines() == ["two", "three"]

    def test_follow_as_json_is_a_line_an_event(self, hawk, hawk_api, mine) -> None:
        self.attempt(hawk_api, "one")
        hawk_api.execute("update ops.eval_set set status = 'failed'")

        events = [json.loads(line) for line in hawk("logs", "-f", "--json").stdout.splitlines()]

        assert events == [{"status": "", "lines": ["one"]}, {"status": "failed", "lines": []}]

    def test_events_are_read_past_comments_and_nonsense(self) -> None:
        lines = [
            "retry: 5",
            "",
            ": nothing new",
            "",
            "id: 1-a",
            "event: lines",
            'data: {"lines": ["x: y"]}',
            "",
            "data: [",
            "",
        ]

        assert list(read_events(iter(lines))) == [("1-a", "lines", {"lines": ["x: y"]})]


class TestActions:
    @pytest.mark.parametrize(
        ("command", "state", "job"),
        [
            (["stop"], "launched", "stop_eval_set"),
            (["retry"], "failed", "retry_eval_set"),
            (["delete", "--yes"], "complete", "delete_eval_set"),
        ],
    )
    def test_action_is_a_run_of_dagster(self, hawk, hawk_api, mine, command, state, job) -> None:
        hawk_api.execute("update ops.eval_set set status = %s", state)

        result = hawk(*command)

        assert result.exit_code == 0, result.output
        assert hawk_api.dagster.launches[-1]["job"] == job
        assert "http://dagster.example/runs/run-2" in result.stderr

    def test_stop_can_mark_errors(self, hawk, hawk_api, mine) -> None:
        hawk("stop", "--error", "--json")

        assert hawk_api.dagster.launches[-1]["config"] == {"eval_set_id": "mine", "action": "error"}

    def test_stop_of_one_sample_is_told_its_runner_and_the_set_goes_on(self, hawk, hawk_api, mine) -> None:
        launches = len(hawk_api.dagster.launches)

        stopped, refused = hawk("stop", "--sample", "Xy-1_z", "--error"), hawk("stop", "--sample", "../stop")

        assert (stopped.exit_code, refused.exit_code) == (0, 2), stopped.output
        assert "goes on without" in stopped.stdout
        key = "evals/mine/.commands/stop-sample-Xy-1_z.json"
        command = hawk_api.services.s3.get_object(Bucket=hawk_api.settings.bucket, Key=key)["Body"].read()
        assert json.loads(command)["action"] == "error"
        assert len(hawk_api.dagster.launches) == launches

    def test_delete_asks_and_without_a_terminal_does_not(self, hawk, hawk_api, mine) -> None:
        result = hawk("delete")

        assert result.exit_code == 2
        assert len(hawk_api.dagster.launches) == 1

    def test_of_an_ended_set_is_a_conflict(self, hawk, hawk_api, mine) -> None:
        hawk_api.execute("update ops.eval_set set status = 'complete'")

        assert hawk("stop").exit_code == 5

    def test_of_another_is_not_allowed(self, hawk, mine) -> None:
        assert hawk("stop", account="public-user").exit_code == 3


class TestLists:
    def test_eval_sets(self, hawk, mine) -> None:
        assert "mine" in hawk("list", "eval-sets").stdout
        assert hawk("list", "eval-sets", "--search", "nothing").stdout == ""
        assert json.loads(hawk("list", "eval-sets", "--json").stdout)["eval_sets"][0]["eval_set_id"] == "mine"

    def test_more_than_the_limit_are_announced_and_gone_on_with(self, hawk, hawk_api, mine) -> None:
        hawk_api.execute(
            "insert into ops.eval_set select (jsonb_populate_record(eval_set, jsonb_build_object('eval_set_id',"
            " 'set-' || number))).* from ops.eval_set, generate_series(1, 600) as number"
        )

        first = hawk("list", "eval-sets", "--limit", "550", "--json")
        first = json.loads(first.stdout)
        rest = json.loads(hawk("list", "eval-sets", "--after", first["next_cursor"], "--limit", "500", "--json").stdout)
        shown = hawk("list", "eval-sets", "--limit", "3")

        ids = [entry["eval_set_id"] for answer in (first, rest) for entry in answer["eval_sets"]]
        assert len(first["eval_sets"]) == 550
        assert len(ids) == len(set(ids)) == 601
        assert "3 of 601 shown. More: --limit NUMBER" in shown.stderr

    def test_jobs_are_those_that_have_not_ended(self, hawk, hawk_api, mine) -> None:
        assert "pending" in hawk("list", "jobs").stdout
        hawk_api.execute("update ops.eval_set set status = 'failed'")

        assert "No job runs" in hawk("list", "jobs").stderr
        assert "failed" in hawk("list", "jobs", "--ended", "--status", "failed").stdout

    @pytest.mark.parametrize("noun", ["evals", "samples"])
    def test_results_of_the_last_set_or_of_all(self, hawk, hawk_api, mine, noun) -> None:
        assert "no " in hawk("list", noun).stderr
        assert json.loads(hawk("list", noun, "--all", "--json").stdout)[noun] == []

    def test_models(self, hawk) -> None:
        assert hawk("models").stdout.split() == ["anthropic/small", "openai/secret", "openai/small"]
        assert hawk("models", "-i", "^openai/", "-x", "secret").stdout.split() == ["openai/small"]
        assert json.loads(hawk("models", "--json", account="outsider").stdout) == {"models": []}

    def test_bad_pattern_is_an_error(self, hawk) -> None:
        assert hawk("models", "-i", "(").exit_code == 2


class TestAbout:
    def test_version_names_both_sides(self, hawk) -> None:
        versions = json.loads(hawk("version", "--json", account=None).stdout)

        assert versions["client"] == versions["server"]

    def test_version_without_an_api(self, hawk, monkeypatch) -> None:
        monkeypatch.setenv("HAWK_API_URL", "http://127.0.0.1:1")

        result = hawk("version")

        assert result.exit_code == 0
        assert "Nothing answers" in result.stdout

    def test_config(self, hawk, api_url, home, mine) -> None:
        values = json.loads(hawk("config", "--json", account=None).stdout)

        assert values == {
            "api_url": api_url,
            "config_home": str(home / "cli"),
            "stack_env": None,
            "is_signed_in": False,
            "last_eval_set_id": "mine",
        }


class TestConnection:
    def test_api_that_is_not_there_says_how_to_start_it(self, hawk, monkeypatch) -> None:
        monkeypatch.setenv("HAWK_API_URL", "http://127.0.0.1:1")

        result = hawk("models")

        assert result.exit_code == 6
        assert "hawk dev up" in result.stderr

    @pytest.mark.parametrize("url", ["not a url", "ftp://127.0.0.1", "http://", "http://[::1"])
    def test_address_that_is_none_is_an_error(self, hawk, monkeypatch, url) -> None:
        monkeypatch.setenv("HAWK_API_URL", url)

        result = hawk("models")

        assert result.exit_code in {2, 6}, result.output

    def test_no_address_is_an_error(self, hawk, monkeypatch) -> None:
        monkeypatch.delenv("HAWK_API_URL")

        result = hawk("models")

        assert result.exit_code == 2
        assert "HAWK_API_URL" in result.stderr

    def test_something_else_that_answers_is_an_error(self, hawk, issuer_url, monkeypatch) -> None:
        monkeypatch.setenv("HAWK_API_URL", issuer_url)

        result = hawk("models")

        assert result.exit_code == 6
        assert "HAWK_API_URL" in result.stderr

    def test_stack_that_runs_is_found(self, hawk, home, api_url, monkeypatch) -> None:
        monkeypatch.delenv("HAWK_API_URL")
        (home / "dev").mkdir()
        (home / "dev" / "stack.env").write_text(f"HAWK_API_URL={api_url}\n")

        assert hawk("models").exit_code == 0

    def test_bad_token_is_not_allowed(self, hawk, monkeypatch) -> None:
        result = hawk("models", env={"HAWK_ACCESS_TOKEN": "nonsense"})

        assert result.exit_code == 3
        assert "hawk login" in result.stderr
