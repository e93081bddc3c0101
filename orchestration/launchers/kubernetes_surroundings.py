"""What lies around the jobs of a deployment, asked of its settings and its cluster when a job is launched."""

from collections.abc import Iterator

from psycopg.conninfo import conninfo_to_dict

from hawk.errors import UserError
from hawk.job_manifest.network import Address, Surroundings
from hawk.naming import SANDBOX_CLUSTER_ROLE
from hawk.settings import OrchestrationSettings
from orchestration.launchers.kubernetes import KubernetesJobLauncher
from orchestration.launchers.kubernetes_api import KubernetesApi, api_client

POSTGRES_PORT = 5432


def kubernetes_launcher(settings: OrchestrationSettings) -> KubernetesJobLauncher:
    """Return the launcher of the cluster that the settings and the kubeconfig name. Raises UserError without one."""
    client = api_client(settings.kubernetes_context)
    return KubernetesJobLauncher(
        client,
        settings,
        around=lambda: look_around(KubernetesApi(client), settings),
        region=settings.s3_region,
    )


def look_around(api: KubernetesApi, settings: OrchestrationSettings) -> Surroundings:
    """Return what jobs have around them. Raises UserError where the cluster lacks what they need."""
    if api.get("ClusterRole", SANDBOX_CLUSTER_ROLE) is None:
        raise UserError(
            f"The cluster has no ClusterRole {SANDBOX_CLUSTER_ROLE}, by which runners make sandboxes.",
            hint="Install it: kubectl apply -f infra/kubernetes/sandboxes-role.yaml.",
            value=SANDBOX_CLUSTER_ROLE,
        )
    has_cilium = settings.network_policies == "cilium" or (
        settings.network_policies == "auto" and api.has_kind("CiliumNetworkPolicy")
    )
    return Surroundings(
        services=tuple(dict.fromkeys(service_addresses(settings.as_jobs_see_it()))),
        api_servers=tuple(_api_servers(api)),
        database_ports=database_ports(settings),
        has_cilium=has_cilium,
    )


def service_addresses(settings: OrchestrationSettings) -> Iterator[Address]:
    """Yield where S3, proxy and API are, as runners know them."""
    if settings.s3_endpoint_url:
        yield Address.of_url(settings.s3_endpoint_url)
    else:
        for service in ("s3", "sts", "secretsmanager"):
            yield Address(f"{service}.{settings.s3_region}.amazonaws.com", 443)
        yield Address(f"{settings.bucket}.s3.{settings.s3_region}.amazonaws.com", 443)
    for url in (settings.proxy_url, settings.api_url):
        if url:
            yield Address.of_url(url)


def database_ports(settings: OrchestrationSettings) -> tuple[int, ...]:
    """Return the ports at which Postgres is reached, of each of its hosts where there are several."""
    fields = conninfo_to_dict(settings.database_url.get_secret_value())
    ports = str(fields.get("port") or "").split(",")
    return tuple(dict.fromkeys(int(port) if port else POSTGRES_PORT for port in ports))


def _api_servers(api: KubernetesApi) -> Iterator[Address]:
    endpoints = api.get("Endpoints", "kubernetes", "default")
    for subset in (endpoints or {}).get("subsets") or ():
        for address in subset.get("addresses") or ():
            for port in subset.get("ports") or ():
                yield Address(str(address["ip"]), int(port["port"]))
