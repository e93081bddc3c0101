"""Who talks to whom in the platform's namespace: nobody, but for what is listed here and in the shipped manifests."""

from typing import Any

from hawk.naming import APP_NAME, COMPONENT_LABEL, NAME_LABEL, RUNNER_COMPONENT
from infra.core.database import PORT as POSTGRES_PORT
from infra.k8s.objects import Manifest
from infra.services.settings import API_PORT, DAGSTER_PORT, DOOR_PORT, PROXY_PORT, VIEWER_PORT
from infra.services.workload import metadata

NAMESPACE_NAME = "kubernetes.io/metadata.name"
CODE_PORT = 4000
# Where instances and pods ask for credentials; EKS Pod Identity's agent alone is let through.
METADATA = "169.254.0.0/16"
POD_IDENTITY_AGENT = "169.254.170.23/32"
COLLECTOR_PORT = 4317


def network_policies(*, vpc_cidr: str, load_balancer_cidrs: list[str], collector: bool) -> list[Manifest]:
    """Return the policies; beside them stand those of infra/kubernetes/dagster.yaml."""
    visitors = [{"ipBlock": {"cidr": cidr}} for cidr in load_balancer_cidrs]
    policies = [
        _policy("default-deny", {}, policyTypes=["Ingress", "Egress"]),
        _policy("platform", {}, policyTypes=["Egress"], egress=_common(vpc_cidr)),
        _ingress("api", [*visitors, _runners(), _pods("dagster-door", "viewer")], API_PORT),
        _ingress("proxy", [_runners(), _pods("api")], PROXY_PORT),
        _ingress("dagster-door", visitors, DOOR_PORT),
        _ingress("viewer", visitors, VIEWER_PORT),
        _egress("api", {"dagster-web": DAGSTER_PORT, "proxy": PROXY_PORT}),
        _egress("dagster-door", {"dagster-web": DAGSTER_PORT, "api": API_PORT}),
        _egress("viewer", {"api": API_PORT}),
        _egress("dagster-web", {"dagster-code": CODE_PORT}),
        _egress("dagster-daemon", {"dagster-code": CODE_PORT}),
    ]
    if collector:
        policies += [
            _ingress("collector", [_pods("proxy")], COLLECTOR_PORT),
            _egress("proxy", {"collector": COLLECTOR_PORT}),
        ]
    return policies


def _common(vpc_cidr: str) -> list[dict[str, Any]]:
    """Return what every program may reach: names, Postgres, AWS and providers by HTTPS, the agent of its identity."""
    dns = {"namespaceSelector": {"matchLabels": {NAMESPACE_NAME: "kube-system"}}}
    dns["podSelector"] = {"matchLabels": {"k8s-app": "kube-dns"}}
    return [
        {"to": [dns], "ports": [{"protocol": protocol, "port": 53} for protocol in ("UDP", "TCP")]},
        {"to": [{"ipBlock": {"cidr": vpc_cidr}}], "ports": [_tcp(POSTGRES_PORT)]},
        {"to": [{"ipBlock": {"cidr": "0.0.0.0/0", "except": [METADATA]}}], "ports": [_tcp(443)]},
        {"to": [{"ipBlock": {"cidr": POD_IDENTITY_AGENT}}], "ports": [_tcp(80)]},
    ]


def _runners() -> dict[str, Any]:
    """Return the pods of all jobs, in whichever namespaces they are."""
    labels = {NAME_LABEL: APP_NAME, COMPONENT_LABEL: RUNNER_COMPONENT}
    return {"namespaceSelector": {"matchLabels": labels}, "podSelector": {}}


def _pods(*components: str) -> dict[str, Any]:
    return {
        "podSelector": {"matchExpressions": [{"key": COMPONENT_LABEL, "operator": "In", "values": list(components)}]}
    }


def _ingress(component: str, sources: list[dict[str, Any]], port: int) -> Manifest:
    rule = {"from": sources, "ports": [_tcp(port)]}
    return _policy(f"to-{component}", {COMPONENT_LABEL: component}, policyTypes=["Ingress"], ingress=[rule])


def _egress(component: str, targets: dict[str, int]) -> Manifest:
    rules = [{"to": [_pods(target)], "ports": [_tcp(port)]} for target, port in targets.items()]
    return _policy(f"from-{component}", {COMPONENT_LABEL: component}, policyTypes=["Egress"], egress=rules)


def _policy(name: str, labels: dict[str, str], **spec: Any) -> Manifest:
    selector: dict[str, Any] = {"matchLabels": labels} if labels else {}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": metadata(name, "network"),
        "spec": {"podSelector": selector, **spec},
    }


def _tcp(port: int) -> dict[str, Any]:
    return {"protocol": "TCP", "port": port}
