"""Jobs and pods through dagster-k8s's client: created, read, and heard."""

import logging
import time
from collections.abc import Sequence

from dagster_k8s.client import (
    DagsterK8sAPIRetryLimitExceeded,
    DagsterK8sUnrecoverableAPIError,
    DagsterKubernetesClient,
    PatchedApiClient,
)
from kubernetes.client import ApiClient, ApiException, BatchV1Api, CoreV1Api

from hawk.errors import Upstream
from hawk.job_manifest.pod import CONTAINER
from orchestration.launchers.kubernetes_api import Manifest, error_of

logger = logging.getLogger(__name__)

LAST_LOG_LINES = 200
LAST_EVENTS = 20
REMOVAL_SECONDS = 60.0
_POLL_SECONDS = 0.2


class JobPods:
    """What is done with the Jobs of runners and their pods."""

    def __init__(self, client: ApiClient) -> None:
        models = PatchedApiClient(client.configuration)
        self._dagster = DagsterKubernetesClient(  # type: ignore[no-untyped-call]  # dagster-k8s leaves it so
            BatchV1Api(models), CoreV1Api(models), logger=logger.debug, sleeper=time.sleep, timer=time.time
        )
        self._models = models

    def create_job(self, manifest: Manifest, namespace: str) -> None:
        """Create the Job. Raises Conflict if one of its name is there."""
        try:
            self._dagster.create_namespaced_job_with_retries(manifest, namespace)
        except (DagsterK8sUnrecoverableAPIError, DagsterK8sAPIRetryLimitExceeded) as error:
            raise error_of(error.k8s_api_exception, f"create Job {manifest['metadata']['name']}") from error

    def remove_job(self, name: str, namespace: str) -> None:
        """Delete a Job with its pods, if there is one, and wait until it is gone. Raises Upstream if it stays."""
        deadline = time.monotonic() + REMOVAL_SECONDS
        batch: BatchV1Api = self._dagster.batch_api
        try:
            batch.delete_namespaced_job(name, namespace, propagation_policy="Foreground", grace_period_seconds=0)
            while time.monotonic() < deadline:
                batch.read_namespaced_job(name, namespace)
                time.sleep(_POLL_SECONDS)
        except ApiException as error:
            if error.status == 404:
                return
            raise error_of(error, f"delete Job {name}") from error
        raise Upstream(f"The earlier Job of {name} is still being removed.", hint="Try again in a moment.")

    def of_job(self, name: str, namespace: str, *, uid: str) -> Sequence[Manifest]:
        """Return the pods of the Job of that uid; those of an earlier one of its name are left out."""
        try:
            pods = self._dagster.get_pods_in_job(name, namespace)  # type: ignore[no-untyped-call]  # dagster-k8s leaves it so
        except (DagsterK8sUnrecoverableAPIError, DagsterK8sAPIRetryLimitExceeded) as error:
            raise error_of(error.k8s_api_exception, f"pods of {name}") from error
        found: list[Manifest] = self._models.sanitize_for_serialization(pods)
        return [
            pod for pod in found if any(owner["uid"] == uid for owner in pod["metadata"].get("ownerReferences") or ())
        ]

    def logs(self, pod: str, namespace: str, last_lines: int = LAST_LOG_LINES) -> str | None:
        """Return the end of a pod's output, or None if there is none to be had."""
        try:
            text: str = self._dagster.retrieve_pod_logs(pod, namespace, CONTAINER, tail_lines=last_lines)
        except (ApiException, UnicodeDecodeError):
            return None
        # The kubelet answers so where a container's log is gone or has not begun.
        return None if text.startswith("unable to retrieve container logs") else text.rstrip("\n")

    def last_line(self, pod: Manifest, namespace: str) -> str:
        """Return the last line of a pod's output."""
        return self.logs(str(pod["metadata"]["name"]), namespace, 1) or ""

    def events(self, pod: str, namespace: str) -> tuple[str, ...]:
        """Return what Kubernetes said of a pod, oldest first; nothing if it will not say."""
        try:
            events = self._models.sanitize_for_serialization(self._dagster.retrieve_pod_events(pod, namespace))
        except (ApiException, DagsterK8sUnrecoverableAPIError, DagsterK8sAPIRetryLimitExceeded):
            return ()
        events.sort(key=lambda event: str(event.get("lastTimestamp") or event.get("eventTime") or ""))
        return tuple(
            f"{event.get('type')} {event.get('reason')}: {event.get('message')}" for event in events[-LAST_EVENTS:]
        )
