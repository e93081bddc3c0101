"""The runner jobs of eval sets, one partition a set: materializing one submits, adopts or resumes its job."""

import dagster as dg

from assets.eval_set_metadata import launch_metadata
from assets.failures import shown_failures
from assets.keys import EVAL_JOBS, EVAL_SET_GROUP, OWNERS
from assets.launch import kubernetes_config, launch_eval_set
from assets.launched_by import require_may_change
from assets.partitions import eval_set_partitions
from hawk.job_launcher import JobLauncher
from hawk.naming import EVAL_SET_TAG
from hawk.settings import OrchestrationSettings

DESCRIPTION = """\
The runner job of each eval set. **A partition is an eval set.**

Materializing a partition hands the set's job to the launcher and returns in seconds; the job outlives the Dagster run.
What happens depends on how the set stands:

| the set is | materializing it |
|---|---|
| claimed | starts its job |
| launched | adopts the job that runs |
| complete, failed, stopped | runs it again in its folder; samples that succeeded are kept |
| deleted | is refused |

On Kubernetes a run's tag `dagster-k8s/config` shapes the set's pod: its size, nodes, tolerations, environment. What
security rests on it cannot change.

So a backfill over any partitions is safe. To end a set use the jobs `stop_eval_set` and `delete_eval_set`:
terminating the Dagster run does not stop an eval.
"""


@dg.asset(
    key=EVAL_JOBS,
    partitions_def=eval_set_partitions,
    group_name=EVAL_SET_GROUP,
    owners=list(OWNERS),
    kinds={"python", "kubernetes"},
    tags={"hawk/layer": "launch"},
    description=DESCRIPTION,
)
def eval_jobs(
    context: dg.AssetExecutionContext,
    settings: dg.ResourceParam[OrchestrationSettings],
    launcher: dg.ResourceParam[JobLauncher],
) -> dg.MaterializeResult[None]:
    """Submit the job of the partition's eval set."""
    eval_set_id = context.partition_key
    context.instance.add_run_tags(context.run_id, {EVAL_SET_TAG: eval_set_id})
    with shown_failures():
        require_may_change(context.run.tags, settings, eval_set_id)
        launched = launch_eval_set(
            settings,
            launcher,
            eval_set_id,
            dagster_run_id=context.run_id,
            kubernetes=kubernetes_config(context.run.tags),
        )
    context.log.info("%s: its job was %s.", eval_set_id, launched.outcome.value)
    return dg.MaterializeResult(metadata=launch_metadata(launched, settings))
