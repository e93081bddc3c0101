"""When an eval set of ours has ended: read its scores from the marts, and show them in an asset of ours."""

import os
from collections.abc import Iterator

import dagster as dg
import psycopg

EVAL_LOGS = dg.AssetKey("eval_logs")  # Hawk's; one partition an eval set, materialized when the set has ended
SUMMARY = dg.AssetKey(["my_evals", "summary"])
TRIES = 20
PAUSE_SECONDS = 15
EVENTS_A_TICK = 50

SCORES = """
select task_name, model, status, sample_count, error_count, mean_score, standard_error
from marts.fct_eval
where eval_set_id = %s
order by task_name, mean_score desc nulls last
"""


class EvalSet(dg.Config):
    """Which eval set to summarize."""

    eval_set_id: str


@dg.op(out={})
def summarize(context: dg.OpExecutionContext, config: EvalSet) -> Iterator[dg.AssetMaterialization]:
    """Show the scores of a set; come again while its logs are on their way into the marts."""
    with psycopg.connect(os.environ["MY_EVALS_DATABASE_URL"]) as connection:
        rows = connection.execute(SCORES, [config.eval_set_id]).fetchall()
    if not rows:
        raise dg.RetryRequested(max_retries=TRIES, seconds_to_wait=PAUSE_SECONDS)
    table = ["| task | model | status | samples | errors | mean | standard error |", "|---|---|---|---|---|---|---|"]
    table += ["| " + " | ".join("" if value is None else str(value) for value in row) + " |" for row in rows]
    context.log.info("%s has %d evals.", config.eval_set_id, len(rows))
    yield dg.AssetMaterialization(
        asset_key=SUMMARY,
        description=f"Scores of {config.eval_set_id}",
        metadata={"scores": dg.MetadataValue.md("\n".join(table)), "evals": len(rows)},
    )


@dg.job(executor_def=dg.in_process_executor, description="Shows the scores of one eval set in `my_evals/summary`.")
def summarize_eval_set() -> None:
    summarize()


@dg.sensor(
    job=summarize_eval_set,
    default_status=dg.DefaultSensorStatus.RUNNING,
    description="Starts `summarize_eval_set` when an eval set of MY_EVALS_OWNER is complete.",
)
def my_set_completed(context: dg.SensorEvaluationContext) -> dg.SensorResult:
    """Look at each event of the asset since the last look, oldest first.

    `@dg.asset_sensor` would see only the newest event of a tick, and miss the other sets that ended in between.
    """
    if context.cursor is None:  # turned on: what ended before is not ours to summarize
        newest = context.instance.fetch_materializations(EVAL_LOGS, limit=1).records
        return dg.SensorResult(cursor=str(newest[0].storage_id if newest else 0))
    after = dg.AssetRecordsFilter(asset_key=EVAL_LOGS, after_storage_id=int(context.cursor))
    records = context.instance.fetch_materializations(after, limit=EVENTS_A_TICK, ascending=True).records
    requests = [
        dg.RunRequest(
            run_key=f"{eval_set_id}:{record.storage_id}",
            run_config={"ops": {"summarize": {"config": {"eval_set_id": eval_set_id}}}},
            tags={"hawk/eval_set_id": eval_set_id},
        )
        for record in records
        if (eval_set_id := completed_set_of(os.environ.get("MY_EVALS_OWNER"), record.asset_materialization))
    ]
    return dg.SensorResult(run_requests=requests, cursor=str(records[-1].storage_id) if records else context.cursor)


def completed_set_of(owner: str | None, event: dg.AssetMaterialization | None) -> str | None:
    """Return the id of the set that the event is of, if it is the owner's and complete."""
    if event is None or not owner:
        return None
    said = {name: event.metadata[name].value for name in ("created_by", "status") if name in event.metadata}
    return event.partition if said == {"created_by": owner, "status": "complete"} else None
