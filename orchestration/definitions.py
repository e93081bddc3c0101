"""The code location: everything that Dagster knows of Hawk, put together and nothing more."""

import dagster as dg

from assets.analyses.assets import analyses
from assets.checks import all_checks
from assets.dbt_models import dbt_models
from assets.eval_jobs import eval_jobs
from assets.eval_logs import eval_logs
from assets.imports import raw_tables
from assets.message_search import message_search
from assets.ops_tables import ops_tables
from assets.score_overview import score_overview
from assets.upkeep import upkeep_assets
from hawk.settings import SensorSettings
from orchestration.analyses_sensor import analyses_sensor
from orchestration.edits import edit_sensor
from orchestration.eval_set_actions import eval_set_jobs
from orchestration.janitor import janitor_schedule, leftover, remove_leftovers
from orchestration.job_sensor import job_sensor
from orchestration.jobs import launch_eval_set, warehouse_jobs
from orchestration.log_sensor import log_sensor
from orchestration.reimport import reimport_eval_set
from orchestration.resources import LauncherResource, SettingsResource
from orchestration.schedules import warehouse_schedules
from orchestration.search_sensor import search_sensor
from orchestration.submit_eval_set import submit_eval_set


@dg.definitions
def definitions() -> dg.Definitions:
    """Return Hawk's definitions; needs no database, service or secret."""
    sensor_settings = SensorSettings()
    return dg.Definitions(
        assets=[
            eval_jobs,
            eval_logs,
            *ops_tables,
            leftover,
            raw_tables,
            message_search,
            dbt_models(),
            score_overview,
            analyses,
            *upkeep_assets,
        ],
        asset_checks=all_checks,
        jobs=[launch_eval_set, submit_eval_set, *eval_set_jobs, remove_leftovers, reimport_eval_set, *warehouse_jobs],
        schedules=[janitor_schedule, *warehouse_schedules],
        sensors=[
            make(sensor_settings) for make in (job_sensor, log_sensor, search_sensor, analyses_sensor, edit_sensor)
        ],
        resources={"settings": SettingsResource(), "launcher": LauncherResource()},
        executor=dg.in_process_executor,
    )
