"""Who a job's pods may talk to: Cilium's policies, and standard ones beside them.

Where both are enforced a connection passes if either allows it, so the standard ones never allow more than Cilium's.
Without Cilium they close rather than open: domains cannot be listed, and sandboxes reach nothing.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from ipaddress import ip_address
from typing import Any
from urllib.parse import urlsplit

from hawk.job_manifest.identity import JobIdentity, Manifest
from hawk.naming import APP_NAME, COMPONENT_LABEL, JOB_ID_LABEL, NAME_LABEL, SANDBOX_COMPONENT
from hawk.settings import KubernetesSettings

CILIUM_API = "cilium.io/v2"
CILIUM_NAMESPACE = "k8s:io.kubernetes.pod.namespace"
NAMESPACE_NAME = "kubernetes.io/metadata.name"
NODE_LOCAL_DNS = "169.254.20.10/32"
POD_IDENTITY_AGENT = ("169.254.170.23/32", "fd00:ec2::23/128")
# AWS (also GCP's and most others'), its IPv6, ECS tasks, EKS Pod Identity, Azure's wire server, Alibaba.
METADATA = ("169.254.169.254/32", "fd00:ec2::254/128", "169.254.170.2/32", *POD_IDENTITY_AGENT, "168.63.129.16/32",
            "100.100.100.200/32")  # fmt: skip
# Private, shared, link-local and multicast ranges: nodes, databases and other people's services are there.
NOT_WORLD = ("10.0.0.0/8", "100.64.0.0/10", "127.0.0.0/8", "168.63.129.16/32", "169.254.0.0/16", "172.16.0.0/12",
             "192.168.0.0/16", "224.0.0.0/4")  # fmt: skip
NOT_WORLD_6 = ("fc00::/7", "fe80::/10", "ff00::/8")


@dataclass(frozen=True)
class Address:
    """Where a service outside the cluster's pods listens."""

    host: str  # a name or an IP address
    port: int

    @classmethod
    def of_url(cls, url: str) -> "Address":
        parts = urlsplit(url)
        return cls(parts.hostname or "", parts.port or (80 if parts.scheme == "http" else 443))

    @property
    def network(self) -> str | None:
        """Return the one-address network of an IP address, None of a name."""
        try:
            address = ip_address(self.host)
        except ValueError:
            return None
        return f"{address}/{address.max_prefixlen}"


@dataclass(frozen=True)
class Surroundings:
    """What a deployment's jobs have around them."""

    services: tuple[Address, ...] = ()  # S3, proxy, API where they are not pods
    api_servers: tuple[Address, ...] = ()
    database_ports: tuple[int, ...] = ()  # where Postgres listens
    has_cilium: bool = True


def network_policies(job: JobIdentity, settings: KubernetesSettings, around: Surroundings) -> list[Manifest]:
    """Return the policies of both namespaces; the sandboxes' own ones come with each sandbox."""
    found = [_standard_runner(job, settings, around)]
    if around.has_cilium:
        found.append(_cilium_runner(job, settings, around))
    if job.sandbox_namespace is not None:
        found.append(
            job.manifest(
                "networking.k8s.io/v1",
                "NetworkPolicy",
                "default-deny",
                sandbox=True,
                spec={"podSelector": {}, "policyTypes": ["Ingress", "Egress"]},
            )
        )
        if around.has_cilium:
            deny: dict[str, Any] = {"endpointSelector": {}, "ingress": [{}], "egress": [{}]}
            found.append(job.manifest(CILIUM_API, "CiliumNetworkPolicy", "default-deny", sandbox=True, spec=deny))
    return found


def _cilium_runner(job: JobIdentity, settings: KubernetesSettings, around: Surroundings) -> Manifest:
    egress: list[dict[str, Any]] = [
        _cilium_dns(settings, around),
        {"toEntities": ["kube-apiserver"]},
        *_cilium_services(around.services),
        *_cilium_platform(settings),
        *_cilium_outside(settings, around),
    ]
    if job.sandbox_namespace is not None:
        egress.append({"toEndpoints": [{"matchLabels": {CILIUM_NAMESPACE: job.sandbox_namespace}}]})
    spec = {
        "description": "The runner reaches its sandboxes, DNS, the API server, Hawk's services and what settings list.",
        "endpointSelector": {},
        "ingress": [{}],
        "egress": egress,
        "egressDeny": [
            {"toCIDR": [cidr for cidr in METADATA if cidr not in _agent(settings)]},
            *_cilium_databases(around),
        ],
    }
    return job.manifest(CILIUM_API, "CiliumNetworkPolicy", "runner", spec=spec)


def _cilium_dns(settings: KubernetesSettings, around: Surroundings) -> dict[str, Any]:
    patterns = ["*"]
    if settings.runner_egress == "listed":
        patterns = ["*.cluster.local", *_listed_domains(settings, around)]
    servers = ("kube-dns", "node-local-dns")
    return {
        "toEndpoints": [{"matchLabels": {CILIUM_NAMESPACE: "kube-system", "k8s:k8s-app": name}} for name in servers],
        "toPorts": [
            {
                "ports": [{"port": "53", "protocol": protocol} for protocol in ("UDP", "TCP")],
                "rules": {"dns": [_domain_match(pattern) for pattern in patterns]},
            }
        ],
    }


def _cilium_databases(around: Surroundings) -> Iterable[dict[str, Any]]:
    """Deny the ports of Postgres at every address, in whatever network a setting opens; nothing else is there."""
    ports = sorted(set(around.database_ports) - {443, *(service.port for service in around.services)})
    if ports:
        yield {"toCIDR": ["0.0.0.0/0", "::/0"], "toPorts": [_ports(*ports)]}


def _cilium_services(services: Sequence[Address]) -> Iterable[dict[str, Any]]:
    for service in services:
        if service.network is not None:
            yield {"toCIDR": [service.network], "toPorts": [_ports(service.port)]}
            # The same address where a node or pod has it: Cilium knows those by identity, not by address.
            yield {"toEntities": ["host", "remote-node"], "toPorts": [_ports(service.port)]}


def _cilium_platform(settings: KubernetesSettings) -> Iterable[dict[str, Any]]:
    for component, port in _platform(settings):
        labels = {
            CILIUM_NAMESPACE: settings.platform_namespace,
            f"k8s:{NAME_LABEL}": APP_NAME,
            f"k8s:{COMPONENT_LABEL}": component,
        }
        yield {"toEndpoints": [{"matchLabels": labels}], "toPorts": [_ports(port)]}


def _cilium_outside(settings: KubernetesSettings, around: Surroundings) -> Iterable[dict[str, Any]]:
    if settings.runner_egress == "world":
        yield {"toCIDRSet": [{"cidr": cidr, "except": list(but)} for cidr, but in _world()]}
    else:
        domains = _listed_domains(settings, around)
        ports = sorted({443, *(service.port for service in around.services if service.network is None)})
        yield {"toFQDNs": [_domain_match(domain) for domain in domains], "toPorts": [_ports(*ports)]}
    if settings.runner_allowed_networks:
        yield {"toCIDR": list(settings.runner_allowed_networks)}
    if settings.runner_pod_identity:
        yield {"toCIDR": list(POD_IDENTITY_AGENT), "toPorts": [_ports(80)]}


def _standard_runner(job: JobIdentity, settings: KubernetesSettings, around: Surroundings) -> Manifest:
    dns = [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]
    name_servers = [
        {
            "namespaceSelector": {"matchLabels": {NAMESPACE_NAME: "kube-system"}},
            "podSelector": {"matchExpressions": [{"key": "k8s-app", "operator": "In", "values": ["kube-dns"]}]},
        },
        {"ipBlock": {"cidr": NODE_LOCAL_DNS}},
    ]
    egress: list[dict[str, Any]] = [{"to": name_servers, "ports": dns}]
    for address in (*around.api_servers, *around.services):
        if address.network is not None:
            egress.append({"to": [{"ipBlock": {"cidr": address.network}}], "ports": [_tcp(address.port)]})
    for component, port in _platform(settings):
        pods = {
            "namespaceSelector": {"matchLabels": {NAMESPACE_NAME: settings.platform_namespace}},
            "podSelector": {"matchLabels": {NAME_LABEL: APP_NAME, COMPONENT_LABEL: component}},
        }
        egress.append({"to": [pods], "ports": [_tcp(port)]})
    if job.sandbox_namespace is not None:
        labels = {JOB_ID_LABEL: job.name, COMPONENT_LABEL: SANDBOX_COMPONENT}
        egress.append({"to": [{"namespaceSelector": {"matchLabels": labels}}]})
    if settings.runner_egress == "world":
        egress.append({"to": [{"ipBlock": {"cidr": cidr, "except": list(but)}} for cidr, but in _world()]})
    if settings.runner_allowed_networks:
        egress.append({"to": [{"ipBlock": {"cidr": cidr}} for cidr in settings.runner_allowed_networks]})
    if settings.runner_pod_identity:
        egress.append({"to": [{"ipBlock": {"cidr": cidr}} for cidr in POD_IDENTITY_AGENT], "ports": [_tcp(80)]})
    spec = {"podSelector": {}, "policyTypes": ["Ingress", "Egress"], "egress": egress}
    return job.manifest("networking.k8s.io/v1", "NetworkPolicy", "runner", spec=spec)


def _world() -> tuple[tuple[str, tuple[str, ...]], ...]:
    return ("0.0.0.0/0", NOT_WORLD), ("::/0", NOT_WORLD_6)


def _platform(settings: KubernetesSettings) -> tuple[tuple[str, int], ...]:
    if settings.platform_namespace is None:
        return ()
    return ("proxy", settings.proxy_pod_port), ("api", settings.api_pod_port)


def _agent(settings: KubernetesSettings) -> tuple[str, ...]:
    return POD_IDENTITY_AGENT if settings.runner_pod_identity else ()


def _listed_domains(settings: KubernetesSettings, around: Surroundings) -> list[str]:
    names = [service.host for service in around.services if service.network is None and "." in service.host]
    return list(dict.fromkeys([*names, *settings.runner_allowed_domains]))


def _domain_match(domain: str) -> dict[str, str]:
    return {"matchPattern" if "*" in domain else "matchName": domain}


def _ports(*ports: int) -> dict[str, Any]:
    return {"ports": [{"port": str(port), "protocol": "TCP"} for port in ports]}


def _tcp(port: int) -> dict[str, Any]:
    return {"protocol": "TCP", "port": port}
