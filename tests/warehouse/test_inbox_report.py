"""People see what waits in the inbox and what could not be imported, each log in its newest version."""

from datetime import UTC, datetime, timedelta
from typing import Any

from hawk.warehouse import inbox, inbox_report
from hawk.warehouse.inbox import LogObject
from hawk.warehouse.inbox_report import InboxSummary

NOW = datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)


def version(etag: str, name: str, *, eval_set_id: str = "set-a", after: int = 0) -> LogObject:
    return LogObject("bucket", f"evals/{eval_set_id}/{name}.eval", etag, 10, NOW + timedelta(seconds=after))


def fill(warehouse: Any) -> None:
    inbox.record(warehouse, [version("a", "log"), version("b", "log", after=60)], source="event")
    inbox.record(warehouse, [version(name, name) for name in ("broken", "unlucky", "waits")], source="event")
    inbox.record(warehouse, [version("e", "another", eval_set_id="set-b")], source="event")
    for etag, state, reason in [
        ("a", "quarantined", "It was cut off."),
        ("b", "imported", ""),
        ("broken", "quarantined", "It is no zip."),
        ("unlucky", "dead_letter", "It was tried 10 times."),
    ]:
        warehouse.execute(
            "update ops.log_inbox set state = %s, reason = %s, attempts = 10 where etag = %s", (state, reason, etag)
        )


def test_summary_counts_the_newest_version_of_each_log(warehouse: Any) -> None:
    fill(warehouse)

    assert inbox_report.summary(warehouse, "set-a") == InboxSummary(
        landed=4,
        pending=1,
        imported=1,
        quarantined=1,
        dead_letters=1,
        problems=["broken.eval: It is no zip.", "unlucky.eval: It was tried 10 times."],
    )
    assert inbox_report.summary(warehouse, "nobody") == InboxSummary()


def test_failed_logs_are_listed_with_reasons_and_can_be_tried_again(warehouse: Any) -> None:
    fill(warehouse)

    failed = inbox_report.failed_logs(warehouse, "set-a")

    assert {(log.key, log.state, log.reason) for log in failed} == {
        ("evals/set-a/broken.eval", "quarantined", "It is no zip."),
        ("evals/set-a/unlucky.eval", "dead_letter", "It was tried 10 times."),
    }
    assert inbox_report.failed_logs(warehouse) == failed
    assert inbox_report.failed_logs(warehouse, "set-b") == []
    assert inbox_report.requeue(warehouse, [log.log_inbox_id for log in failed]) == 2
    assert inbox_report.failed_logs(warehouse) == []
    assert len(inbox.claim_batch(warehouse, 10)) == 4


def test_backlog_tells_how_long_the_oldest_log_waits(warehouse: Any) -> None:
    assert inbox_report.backlog(warehouse).pending == 0
    fill(warehouse)
    warehouse.execute(
        "update ops.log_inbox set discovered_at = now() - interval '5 min', state_changed_at = now() - interval '5 min'"
        " where etag = 'waits'"
    )
    inbox.claim_batch(warehouse, 1)

    found = inbox_report.backlog(warehouse)

    assert (found.pending, found.importing, found.size_bytes) == (1, 1, 20)
    assert found.lag_seconds < 300  # the oldest is in work; the other one is new
