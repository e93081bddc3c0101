"""What of jobs is left on a cluster that nobody needs: pure rules decide, a few calls find and remove it."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from hawk.ids import JobId
from hawk.naming import APP_NAME, COMPONENT_LABEL, JOB_ID_LABEL, NAME_LABEL, NAMESPACE_PREFIX_LABEL, SANDBOX_COMPONENT

if TYPE_CHECKING:
    from orchestration.launchers.kubernetes_api import KubernetesApi, Manifest

RELEASE_LABEL = "app.kubernetes.io/instance"
# What the chart of a sandbox makes, the pods' owner first, so that none is made anew.
_RELEASE_KINDS = ("StatefulSet", "Pod", "Service", "CiliumNetworkPolicy", "ConfigMap", "PersistentVolumeClaim",
                  "ServiceAccount")  # fmt: skip


@dataclass(frozen=True)
class JobFacts:
    """What the database knows of a job: since when it has ended, or its present attempt runs."""

    has_ended: bool
    since: datetime


@dataclass(frozen=True)
class Leftover:
    """A namespace, or a sandbox's release in one, that is to go."""

    kind: Literal["namespace", "release"]
    namespace: str
    name: str  # of the release; of a namespace its own
    job_id: JobId
    reason: str
    since: datetime  # from when on nobody needed it

    def age(self, now: datetime) -> timedelta:
        return now - self.since


@dataclass(frozen=True)
class Found:
    """A namespace, or a release in a sandbox namespace, as the cluster has it."""

    kind: Literal["namespace", "release"]
    namespace: str
    name: str
    job_id: JobId
    created_at: datetime


def leftovers(
    found: Iterable[Found], jobs: Mapping[JobId, JobFacts], *, now: datetime, after: timedelta
) -> list[Leftover]:
    """Return what is to go, oldest first.

    That are namespaces of jobs that ended, or that no database knows, and sandboxes that an earlier attempt of a
    running job left. Nothing goes before it was of no use for as long as `after`.
    """
    result = []
    for thing in found:
        job = jobs.get(thing.job_id)
        if job is None:
            if thing.kind == "namespace":
                result.append(_leftover(thing, "No eval set has this id.", thing.created_at))
        elif job.has_ended:
            if thing.kind == "namespace":
                result.append(_leftover(thing, "Its eval set has ended.", max(job.since, thing.created_at)))
        elif thing.kind == "release" and thing.created_at < job.since:
            result.append(_leftover(thing, "An earlier attempt left it.", job.since))
    return sorted((item for item in result if item.age(now) >= after), key=lambda item: item.since)


def find(api: "KubernetesApi", namespace_prefix: str) -> list[Found]:
    """Return every namespace of the deployment that does not end already, and every sandbox in them."""
    found = []
    labels = {NAME_LABEL: APP_NAME, NAMESPACE_PREFIX_LABEL: namespace_prefix}
    for namespace in api.list("Namespace", labels=labels):
        metadata = namespace["metadata"]
        if metadata.get("deletionTimestamp"):
            continue
        job_id = JobId(metadata["labels"][JOB_ID_LABEL])
        found.append(Found("namespace", metadata["name"], metadata["name"], job_id, _created_at(namespace)))
        if metadata["labels"].get(COMPONENT_LABEL) == SANDBOX_COMPONENT:
            found.extend(_releases(api, metadata["name"], job_id))
    return found


def remove(api: "KubernetesApi", leftover: Leftover) -> None:
    """Remove it with all that is in it, the record of its release last; what is gone already is well."""
    if leftover.kind == "namespace":
        api.delete("Namespace", leftover.namespace)
        for pod in api.list("Pod", leftover.namespace):
            api.delete("Pod", pod["metadata"]["name"], leftover.namespace, grace_seconds=0)
        return
    for kind in _RELEASE_KINDS:
        if kind == "CiliumNetworkPolicy" and not api.has_kind(kind):
            continue
        for item in api.list(kind, leftover.namespace, labels={RELEASE_LABEL: leftover.name}):
            api.delete(kind, item["metadata"]["name"], leftover.namespace)
    # Helm's records are secrets, which nobody here may read: they are deleted by their labels.
    api.delete_all("Secret", leftover.namespace, labels={"owner": "helm", "name": leftover.name})


def oldest_seconds(items: Sequence[Leftover], now: datetime) -> float:
    """Return for how long the oldest of them has been of no use; 0 where there is none."""
    return max((item.age(now).total_seconds() for item in items), default=0.0)


def _leftover(thing: Found, reason: str, since: datetime) -> Leftover:
    return Leftover(thing.kind, thing.namespace, thing.name, thing.job_id, reason, since)


def _releases(api: "KubernetesApi", namespace: str, job_id: JobId) -> Iterable[Found]:
    """Yield the sandboxes of a namespace, each once, also those of which an install left files only."""
    oldest: dict[str, datetime] = {}
    for kind in ("StatefulSet", "ConfigMap"):
        for item in api.list(kind, namespace):
            _note(oldest, str((item["metadata"].get("labels") or {}).get(RELEASE_LABEL, "")), item)
    for name, created_at in oldest.items():
        yield Found("release", namespace, name, job_id, created_at)


def _note(oldest: dict[str, datetime], name: str, item: "Manifest") -> None:
    if name:
        created_at = _created_at(item)
        oldest[name] = min(oldest.get(name, created_at), created_at)


def _created_at(item: "Manifest") -> datetime:
    return datetime.fromisoformat(item["metadata"]["creationTimestamp"])
