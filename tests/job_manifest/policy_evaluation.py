"""What a runner's policies let it reach, worked out as Kubernetes and Cilium document it.

Only what our policies use is known; anything else in a rule is an error, so that no rule is passed over.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from ipaddress import ip_address, ip_network
from typing import Any

from hawk.job_manifest.identity import Manifest

CILIUM_PREFIX = "k8s:"
CILIUM_NAMESPACE = "io.kubernetes.pod.namespace"


@dataclass(frozen=True)
class Destination:
    """Somewhere outside the runner: a pod by its labels, an entity such as the API server, or an address."""

    port: int
    protocol: str = "TCP"
    address: str = ""
    domain: str = ""  # by which the address was looked up
    entity: str = ""
    namespace: str = ""
    namespace_labels: Mapping[str, str] = field(default_factory=dict)
    labels: Mapping[str, str] = field(default_factory=dict)

    @property
    def is_pod(self) -> bool:
        return bool(self.namespace)


def reaches(policies: Iterable[Manifest], destination: Destination) -> bool:
    """Say whether a pod selected by the policies gets there: one allows it, and none denies it."""
    allowed = False
    for policy in policies:
        spec = policy["spec"]
        if policy["kind"] == "CiliumNetworkPolicy":
            if any(_cilium(rule, destination) for rule in spec.get("egressDeny", ())):
                return False
            allowed |= any(_cilium(rule, destination) for rule in spec["egress"])
        elif "Egress" in spec["policyTypes"]:
            allowed |= any(_standard(rule, destination) for rule in spec.get("egress", ()))
    return allowed


def _cilium(rule: Mapping[str, Any], to: Destination) -> bool:
    known = {"toEndpoints", "toEntities", "toCIDR", "toCIDRSet", "toFQDNs", "toPorts"}
    assert set(rule) <= known, f"not understood: {set(rule) - known}"
    if "toPorts" in rule and not any(_cilium_port(port, to) for group in rule["toPorts"] for port in group["ports"]):
        return False
    peers = [
        *(_cilium_endpoint(selector, to) for selector in rule.get("toEndpoints", ())),
        *(to.entity == entity for entity in rule.get("toEntities", ())),
        # Cilium holds pods and nodes for identities: a network does not match them.
        *(_within(to, cidr) for cidr in rule.get("toCIDR", ())),
        *(_within(to, item["cidr"], item.get("except", ())) for item in rule.get("toCIDRSet", ())),
        *(_named(item, to) for item in rule.get("toFQDNs", ())),
    ]
    return any(peers)


def _cilium_port(port: Mapping[str, Any], to: Destination) -> bool:
    return int(port["port"]) == to.port and port["protocol"] in (to.protocol, "ANY")


def _cilium_endpoint(selector: Mapping[str, Any], to: Destination) -> bool:
    assert set(selector) == {"matchLabels"}
    wanted = {name.removeprefix(CILIUM_PREFIX): value for name, value in selector["matchLabels"].items()}
    return to.is_pod and {**to.labels, CILIUM_NAMESPACE: to.namespace}.items() >= wanted.items()


def _named(item: Mapping[str, str], to: Destination) -> bool:
    if "matchName" in item:
        return to.domain == item["matchName"]
    return bool(to.domain) and fnmatchcase(to.domain, item["matchPattern"])


def _within(to: Destination, cidr: str, but: Iterable[str] = ()) -> bool:
    if not to.address or to.entity or to.is_pod:
        return False
    address = ip_address(to.address)
    return address in ip_network(cidr) and not any(address in ip_network(hole) for hole in but)


def _standard(rule: Mapping[str, Any], to: Destination) -> bool:
    assert set(rule) <= {"to", "ports"}, f"not understood: {set(rule)}"
    ports = rule.get("ports")
    if ports and not any(port["port"] == to.port and port["protocol"] == to.protocol for port in ports):
        return False
    return any(_peer(peer, to) for peer in rule["to"])


def _peer(peer: Mapping[str, Any], to: Destination) -> bool:
    if "ipBlock" in peer:
        return _within(to, peer["ipBlock"]["cidr"], peer["ipBlock"].get("except", ()))
    namespaces, pods = peer["namespaceSelector"], peer.get("podSelector", {})
    named = {**to.namespace_labels, "kubernetes.io/metadata.name": to.namespace}
    return to.is_pod and _selects(namespaces, named) and _selects(pods, to.labels)


def _selects(selector: Mapping[str, Any], labels: Mapping[str, str]) -> bool:
    assert set(selector) <= {"matchLabels", "matchExpressions"}
    if not labels.items() >= selector.get("matchLabels", {}).items():
        return False
    for expression in selector.get("matchExpressions", ()):
        assert expression["operator"] == "In"
        if labels.get(expression["key"]) not in expression["values"]:
            return False
    return True
