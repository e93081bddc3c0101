"""Pods that run on every node, and those of the add-ons on the platform's; for reckoning whether there is room."""

from infra.k8s.add_ons import BALANCER, COREDNS, DISKS, DISKS_OF_NODE, KUEUE, METRICS
from infra.k8s.capacity import Requests
from infra.k8s.cilium import AGENT, OPERATOR
from infra.k8s.karpenter import CONTROLLER
from infra.lib.config import DeploymentConfig
from infra.lib.sizes import Ask
from infra.observability.collector import ASK as COLLECTOR
from infra.observability.collector import DATADOG_NODE

_POD_IDENTITY_AGENT = Ask(cpu_millis=10, memory_mib=16)  # the add-on's chart asks for nothing; what it uses


def daemons(config: DeploymentConfig) -> list[Requests]:
    """Return what each node runs before any other pod."""
    asks = {"cilium": AGENT, "ebs-csi-node": DISKS_OF_NODE, "pod-identity-agent": _POD_IDENTITY_AGENT}
    if config.observability.datadog_site:
        asks["datadog"] = DATADOG_NODE
    return [_of(name, ask) for name, ask in asks.items()]


def add_on_pods(config: DeploymentConfig) -> list[Requests]:
    """Return the pods of add-ons on the platform's nodes."""
    asks = {
        "cilium-operator": OPERATOR,
        "karpenter": CONTROLLER,
        "metrics-server": METRICS,
        "ebs-csi-controller": DISKS,
        "load-balancer-controller": BALANCER,
    }
    copies = config.sizes.add_on_replicas
    pods = [_of(f"{name}-{number}", ask) for name, ask in asks.items() for number in range(copies)]
    pods += [_of(f"coredns-{number}", COREDNS) for number in range(COREDNS.replicas)]
    if config.cluster.kueue:
        pods.append(_of("kueue", KUEUE))
    if config.observability.collector:
        pods.append(_of("collector", COLLECTOR))
    return pods


def _of(name: str, ask: Ask) -> Requests:
    return Requests(name, ask.cpu_millis, ask.memory_mib)
