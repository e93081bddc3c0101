"""`hawk import` and `hawk imports` as typed, against the real API."""

import json
import os
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from botocore.exceptions import EndpointConnectionError
from click.testing import Result

from hawk.cli import import_wait, upload
from hawk.log_import.content import PART_BYTES
from hawk.object_store import s3_client
from hawk.warehouse import inbox
from hawk.warehouse.importer import import_batch
from tests.fakes.hawk_api import HawkApi
from tests.fakes.small_logs import small_log

ROOT = Path(__file__).parents[2]


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    """Return a folder with two logs, one of them deeper, and files that are none."""
    folder = tmp_path / "logs"
    (folder / "deeper" / ".hidden").mkdir(parents=True)
    small_log(folder / "one.eval", eval_id="one")
    small_log(folder / "deeper" / "2026-05-01T12-00-00_two_x.json", eval_id="two")
    small_log(folder / "deeper" / ".hidden" / "three.eval", eval_id="three")
    (folder / "logs.json").write_text("{}")
    (folder / "notes.txt").write_text("")
    return folder


def reported(result: Result) -> dict:
    return json.loads(result.stdout)


def outcomes(result: Result) -> dict[str, str]:
    return {Path(log["path"]).name: log["outcome"] for log in reported(result)["logs"]}


def import_inbox(hawk_api: HawkApi) -> None:
    """Do what Dagster does with logs that wait, but for the marts."""
    with hawk_api.connection() as connection:
        entries = inbox.claim_batch(connection, 100)
        list(import_batch(connection, s3_client(hawk_api.settings), entries))


def show_in_marts(hawk_api: HawkApi) -> None:
    hawk_api.execute("create table if not exists marts.fct_eval as select * from raw.eval with no data")
    hawk_api.execute("select ops.protect_rows('marts.fct_eval')")
    hawk_api.execute("insert into marts.fct_eval select * from raw.eval")


def test_logs_of_a_folder_come_into_one_set(hawk, hawk_api: HawkApi, logs: Path):
    result = hawk("import", str(logs), "--name", "baselines", "--no-wait", "--json")

    assert result.exit_code == 0, result.output
    assert outcomes(result) == {"one.eval": "brought", "2026-05-01T12-00-00_two_x.json": "brought"}
    report = reported(result)
    assert report["eval_set_id"].startswith("imported-baselines-")
    assert report["viewer_url"].endswith(report["eval_set_id"])
    import_inbox(hawk_api)
    rows = hawk_api.rows("select eval_id, eval_set_id, created_by from raw.eval order by eval_id")
    assert [(row["eval_id"], row["eval_set_id"]) for row in rows] == [
        ("one", report["eval_set_id"]),
        ("two", report["eval_set_id"]),
    ]
    assert {row["created_by"] for row in rows} == {"researcher"}


def test_table_names_files_and_their_set(hawk, logs: Path):
    result = hawk("import", str(logs / "one.eval"), "--no-wait")

    assert result.exit_code == 0
    assert "brought" in result.stdout
    assert "Eval set: imported-one-" in result.stdout
    assert "Viewer: http://viewer.example" in result.stdout


def test_waiting_ends_when_rows_stand_in_the_marts(hawk, hawk_api: HawkApi, logs: Path, monkeypatch):
    def as_dagster_does(seconds: float) -> None:
        import_inbox(hawk_api)
        show_in_marts(hawk_api)

    monkeypatch.setattr(import_wait.time, "sleep", as_dagster_does)

    result = hawk("import", str(logs), "--json")

    assert result.exit_code == 0, result.output
    assert set(outcomes(result).values()) == {"in the marts"}
    assert "0 of 2 logs imported, 0 in the marts." in result.stderr


def test_log_that_cannot_be_imported_after_all_is_told_with_its_reason(
    hawk, hawk_api: HawkApi, logs: Path, monkeypatch
):
    def as_dagster_does(seconds: float) -> None:
        hawk_api.execute("update ops.log_inbox set state = 'quarantined', reason = 'It cannot be read. Write it anew.'")

    monkeypatch.setattr(import_wait.time, "sleep", as_dagster_does)

    result = hawk("import", str(logs / "one.eval"))

    assert result.exit_code == 1
    assert "set aside" in result.stdout
    assert "It cannot be read. Write it anew." in result.stdout


def test_files_that_were_brought_before_are_not_sent_again(hawk, logs: Path):
    first = reported(hawk("import", str(logs), "--no-wait", "--json"))

    again = hawk("import", str(logs), "--no-wait", "--json")

    assert again.exit_code == 0
    assert set(outcomes(again).values()) == {"known"}
    assert {log["eval_set_id"] for log in reported(again)["logs"]} == {first["eval_set_id"]}


def test_dry_run_sends_nothing(hawk, hawk_api: HawkApi, logs: Path):
    small_log(logs / "secret.eval", eval_id="secret", model="openai/unheard-of")

    result = hawk("import", str(logs), "--dry-run", "--json")

    assert result.exit_code == 1
    assert outcomes(result)["secret.eval"] == "refused"
    assert outcomes(result)["one.eval"] == "wanted"
    assert hawk_api.rows("select 1 from ops.log_upload") == []


def test_bad_files_are_refused_one_by_one_and_the_others_come_in(hawk, logs: Path):
    (logs / "empty.eval").write_bytes(b"")
    (logs / "no-log.eval").write_text("what is this")
    (logs / "beginning.eval").write_bytes((logs / "one.eval").read_bytes()[:40])
    with zipfile.ZipFile(logs / "other.eval", "w") as zipped:
        zipped.writestr("notes.txt", "no log either")
    (logs / "folder.eval").mkdir()
    (logs / "gone.eval").symlink_to(logs / "nowhere")

    result = hawk("import", str(logs), "--no-wait", "--json")

    assert result.exit_code == 1, result.output
    found = outcomes(result)
    assert found.pop("one.eval") == "brought"
    assert found.pop("2026-05-01T12-00-00_two_x.json") == "brought"
    assert found == dict.fromkeys(("empty.eval", "no-log.eval", "beginning.eval", "other.eval", "gone.eval"), "refused")
    reasons = [log["reason"] for log in reported(result)["logs"] if log["outcome"] == "refused"]
    assert all(len(reason) > 20 for reason in reasons)


def test_log_that_was_cut_off_is_brought_as_far_as_it_goes_and_says_so(hawk, hawk_api: HawkApi, tmp_path: Path):
    whole = small_log(tmp_path / "whole.eval", eval_id="cut").read_bytes()
    cut = tmp_path / "cut.eval"
    cut.write_bytes(whole[: whole.index(b"PK\1\2") + 10])

    result = hawk("import", str(cut), "--no-wait", "--json")

    assert result.exit_code == 0, result.output
    (log,) = reported(result)["logs"]
    assert log["outcome"] == "brought"
    assert "not a complete zip archive" in log["reason"]
    assert "Warning:" in result.stderr
    import_inbox(hawk_api)
    with hawk_api.connection() as connection:
        (row,) = connection.execute("select damage, sample_count from raw.eval_import").fetchall()
    assert row["damage"].startswith("The file that was brought was cut off")
    assert row["sample_count"] == 1
    listed = json.loads(hawk("imports", "list", reported(result)["eval_set_id"], "--json").stdout)
    assert [(log["state"], log["reason"]) for log in listed["logs"]] == [("imported", row["damage"])]


def test_copies_and_older_versions_are_left_out(hawk, logs: Path):
    (logs / "copy.eval").write_bytes((logs / "one.eval").read_bytes())
    small_log(logs / "beginning.eval", eval_id="two", status="started")

    result = hawk("import", str(logs), "--no-wait", "--json")

    assert result.exit_code == 0, result.output
    found = outcomes(result)
    assert found["beginning.eval"] == "left out"
    assert sorted([found["copy.eval"], found["one.eval"]]) == ["brought", "left out"]


@pytest.mark.parametrize(
    ("names", "said"),
    [
        (["nowhere"], "There is no"),
        (["empty"], "There is no log in"),
        (["notes.txt"], "logs end in .eval or .json"),
    ],
)
def test_paths_without_logs_say_so(hawk, tmp_path: Path, names: list[str], said: str):
    (tmp_path / "empty").mkdir()
    (tmp_path / "notes.txt").write_text("notes")

    result = hawk("import", *(str(tmp_path / name) for name in names))

    assert result.exit_code in (1, 2)
    assert said in result.output


@pytest.mark.parametrize("target", ["loop.eval", "nowhere.eval"])
def test_file_that_cannot_be_read_is_refused_with_the_systems_words(hawk, logs: Path, target: str):
    (logs / "loop.eval").symlink_to(target)

    result = hawk("import", str(logs), "--no-wait", "--json")

    assert result.exit_code == 1
    [refused] = [log for log in reported(result)["logs"] if log["outcome"] == "refused"]
    assert refused["reason"].startswith("It cannot be read: ")


def test_pipe_is_not_waited_for(hawk, logs: Path):
    os.mkfifo(logs / "pipe.eval")

    result = hawk("import", str(logs), "--no-wait", "--json")

    assert outcomes(result)["pipe.eval"] == "refused"


def test_nobody_signed_in_reads_no_file(hawk, logs: Path):
    result = hawk("import", str(logs), account=None)

    assert result.exit_code == 3
    assert "hawk login" in result.output


def test_own_set_takes_more_logs(hawk, logs: Path):
    first = reported(hawk("import", str(logs / "one.eval"), "--no-wait", "--json"))

    second = reported(hawk("import", str(logs), "--into", first["eval_set_id"], "--no-wait", "--json"))

    assert second["eval_set_id"] == first["eval_set_id"]
    assert sorted(log["outcome"] for log in second["logs"]) == ["brought", "known"]


def test_anothers_set_takes_none(hawk, logs: Path):
    first = reported(hawk("import", str(logs / "one.eval"), "--no-wait", "--json"))

    result = hawk("import", str(logs), "--into", first["eval_set_id"], account="public-user")

    assert result.exit_code == 3
    assert "was imported by researcher" in result.output


def test_interrupted_upload_goes_on_where_it_stopped(hawk, hawk_api: HawkApi, api_url: str, tmp_path: Path, home: Path):
    path = small_log(tmp_path / "large.eval", padding_bytes=3 * PART_BYTES)
    environment = {
        **os.environ,
        "HAWK_API_URL": api_url,
        "HAWK_ACCESS_TOKEN": hawk_api.token(),
        "HAWK_HOME": str(home),
        "PYTHONPATH": str(ROOT),
    }
    command = [sys.executable, "-m", "hawk.cli.main", "import", str(path), "--parallel", "1", "--no-wait"]
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 30
    while not hawk_api.rows("select 1 from ops.log_upload_part") and time.monotonic() < deadline:
        time.sleep(0.02)
    process.kill()
    process.wait()
    received = len(hawk_api.rows("select 1 from ops.log_upload_part"))

    result = hawk("import", str(path), "--no-wait", "--json")

    assert result.exit_code == 0, result.output
    assert 1 <= received < 4
    times = hawk_api.rows("select received_at from ops.log_upload_part order by received_at")
    assert len(times) == 4
    assert outcomes(result) == {"large.eval": "brought"}


def test_api_that_is_away_for_a_moment_is_asked_again(hawk, logs: Path, hawk_api: HawkApi, monkeypatch):
    pauses: list[float] = []
    events = hawk_api.services.s3.meta.events

    def refuse(**_: object) -> None:
        if len(pauses) < 2:
            raise EndpointConnectionError(endpoint_url="http://s3.example")

    events.register("before-send.s3.UploadPart", refuse)
    monkeypatch.setattr(upload.time, "sleep", pauses.append)
    try:
        result = hawk("import", str(logs / "one.eval"), "--no-wait", "--json")
    finally:
        events.unregister("before-send.s3.UploadPart", refuse)

    assert result.exit_code == 0, result.output
    assert len(pauses) >= 2


class TestImports:
    @pytest.fixture(autouse=True)
    def brought(self, hawk, hawk_api: HawkApi, logs: Path) -> None:
        assert hawk("import", str(logs), "--no-wait").exit_code == 0
        hawk_api.execute(
            "update ops.log_inbox set state = 'quarantined', reason = 'It is broken. Mend it.' where key like %s",
            "%/one-%",
        )

    def test_list_shows_each_log_of_the_last_set(self, hawk):
        result = hawk("imports", "list")

        assert result.exit_code == 0, result.output
        assert "It is broken. Mend it." in result.stdout
        assert "pending" in result.stdout

    def test_list_can_be_of_one_state_and_for_programs(self, hawk):
        result = hawk("imports", "list", "--state", "quarantined", "--json")

        [log] = json.loads(result.stdout)["logs"]
        assert log["reason"] == "It is broken. Mend it."

    def test_retry_lets_quarantined_logs_be_imported_again(self, hawk, hawk_api: HawkApi):
        result = hawk("imports", "retry")

        assert "1 log of imported-" in result.stdout
        assert {row["state"] for row in hawk_api.rows("select state from ops.log_inbox")} == {"pending"}

    def test_retry_of_a_name_that_is_no_log_says_where_to_look(self, hawk):
        result = hawk("imports", "retry", "--log", "nonsense")

        assert result.exit_code == 4
        assert "hawk imports list" in result.output

    def test_retry_of_one_log_and_of_all_contradict(self, hawk):
        assert hawk("imports", "retry", "--log", "a", "--force").exit_code == 2

    def test_set_without_logs_says_so(self, hawk, hawk_api: HawkApi):
        hawk_api.execute("truncate ops.log_inbox")

        result = hawk("imports", "list")

        assert result.exit_code == 0
        assert "has no log yet" in result.stderr
