"""Which version of an eval's log stays: each rule, and which comes first."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hawk.warehouse.import_rules import LogVersion, check_eval_set, reason_to_leave
from hawk.warehouse.log_archive import BrokenLog

NOW = datetime(2026, 1, 1, tzinfo=UTC)
HOUR = timedelta(hours=1)
STORED = LogVersion("eval", "set-a", "s3://b/evals/set-a/x.eval", "etag-1", NOW, is_finished=True, completed_at=NOW)
NEW = replace(STORED, etag="etag-2", last_modified=NOW + HOUR)
RUNNING = {"is_finished": False, "completed_at": None}


@pytest.mark.parametrize(
    ("stored", "new", "force", "state"),
    [
        (None, NEW, False, None),
        (STORED, NEW, False, None),
        (STORED, replace(NEW, etag="etag-1"), False, "skipped"),
        (STORED, replace(NEW, etag="etag-1"), True, None),
        (STORED, replace(NEW, last_modified=NOW - HOUR), False, "superseded"),
        (STORED, replace(NEW, last_modified=NOW - HOUR), True, None),
        (STORED, replace(NEW, last_modified=NOW), False, None),
        (STORED, replace(NEW, completed_at=NOW - HOUR), False, "superseded"),
        (STORED, replace(NEW, completed_at=NOW - HOUR), True, None),
        (STORED, replace(NEW, completed_at=None), False, None),
        (STORED, replace(NEW, **RUNNING), False, "superseded"),
        (STORED, replace(NEW, **RUNNING), True, "superseded"),
        (replace(STORED, **RUNNING), replace(NEW, **RUNNING), False, None),
        (replace(STORED, **RUNNING), NEW, False, None),
    ],
    ids=["first", "newer", "same", "same, forced", "older", "older, forced", "of the same second",
         "completed earlier", "completed earlier, forced", "no completion", "start after end",
         "start after end, forced", "start after start", "end after start"],
)  # fmt: skip
def test_version_is_left_or_replaced(
    stored: LogVersion | None, new: LogVersion, force: bool, state: str | None
) -> None:
    left = reason_to_leave(stored, new, force=force)

    assert (left[0] if left else None) == state
    assert left is None or left[1].endswith(".")


COPY = replace(NEW, location="s3://b/evals/set-a/y.eval")
COPIES = {
    "completed later, written earlier": replace(COPY, completed_at=NOW + HOUR, last_modified=NOW - HOUR),
    "completed earlier, written later": replace(COPY, completed_at=NOW - HOUR),
    "written later": COPY,
    "same in all but its name": replace(STORED, location=COPY.location),
    "without completion": replace(COPY, completed_at=None),
    "damaged": replace(COPY, damage="It is cut off."),
    "damaged, completed later": replace(COPY, damage="It is cut off.", completed_at=NOW + HOUR),
    "running": replace(COPY, **RUNNING),
}


@pytest.mark.parametrize("force", [False, True], ids=["", "forced"])
@pytest.mark.parametrize("name", COPIES)
def test_of_two_logs_of_one_eval_the_same_stays_whichever_comes_first(name: str, force: bool) -> None:
    copy = COPIES[name]

    stays = {
        second.location if reason_to_leave(first, second, force=force) is None else first.location
        for first, second in [(STORED, copy), (copy, STORED)]
    }

    assert len(stays) == 1
    wins = {"completed later, written earlier", "written later", "same in all but its name"}
    assert stays == {copy.location if name in wins else STORED.location}


def test_damaged_end_takes_the_place_of_a_whole_beginning() -> None:
    damaged = replace(NEW, damage="A sample is damaged.")

    assert reason_to_leave(replace(STORED, **RUNNING), damaged, force=False) is None
    left = reason_to_leave(STORED, damaged, force=False)
    assert left and left[0] == "quarantined"


def test_eval_of_another_set_is_broken_even_by_force() -> None:
    with pytest.raises(BrokenLog, match="'set-a'"):
        reason_to_leave(STORED, replace(NEW, eval_set_id="set-b"), force=True)


def test_metadata_must_name_the_set_of_the_folder_or_none() -> None:
    check_eval_set("set-a", None)
    check_eval_set("set-a", "set-a")
    with pytest.raises(BrokenLog, match="hawk import"):
        check_eval_set("set-a", "set-b")
