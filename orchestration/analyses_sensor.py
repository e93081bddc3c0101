"""The sensor that has analyses computed when the marts have changed, in a run of their own, and not after every log."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import dagster as dg
import psycopg
from dagster import DagsterRunStatus, RunsFilter

from hawk.naming import ANALYSES_JOB
from hawk.settings import OrchestrationSettings, SensorSettings
from hawk.warehouse.connection import connect
from orchestration.import_requests import import_is_under_way, is_under_way
from orchestration.jobs import analyse_marts

INTERVAL_SECONDS = 15
RETRY_AFTER = timedelta(minutes=10)
# While logs come without a pause, analyses wait for a gap between two imports, but no longer than this.
MOST_PATIENCE = timedelta(minutes=30)
MARTS_TAG = "hawk/marts"
DESCRIPTION = """\
Launches `analyse_marts` when the marts have other evals than the last run saw, or their groups have changed: when no
import is under way, and `HAWK_ANALYSES_PAUSE_SECONDS` after the last run began. What a run saw is in its tag
`hawk/marts`."""

# Which imports the marts hold, and whose groups decide what everybody sees of them.
_STATE = """
select format(
    '%s:%s:%s',
    (select count(*) from marts.fct_eval),
    (select coalesce(max(import_id), 0) from marts.fct_eval),
    (select left(md5(string_agg(eval_set_id || model_groups::text, ',' order by eval_set_id)), 12) from ops.eval_set)
) as state
"""


@dataclass(frozen=True)
class PastAnalysis:
    """A finished run of analyse_marts, and the state of the marts that it was launched for; None: by hand."""

    saw: str | None
    succeeded: bool
    began_at: datetime


def analyses_sensor(sensor_settings: SensorSettings) -> dg.SensorDefinition:
    """Return the sensor; it looks no more often than the others do."""

    @dg.sensor(
        name="analyses_sensor",
        job=analyse_marts,
        minimum_interval_seconds=max(INTERVAL_SECONDS, sensor_settings.reconcile_seconds),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=DESCRIPTION,
    )
    def sensor(
        context: dg.SensorEvaluationContext, settings: dg.ResourceParam[OrchestrationSettings]
    ) -> dg.SensorResult:
        return evaluate(context, settings, now=datetime.now(UTC))

    return sensor


def evaluate(context: dg.SensorEvaluationContext, settings: OrchestrationSettings, *, now: datetime) -> dg.SensorResult:
    """Say whether the marts have something that the analyses have not seen, and whether it is time."""
    if is_under_way(context.instance, ANALYSES_JOB):
        return dg.SensorResult(skip_reason="The analyses are being computed.")
    state = marts_state(settings)
    if state is None:
        return dg.SensorResult(skip_reason="The marts are not there yet; they come with the first import.")
    reason = reason_to_wait(
        state,
        past_analyses(context.instance),
        pause=timedelta(seconds=settings.analyses_pause_seconds),
        is_importing=import_is_under_way(context.instance),
        now=now,
    )
    if reason:
        return dg.SensorResult(skip_reason=reason)
    return dg.SensorResult(run_requests=[dg.RunRequest(job_name=ANALYSES_JOB, tags={MARTS_TAG: state})])


def reason_to_wait(
    state: str, past: Sequence[PastAnalysis], *, pause: timedelta, is_importing: bool, now: datetime
) -> str | None:
    """Return why no run is due, or None; `past` are finished runs, newest first, and none is under way."""
    last = past[0] if past else None
    if last and last.succeeded and last.saw == state:
        return "The marts are as the analyses saw them."
    if last and not last.succeeded and now - last.began_at < RETRY_AFTER:
        return "The last run failed; another follows ten minutes after it."
    if last and now - last.began_at < pause:
        return "The marts have changed; the last run was not long ago."
    if is_importing and (last is None or now - last.began_at < MOST_PATIENCE):
        return "An import is under way."
    return None


def marts_state(settings: OrchestrationSettings) -> str | None:
    """Return a word that changes when the marts do; None while they were never built."""
    with connect(settings, autocommit=True) as connection:
        try:
            row = connection.execute(_STATE).fetchone()
        except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName):
            return None
    return str(row["state"]) if row else None


def past_analyses(instance: dg.DagsterInstance) -> list[PastAnalysis]:
    """Return the last finished run of analyse_marts, if there is one."""
    finished = [DagsterRunStatus.SUCCESS, DagsterRunStatus.FAILURE, DagsterRunStatus.CANCELED]
    records = instance.get_run_records(RunsFilter(job_name=ANALYSES_JOB, statuses=finished), limit=1)
    return [
        PastAnalysis(
            saw=record.dagster_run.tags.get(MARTS_TAG),
            succeeded=record.dagster_run.status == DagsterRunStatus.SUCCESS,
            began_at=datetime.fromtimestamp(record.start_time, UTC) if record.start_time else record.create_timestamp,
        )
        for record in records
    ]
