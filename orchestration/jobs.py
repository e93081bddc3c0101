"""Jobs over assets. Each runs in one process: starting a second one costs more than most of their steps."""

import dagster as dg

from assets.checks import thorough_warehouse_checks, warehouse_checks
from assets.keys import ANALYSES_GROUP, EVAL_JOBS, MESSAGE_SEARCH, RAW_GROUP, REPORT_GROUP, UPKEEP_GROUP
from hawk.naming import (
    ANALYSES_JOB,
    CHECK_JOB,
    IMPORT_JOB,
    INTERMEDIATE_SCHEMA,
    LAUNCH_JOB,
    MARTS_SCHEMA,
    PROMPT_TAG,
    SEARCH_JOB,
    STAGING_SCHEMA,
    UPKEEP_JOB,
)

launch_eval_set = dg.define_asset_job(
    LAUNCH_JOB,
    selection=[EVAL_JOBS],
    executor_def=dg.in_process_executor,
    tags={PROMPT_TAG: "true"},
    description="Starts the job of one eval set, which is the run's partition. `hawk eval-set` launches this.",
)

import_logs = dg.define_asset_job(
    IMPORT_JOB,
    selection=(
        dg.AssetSelection.groups(RAW_GROUP, STAGING_SCHEMA, INTERMEDIATE_SCHEMA, MARTS_SCHEMA, REPORT_GROUP)
        | dg.AssetSelection.all_asset_checks()
    )
    - dg.AssetSelection.checks(thorough_warehouse_checks),
    executor_def=dg.in_process_executor,
    tags={PROMPT_TAG: "true"},
    description=(
        "Imports every pending log into the raw tables, then builds and tests all dbt models, then checks the "
        "warehouse. `log_sensor` launches it; launching it by hand is harmless."
    ),
)

index_messages = dg.define_asset_job(
    SEARCH_JOB,
    selection=dg.AssetSelection.assets(MESSAGE_SEARCH).without_checks(),
    executor_def=dg.in_process_executor,
    description="Makes imported messages searchable. `search_sensor` launches it; it goes on where the last run ended.",
)

keep_up_warehouse = dg.define_asset_job(
    UPKEEP_JOB,
    selection=dg.AssetSelection.groups(UPKEEP_GROUP),
    executor_def=dg.in_process_executor,
    description="Drops events that are older than the setting says (by default none), and uploads that were given up.",
)

analyse_marts = dg.define_asset_job(
    ANALYSES_JOB,
    selection=dg.AssetSelection.groups(ANALYSES_GROUP),
    executor_def=dg.in_process_executor,
    description="Computes the analyses of the marts. `analyses_sensor` launches it some time after an import.",
)

check_warehouse = dg.define_asset_job(
    CHECK_JOB,
    selection=dg.AssetSelection.checks(warehouse_checks, thorough_warehouse_checks),
    executor_def=dg.in_process_executor,
    description="Counts rows, and looks for logs that were set aside and that nobody has seen to. Changes nothing.",
)

warehouse_jobs = [import_logs, index_messages, analyse_marts, check_warehouse, keep_up_warehouse]
