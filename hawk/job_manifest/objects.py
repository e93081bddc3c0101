"""All objects of a job but the Job itself, in the order in which they are applied."""

from collections.abc import Mapping

from hawk.job_manifest.access import access
from hawk.job_manifest.files import config_map, secret
from hawk.job_manifest.identity import JobIdentity, Manifest
from hawk.job_manifest.namespaces import namespaces, quotas
from hawk.job_manifest.network import Surroundings, network_policies
from hawk.settings import KubernetesSettings


def job_objects(
    job: JobIdentity,
    settings: KubernetesSettings,
    around: Surroundings,
    *,
    region: str,
    secrets: Mapping[str, str],
) -> list[Manifest]:
    """Return the objects; no pod can run before its namespace's policies and quota are there.

    Raises UserError where the config or secrets are too long for Kubernetes.
    """
    return [
        *namespaces(job, settings),
        *network_policies(job, settings, around),
        *quotas(job, settings),
        *access(job, settings),
        config_map(job, settings, region=region),
        secret(job, settings, secrets),
    ]
