"""The schedule that removes from the cluster what jobs have left there: bounded, told in numbers, or only shown."""

import time
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import dagster as dg
from psycopg import Connection
from psycopg.rows import DictRow

from assets.failures import shown_failures
from assets.keys import OWNERS
from hawk.errors import HawkError
from hawk.ids import JobId
from hawk.naming import OPS_SCHEMA
from hawk.settings import OrchestrationSettings
from hawk.warehouse.connection import connect
from orchestration.launchers.leftovers import JobFacts, Leftover, find, leftovers, oldest_seconds, remove

if TYPE_CHECKING:
    from orchestration.launchers.kubernetes_api import KubernetesApi

JANITOR_JOB = "remove_leftovers"
LEFTOVER = dg.AssetKey([OPS_SCHEMA, "leftover"])
SWEEP_SECONDS = 1500.0  # less than the hour until the next
LONGEST_LIST = 100
_JOBS = """
select eval_set.eval_set_id, eval_set.status not in ('claimed', 'launched') as has_ended,
       case when eval_set.status in ('claimed', 'launched')
            then coalesce(max(attempt.started_at), eval_set.status_changed_at)
            else eval_set.status_changed_at end as since
from ops.eval_set as eval_set
left join ops.attempt as attempt on attempt.eval_set_id = eval_set.eval_set_id
where eval_set.eval_set_id = any(%s)
group by eval_set.eval_set_id
union all
select edit.job_id, request.state <> 'running', request.state_changed_at
from (select distinct edit_request_id, job_id from ops.edit_log where job_id = any(%s)) as edit
inner join ops.edit_request as request on request.edit_request_id = edit.edit_request_id
"""

leftover = dg.AssetSpec(
    key=LEFTOVER,
    group_name="ops",
    owners=list(OWNERS),
    kinds={"kubernetes"},
    tags={"hawk/layer": "ops"},
    description=(
        "What jobs have left on the cluster: namespaces of sets that ended or that nobody knows, and sandboxes of "
        "earlier attempts. Each sweep of the janitor tells how much there was and how old the oldest is."
    ),
)


@dg.op(
    name="sweep",
    config_schema={
        "dry_run": dg.Field(bool, default_value=False, is_required=False, description="Only show what would go.")
    },
)
def sweep_op(context: dg.OpExecutionContext, settings: dg.ResourceParam[OrchestrationSettings]) -> None:
    """Remove leftovers, oldest first, as many as one sweep may."""
    if settings.launcher != "kubernetes":
        context.log.info("Jobs run on this machine; there is no cluster to clean.")
        return
    with shown_failures():
        from orchestration.launchers.kubernetes_api import KubernetesApi, api_client  # slow to import

        api = KubernetesApi(api_client(settings.kubernetes_context))
        sweep = Sweep(api, settings, dry_run=context.op_config["dry_run"])
        sweep.run()
    metadata = sweep.metadata()
    context.log_event(dg.AssetObservation(asset_key=LEFTOVER, metadata=metadata))
    context.add_output_metadata(metadata)
    if sweep.troubles:
        raise dg.Failure(f"{len(sweep.troubles)} leftovers could not be removed: {sweep.troubles[0]}")


class Sweep:
    """One look at all leftovers, and the removal of some."""

    def __init__(self, api: "KubernetesApi", settings: OrchestrationSettings, *, dry_run: bool) -> None:
        self._api = api
        self._settings = settings
        self._dry_run = dry_run
        self._now = datetime.now(UTC)
        self._all: list[Leftover] = []
        self._removed: list[Leftover] = []
        self.troubles: list[str] = []

    def run(self) -> None:
        """Remove what is due. One that cannot be removed does not keep the others."""
        found = find(self._api, self._settings.namespace_prefix)
        with connect(self._settings, autocommit=True) as connection:
            jobs = job_facts(connection, sorted({thing.job_id for thing in found}))
        after = timedelta(minutes=self._settings.janitor_minutes)
        self._all = leftovers(found, jobs, now=self._now, after=after)
        if self._dry_run:
            return
        deadline = time.monotonic() + SWEEP_SECONDS
        for item in self._all[: self._settings.janitor_batch]:
            if time.monotonic() > deadline:
                break
            try:
                remove(self._api, item)
                self._removed.append(item)
            except HawkError as error:
                self.troubles.append(f"{item.namespace}: {error}")

    def metadata(self) -> dict[str, dg.MetadataValue]:
        left = [item for item in self._all if item not in self._removed]
        table = "\n".join(
            f"| {item.kind} | {item.namespace} | {item.name} | {item.reason} | {_hours(item, self._now):.1f} |"
            for item in self._all[:LONGEST_LIST]
        )
        return {
            "found": dg.MetadataValue.int(len(self._all)),
            "removed": dg.MetadataValue.int(len(self._removed)),
            "oldest_leftover_seconds": dg.MetadataValue.float(oldest_seconds(left, self._now)),
            "dry_run": dg.MetadataValue.bool(self._dry_run),
            "leftovers": dg.MetadataValue.md(
                f"| what | namespace | name | why | hours |\n|---|---|---|---|---|\n{table}" if table else "None."
            ),
        }


def job_facts(connection: Connection[DictRow], job_ids: list[JobId]) -> dict[JobId, JobFacts]:
    """Return what the database knows of jobs; those that it does not know are left out."""
    rows = connection.execute(_JOBS, [job_ids, job_ids]).fetchall()
    return {JobId(row["eval_set_id"]): JobFacts(row["has_ended"], row["since"]) for row in rows}


def _hours(item: Leftover, now: datetime) -> float:
    return item.age(now).total_seconds() / 3600


@dg.job(
    name=JANITOR_JOB,
    executor_def=dg.in_process_executor,
    description=(
        "Removes from the cluster what ended eval sets and crashed attempts have left there. With `dry_run` it only "
        "shows it. Logs and results are never touched."
    ),
)
def remove_leftovers() -> None:
    sweep_op()


janitor_schedule = dg.ScheduleDefinition(
    name="janitor",
    job=remove_leftovers,
    cron_schedule="17 * * * *",
    default_status=dg.DefaultScheduleStatus.RUNNING,
    description="Every hour, at a minute when little else begins.",
)
