"""What the janitor takes for a leftover, and what it leaves alone."""

from datetime import UTC, datetime, timedelta

import pytest

from hawk.ids import JobId
from orchestration.launchers.leftovers import Found, JobFacts, leftovers, oldest_seconds

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
ENDED, RUNNING, UNKNOWN = JobId("ended"), JobId("running"), JobId("unknown")


def hours_ago(hours: float) -> datetime:
    return NOW - hours * HOUR


def namespace(job_id: JobId, *, made: float) -> Found:
    return Found("namespace", f"inspect-{job_id}", f"inspect-{job_id}", job_id, hours_ago(made))


def release(job_id: JobId, *, made: float) -> Found:
    return Found("release", f"inspect-{job_id}-s", "agent-env-1", job_id, hours_ago(made))


def jobs(*, ended: float = 2, attempt: float = 2) -> dict[JobId, JobFacts]:
    return {ENDED: JobFacts(True, hours_ago(ended)), RUNNING: JobFacts(False, hours_ago(attempt))}


@pytest.mark.parametrize(
    ("found", "facts", "is_leftover"),
    [
        (namespace(ENDED, made=30), jobs(ended=2), True),
        (namespace(ENDED, made=30), jobs(ended=0.5), False),  # somebody may still look at it
        (namespace(ENDED, made=0.5), jobs(ended=20), False),  # launched again; its row is older
        (namespace(RUNNING, made=100), jobs(), False),
        (namespace(UNKNOWN, made=2), jobs(), True),
        (namespace(UNKNOWN, made=0.5), jobs(), False),  # its row may not be committed yet
        (release(RUNNING, made=5), jobs(attempt=2), True),
        (release(RUNNING, made=5), jobs(attempt=0.5), False),
        (release(RUNNING, made=1.5), jobs(attempt=2), False),  # of the attempt that runs
        (release(ENDED, made=5), jobs(), False),  # goes with its namespace
        (release(UNKNOWN, made=5), jobs(), False),
    ],
)
def test_leftover_is_what_nobody_has_needed_for_an_hour(
    found: Found, facts: dict[JobId, JobFacts], is_leftover: bool
) -> None:
    assert bool(leftovers([found], facts, now=NOW, after=HOUR)) is is_leftover


def test_oldest_comes_first_and_gives_the_metric() -> None:
    found = [namespace(UNKNOWN, made=2), namespace(ENDED, made=30), namespace(JobId("other"), made=9)]

    items = leftovers(found, jobs(ended=3), now=NOW, after=HOUR)

    assert [item.job_id for item in items] == ["other", ENDED, UNKNOWN]
    assert oldest_seconds(items, NOW) == 9 * 3600
    assert oldest_seconds([], NOW) == 0
