"""Whether pods fit on nodes, in numbers: what each pod asks, what daemons take, what is left of a node."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

from infra.lib.instances import Allocatable

_UNITS_MIB = {"Ki": 1 / 1024, "Mi": 1.0, "Gi": 1024.0, "Ti": 1024.0**2}


@dataclass(frozen=True)
class Requests:
    """What the scheduler reckons a pod with."""

    name: str
    cpu_millis: int
    memory_mib: float


def requests_of_pod(name: str, pod: Mapping[str, Any]) -> Requests:
    """Return a pod's requests: its containers' together, or its largest init container's where that is more.

    A request that is not given is the limit, as the API server has it.
    """
    containers = [_requests(each) for each in pod["containers"]]
    first = [_requests(each) for each in pod.get("initContainers", ())]
    cpu = max([sum(cpu for cpu, _ in containers), *(cpu for cpu, _ in first)])
    memory = max([sum(memory for _, memory in containers), *(memory for _, memory in first)])
    return Requests(name, cpu, memory)


def place(pods: Iterable[Requests], nodes: int, node: Allocatable) -> list[str]:
    """Return the pods that find no room, when the largest choose first and each takes the first node that has it."""
    free = [[node.cpu_millis, node.memory_mib, node.pods] for _ in range(nodes)]
    homeless: list[str] = []
    for pod in sorted(pods, key=lambda each: (each.memory_mib, each.cpu_millis), reverse=True):
        for rest in free:
            if rest[0] >= pod.cpu_millis and rest[1] >= pod.memory_mib and rest[2] >= 1:
                rest[0] -= pod.cpu_millis
                rest[1] = int(rest[1] - pod.memory_mib)
                rest[2] -= 1
                break
        else:
            homeless.append(pod.name)
    return homeless


def without(node: Allocatable, daemons: Iterable[Requests]) -> Allocatable:
    """Return what is left of a node under the pods that run on every one."""
    taken = list(daemons)
    return Allocatable(
        node.cpu_millis - sum(each.cpu_millis for each in taken),
        int(node.memory_mib - sum(each.memory_mib for each in taken)),
        node.pods - len(taken),
    )


def cpu_millis(text: str) -> int:
    """Return `500m` or `2` in thousandths of a CPU."""
    return int(text.removesuffix("m")) if text.endswith("m") else int(float(text) * 1000)


def memory_mib(text: str) -> float:
    """Return `512Mi` or `4Gi` in MiB; a bare number is bytes."""
    unit = text[-2:]
    return float(text[:-2]) * _UNITS_MIB[unit] if unit in _UNITS_MIB else float(text) / 1024**2


def _requests(container: Mapping[str, Any]) -> tuple[int, float]:
    resources = container.get("resources", {})
    asked = {**resources.get("limits", {}), **resources.get("requests", {})}
    return cpu_millis(str(asked.get("cpu", "0"))), memory_mib(str(asked.get("memory", "0")))
