"""The sensor that makes imported messages searchable."""

import dagster as dg

from hawk.naming import SEARCH_JOB
from hawk.settings import OrchestrationSettings, SensorSettings
from hawk.warehouse.connection import connect
from hawk.warehouse.search_index import search_backlog
from orchestration.import_requests import is_under_way
from orchestration.jobs import index_messages

INTERVAL_SECONDS = 15
DESCRIPTION = """\
Launches `index_messages` while imported messages wait in `raw.search_queue` and no such run is under way, so that what
is imported can be searched within a minute."""


def search_sensor(sensor_settings: SensorSettings) -> dg.SensorDefinition:
    """Return the sensor; it looks no more often than the others do."""

    @dg.sensor(
        name="search_sensor",
        job=index_messages,
        minimum_interval_seconds=max(INTERVAL_SECONDS, sensor_settings.reconcile_seconds),
        default_status=dg.DefaultSensorStatus.RUNNING,
        description=DESCRIPTION,
    )
    def sensor(
        context: dg.SensorEvaluationContext, settings: dg.ResourceParam[OrchestrationSettings]
    ) -> dg.SensorResult:
        return evaluate(context, settings)

    return sensor


def evaluate(context: dg.SensorEvaluationContext, settings: OrchestrationSettings) -> dg.SensorResult:
    """Say whether messages wait that nobody is at."""
    with connect(settings, autocommit=True) as connection:
        waiting = search_backlog(connection)
    if not waiting.imports:
        return dg.SensorResult(skip_reason="Everything that is imported can be searched.")
    if is_under_way(context.instance, SEARCH_JOB):
        return dg.SensorResult(skip_reason=f"{waiting.messages} messages are left; a run is at them.")
    return dg.SensorResult(run_requests=[dg.RunRequest(job_name=SEARCH_JOB)])
