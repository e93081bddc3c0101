"""Logs of one's own, from a folder to the marts, by the command alone."""

import json
from pathlib import Path

import pytest

from tests.e2e.person import Person
from tests.fakes.small_logs import small_log

pytestmark = pytest.mark.e2e


def test_logs_of_a_folder_stand_in_the_marts_when_the_command_ends(person: Person, tmp_path: Path):
    for name in ("first", "second"):
        small_log(tmp_path / f"{name}.eval", eval_id=f"e2e-{name}", model="openai/gpt-4o-mini", samples=3)
    (tmp_path / "broken.eval").write_text("no log")

    answer = person.try_hawk("import", str(tmp_path), "--name", "mine", "--json")

    assert answer.returncode == 1, answer.stderr  # one file was refused
    report = json.loads(answer.stdout)
    outcomes = {Path(log["path"]).name: log["outcome"] for log in report["logs"]}
    assert outcomes == {"first.eval": "in the marts", "second.eval": "in the marts", "broken.eval": "refused"}
    samples = person.query(
        "select eval_id, count(*) as n from marts.fct_sample where eval_set_id = %s group by 1 order by 1",
        [report["eval_set_id"]],
    )
    assert [tuple(row.values()) for row in samples] == [("e2e-first", 3), ("e2e-second", 3)]
