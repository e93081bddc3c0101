"""Checks of the marts after every import: numbers that cannot be, and how long logs took to get there."""

import dagster as dg

from assets.warehouse_check import FOUND_AT_MOST, WarehouseCheck, checks_definition
from hawk.naming import MARTS_SCHEMA

MAX_LANDING_SECONDS = 60
LANDED_WITHIN = "1 hour"
# The newest; older ones were looked at when they were.
LOOKED_AT = 200

_NEWEST = f"newest as (select * from raw.eval_import order by import_id desc limit {LOOKED_AT})"  # noqa: S608  # a number of ours

MART_CHECKS = (
    WarehouseCheck(
        name="scores_are_in_range",
        asset=dg.AssetKey([MARTS_SCHEMA, "fct_score"]),
        description=(
            f"Of the newest {LOOKED_AT} imports, no score is outside of 0 to 1 where the eval's own "
            "metric is an accuracy, which is a mean of such scores."
        ),
        severity=dg.AssetCheckSeverity.WARN,
        query=f"""
            with {_NEWEST}
            select
                scores.eval_set_id, scores.task_name, scores.scorer, count(*) as scores,
                min(scores.number) as lowest, max(scores.number) as highest
            from newest
            inner join marts.fct_score as scores using (import_id)
            where (scores.number < 0 or scores.number > 1)
                and exists (
                    select 1 from raw.eval_metric as metric
                    where metric.import_id = scores.import_id and metric.scorer = scores.scorer
                        and metric.metric = 'accuracy'
                )
            group by scores.eval_set_id, scores.task_name, scores.scorer
            limit {FOUND_AT_MOST}
        """,  # noqa: S608  # numbers of ours
    ),
    WarehouseCheck(
        name="every_sample_in_the_marts_has_its_eval",
        asset=dg.AssetKey([MARTS_SCHEMA, "fct_sample"]),
        description=f"Of the newest {LOOKED_AT} imports, samples in the marts belong to an eval that is there too.",
        query=f"""
            with {_NEWEST}
            select samples.eval_set_id, samples.eval_id, count(*) as samples
            from newest
            inner join marts.fct_sample as samples using (import_id)
            where not exists (
                select 1 from marts.fct_eval as evals
                where evals.eval_id = samples.eval_id and evals.import_id = samples.import_id
            )
            group by samples.eval_set_id, samples.eval_id
            limit {FOUND_AT_MOST}
        """,  # noqa: S608  # numbers of ours
    ),
    WarehouseCheck(
        name="landed_logs_reach_the_marts_within_a_minute",
        asset=dg.AssetKey([MARTS_SCHEMA, "fct_eval"]),
        description=(
            f"No finished log that landed on S3 within the last hour took longer than {MAX_LANDING_SECONDS} s to the "
            "marts. Many logs at once take longer: then it says how long."
        ),
        severity=dg.AssetCheckSeverity.WARN,
        query=f"""
            with {_NEWEST}
            select
                newest.eval_set_id, newest.location as log, newest.last_modified as landed_at,
                round(extract(epoch from coalesce(built.at, now()) - newest.last_modified)) as seconds
            from newest
            left join lateral (
                select max(refreshed_at) as at from marts.fct_sample as samples
                where samples.import_id = newest.import_id
            ) as built on true
            where newest.log_status <> 'started' and newest.sample_count > 0
                and newest.last_modified > now() - interval '{LANDED_WITHIN}'
                and coalesce(built.at, now()) - newest.last_modified > interval '{MAX_LANDING_SECONDS} seconds'
            order by seconds desc
            limit {FOUND_AT_MOST}
        """,  # noqa: S608  # numbers of ours
    ),
)

mart_checks = checks_definition(
    "mart_checks", MART_CHECKS, "Look at the marts of the newest imports: impossible numbers, and how late they came."
)
