"""Empties the importer's inbox, as far as a run's time goes, by one process or several; knows nothing of Dagster."""

import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime

import psycopg
from psycopg.rows import DictRow

from assets.import_worker import ImportWorker
from hawk.errors import Upstream
from hawk.object_store import s3_client
from hawk.settings import OrchestrationSettings
from hawk.warehouse import inbox
from hawk.warehouse.connection import connect
from hawk.warehouse.importer import ImportOutcome, import_batch
from hawk.warehouse.inbox_report import Backlog, backlog
from hawk.warehouse.read_limits import limits_of

# Another process takes a second to start, and is worth it only where there is more work than that.
LOGS_WORTH_A_WORKER = 16
BYTES_WORTH_A_WORKER = 32 * 1024 * 1024
# Workers that took more at once would leave the last one alone with it.
CLAIMED_BESIDE_OTHERS = 2


@dataclass
class ImportSummary:
    """What a run brought in."""

    outcomes: list[ImportOutcome] = field(default_factory=list)
    workers: int = 1
    lost_workers: list[str] = field(default_factory=list)  # how those ended that did not end by themselves
    seconds: float = 0.0

    @property
    def imported(self) -> list[ImportOutcome]:
        return [outcome for outcome in self.outcomes if outcome.state == "imported"]

    @property
    def failed(self) -> list[ImportOutcome]:
        return [outcome for outcome in self.outcomes if outcome.state in inbox.FAILED]

    @property
    def damaged(self) -> list[ImportOutcome]:
        """Return the imports of logs that can be read only in part; the reason says what is missing."""
        return [outcome for outcome in self.imported if outcome.reason]

    @property
    def has_news(self) -> bool:
        """Say whether anything is other than before in the raw tables, or was set aside."""
        return bool(self.imported or self.failed)

    @property
    def rows_of_table(self) -> Counter[str]:
        """Return how many rows were written into each raw table."""
        return sum((Counter(outcome.rows_of_table) for outcome in self.imported), Counter())

    @property
    def size_bytes(self) -> int:
        return sum(outcome.entry.size_bytes for outcome in self.imported)

    @property
    def megabytes_per_second(self) -> float:
        return self.size_bytes / 1e6 / self.seconds if self.seconds else 0.0

    @property
    def files_per_second(self) -> float:
        return len(self.imported) / self.seconds if self.seconds else 0.0

    def lag_seconds(self, now: datetime) -> float:
        """Return how long ago the oldest log of the run was written; 0 if there is none."""
        return max(((now - outcome.entry.last_modified).total_seconds() for outcome in self.imported), default=0.0)


def import_pending_logs(settings: OrchestrationSettings) -> ImportSummary:
    """Import logs until none is pending, or the run's time is over; what is left then waits for the next run.

    Raises Upstream where Postgres or S3 is in trouble; what was imported before stays, the rest stays pending.
    """
    begun = time.monotonic()
    deadline = begun + settings.import_minutes * 60
    summary = ImportSummary()
    # Each import is a transaction of its own, so the connection itself must have none open.
    with connect(settings, autocommit=True) as connection:
        summary.workers = workers_for(backlog(connection), most=settings.import_workers)
        helpers = [ImportWorker(settings, seconds=deadline - begun) for _ in range(summary.workers - 1)]
        try:
            at_once = CLAIMED_BESIDE_OTHERS if helpers else settings.import_batch_size
            summary.outcomes += import_until(connection, settings, deadline, at_once=at_once)
            for helper in helpers:
                summary.outcomes += helper.wait()
        finally:
            summary.lost_workers = [problem for helper in helpers if (problem := helper.end())]
    summary.seconds = time.monotonic() - begun
    return summary


def import_until(
    connection: psycopg.Connection[DictRow], settings: OrchestrationSettings, deadline: float, *, at_once: int
) -> Iterator[ImportOutcome]:
    """Claim and import logs, so many at once, until none is pending or the time is over. Raises Upstream."""
    s3 = s3_client(settings)
    while time.monotonic() < deadline:
        try:
            entries = inbox.claim_batch(connection, at_once)
        except psycopg.OperationalError as error:
            raise Upstream("The warehouse database does not answer.", hint="Try again in a moment.") from error
        if not entries:
            return
        yield from import_batch(
            connection, s3, entries, max_attempts=settings.import_max_attempts, limits=limits_of(settings)
        )


def workers_for(waiting: Backlog, *, most: int) -> int:
    """Return how many processes are to import what waits."""
    if waiting.pending < 2 or (waiting.pending < LOGS_WORTH_A_WORKER and waiting.size_bytes < BYTES_WORTH_A_WORKER):
        return 1
    return min(most, waiting.pending)
