"""Dagster's own runs in pods of a cluster, all of one shape: that which the deployment gives them."""

from dagster import DagsterRun
from dagster_k8s import K8sRunLauncher
from dagster_k8s.container_context import K8sContainerContext


class RunPodLauncher(K8sRunLauncher):
    """Starts each run in a pod as K8sRunLauncher does, but takes nothing of its shape from the run's tags.

    The tag `dagster-k8s/config` of a launch is for the eval set's own pod. Whoever may launch a run could else give
    Dagster's pod, which knows the database, another image or account.
    """

    def get_container_context_for_run(self, dagster_run: DagsterRun) -> K8sContainerContext:
        return K8sContainerContext.create_for_run(dagster_run, self, include_run_tags=False)
