"""A job's two namespaces: what may run in them, and how much."""

from hawk.job_manifest.identity import JobIdentity, Manifest
from hawk.naming import RUNNER_COMPONENT, SANDBOX_COMPONENT
from hawk.settings import KubernetesSettings

POD_SECURITY = "pod-security.kubernetes.io"
KUEUE_LABEL = "hawk-admission-managed"
LOCAL_QUEUE = "default"
RUNNER_PODS = 3  # the one that runs, one that ends while its successor starts, and one to spare


def namespaces(job: JobIdentity, settings: KubernetesSettings) -> list[Manifest]:
    """Return the runner's namespace and, where the job has sandboxes, theirs."""
    found = [_namespace(job, job.runner_namespace, RUNNER_COMPONENT, "restricted", bool(settings.kueue_queue))]
    if job.sandbox_namespace is not None:
        level = "restricted" if is_strict(job) else "baseline"  # images of sandboxes may need root
        managed = bool(settings.kueue_sandbox_queue)
        found.append(_namespace(job, job.sandbox_namespace, SANDBOX_COMPONENT, level, managed))
    return found


def quotas(job: JobIdentity, settings: KubernetesSettings) -> list[Manifest]:
    """Return the limits of the namespaces, and their Kueue queues where there is Kueue."""
    outside = {"services.loadbalancers": "0", "services.nodeports": "0"}
    runner = {"pods": str(RUNNER_PODS), "services": "0", "persistentvolumeclaims": "0"}
    found = [job.manifest("v1", "ResourceQuota", "runner", spec={"hard": {**runner, **outside}})]
    if settings.kueue_queue:
        found.append(_local_queue(job, settings.kueue_queue, sandbox=False))
    if job.sandbox_namespace is not None:
        hard = {"pods": str(settings.sandbox_pods), **outside}
        found.append(job.manifest("v1", "ResourceQuota", "sandboxes", sandbox=True, spec={"hard": hard}))
        if settings.kueue_sandbox_queue:
            found.append(_local_queue(job, settings.kueue_sandbox_queue, sandbox=True))
    return found


def is_strict(job: JobIdentity) -> bool:
    """Say whether every sandbox of the job is to be isolated strictly."""
    isolation = job.spec.config.isolation
    return isolation is not None and isolation.level == "strict"


def _namespace(job: JobIdentity, name: str, component: str, level: str, kueue: bool) -> Manifest:
    labels = job.labels(component) | {f"{POD_SECURITY}/{mode}": level for mode in ("enforce", "audit", "warn")}
    if kueue:
        labels |= {KUEUE_LABEL: "true", "hawk-admission-role": component}
    metadata = {"name": name, "labels": labels, "annotations": job.annotations()}
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": metadata}


def _local_queue(job: JobIdentity, cluster_queue: str, *, sandbox: bool) -> Manifest:
    spec = {"clusterQueue": cluster_queue}
    return job.manifest("kueue.x-k8s.io/v1beta1", "LocalQueue", LOCAL_QUEUE, sandbox=sandbox, spec=spec)
