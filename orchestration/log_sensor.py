"""The sensor that finds logs, however they came to S3, and has them imported."""

import json
import logging
import time
from dataclasses import dataclass
from datetime import UTC, datetime

import dagster as dg
import psycopg
from psycopg.rows import DictRow

from hawk.errors import HawkError
from hawk.naming import IMPORT_JOB, NEWS_ONLY_TAG
from hawk.object_store import s3_client
from hawk.settings import OrchestrationSettings, SensorSettings
from hawk.warehouse import inbox, s3_events
from hawk.warehouse.connection import connect
from orchestration.bucket_listing import list_part
from orchestration.event_queue import sqs_client
from orchestration.import_requests import (
    import_is_under_way,
    is_for_news_only,
    look_at_inbox,
    past_imports,
    reason_to_import,
    reopen_running,
)
from orchestration.jobs import import_logs

LISTING_SECONDS_A_TICK = 10.0
DESCRIPTION = """\
Finds logs on S3 and launches `import_logs` while some are pending and no such run is under way.

- takes S3's events from the queue, where `HAWK_EVENTS_QUEUE_URL` names one; a message is deleted only when its log is
  in `ops/log_inbox`,
- lists the whole bucket every `HAWK_LISTING_SECONDS`, a part each tick, so that a lost event costs time and no log,
- launches again after a failed import, with growing pauses.

Logs of running sets are found by `job_sensor` and imported about once a minute, together with the samples that are
only in the buffers beside them; those of ended sets at once."""

logger = logging.getLogger(__name__)


def log_sensor(sensor_settings: SensorSettings) -> dg.SensorDefinition:
    """Return the sensor, with its interval from the settings."""

    @dg.sensor(
        name="log_sensor",
        job=import_logs,
        minimum_interval_seconds=sensor_settings.reconcile_seconds,
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=DESCRIPTION,
    )
    def sensor(
        context: dg.SensorEvaluationContext, settings: dg.ResourceParam[OrchestrationSettings]
    ) -> dg.SensorResult:
        return evaluate(context, settings)

    return sensor


def evaluate(context: dg.SensorEvaluationContext, settings: OrchestrationSettings) -> dg.SensorResult:
    """Find logs for a while, then say whether they are to be imported."""
    cursor = ListingCursor.read(context.cursor)
    with connect(settings, autocommit=True) as connection:
        cursor = _find_logs(connection, settings, cursor)
        reopen_running(connection, after_seconds=settings.live_import_seconds)
        if import_is_under_way(context.instance):
            return dg.SensorResult(cursor=cursor.text(), skip_reason="An import is under way.")
        past = past_imports(context.instance)
        waiting = look_at_inbox(connection, past)
        reason = reason_to_import(waiting, past, now=datetime.now(UTC))
    if reason is None:
        return dg.SensorResult(cursor=cursor.text(), skip_reason="No log waits for its import.")
    logger.info("requesting an import", extra={"reason": reason})
    tags = {NEWS_ONLY_TAG: "true"} if is_for_news_only(waiting, past) else {}
    return dg.SensorResult(cursor=cursor.text(), run_requests=[dg.RunRequest(job_name=IMPORT_JOB, tags=tags)])


@dataclass(frozen=True)
class ListingCursor:
    """How far the listing of the whole bucket is: `after` is the last key seen, '' between two listings."""

    after: str = ""
    listed_at: float = 0.0

    @classmethod
    def read(cls, text: str | None) -> "ListingCursor":
        try:
            fields = json.loads(text or "{}")
            return cls(str(fields.get("after", "")), float(fields.get("listed_at", 0.0)))
        except (ValueError, TypeError, AttributeError):
            return cls()

    def text(self) -> str:
        return json.dumps({"after": self.after, "listed_at": self.listed_at})


def _find_logs(
    connection: psycopg.Connection[DictRow], settings: OrchestrationSettings, cursor: ListingCursor
) -> ListingCursor:
    """Take events and list a part of the bucket. S3 or SQS in trouble is logged: what is known is imported still."""
    try:
        if settings.events_queue_url:
            s3_events.receive(settings.events_queue_url, sqs_client(settings), connection, bucket=settings.bucket)
        return _list_on(connection, settings, cursor)
    except HawkError as error:
        logger.warning("logs cannot be looked for", extra={"error": str(error)})
        return cursor


def _list_on(
    connection: psycopg.Connection[DictRow], settings: OrchestrationSettings, cursor: ListingCursor
) -> ListingCursor:
    now = time.time()
    if not cursor.after and now - cursor.listed_at < settings.listing_seconds:
        return cursor
    s3 = s3_client(settings)
    deadline = time.monotonic() + LISTING_SECONDS_A_TICK
    after = cursor.after
    while time.monotonic() < deadline:
        part = list_part(s3, settings.bucket, after=after)
        inbox.record(connection, part.logs, source="listing")
        if part.last_key is None:
            return ListingCursor("", now)
        after = part.last_key
    return ListingCursor(after, cursor.listed_at)
