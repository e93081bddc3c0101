"""Chart values of one sandbox, with what set, task and deployment lay down for it; pure functions over mappings."""

import copy
import re
from collections.abc import Mapping
from typing import Any

from hawk.config.isolation import IsolationConfig
from hawk.errors import UserError
from hawk.job_spec import SandboxRules

CLUSTER_DEFAULT = "CLUSTER_DEFAULT"  # by which the chart sets no RuntimeClass; it would be gvisor
GPU = "nvidia.com/gpu"
ANY_SERVICE = "*"  # in a deployment's values: every service of the sandbox
_ANNOTATIONS = {"karpenter.sh/do-not-disrupt": "true", "cluster-autoscaler.kubernetes.io/safe-to-evict": "false"}
# What would let a strict sandbox be more than its isolation says.
_NOT_STRICT = ("additionalResources", "extraContainers", "serviceAccountName", "automountServiceAccountToken")

Values = dict[str, Any]


def isolated_values(
    values: Mapping[str, Any], isolation: IsolationConfig, rules: SandboxRules, *, labels: Mapping[str, str]
) -> Values:
    """Return the values as they are installed. Raises UserError for what strict isolation does not allow."""
    result: Values = copy.deepcopy(dict(values))
    is_strict = isolation.level == "strict"
    if is_strict:
        _close_network(result, isolation)
    services = result.get("services") or {"default": {}}
    result["services"] = {name: _service(name, service or {}, isolation, rules) for name, service in services.items()}
    result["labels"] = {
        **(result.get("labels") or {}),
        **{name: label_value(text) for name, text in labels.items()},
        **rules.labels,
    }
    result["annotations"] = {**(result.get("annotations") or {}), **_ANNOTATIONS}
    return _with_deployments(result, rules.values)


def stricter(first: IsolationConfig | None, second: IsolationConfig | None) -> IsolationConfig:
    """Return the isolation of a task in a set: the task's own where it has one, as it may only raise it."""
    return second or first or IsolationConfig(level="standard")


def label_value(text: str) -> str:
    """Return the text as a label's value."""
    return re.sub(r"[^A-Za-z0-9_.-]+", "_", text)[:63].strip("-_.")


def _close_network(values: Values, isolation: IsolationConfig) -> None:
    for key in _NOT_STRICT:
        if values.get(key):
            raise UserError(
                f"A sandbox of strict isolation cannot have `{key}` in its values.",
                hint="Leave it out, or run the task at isolation `standard`.",
                value=key,
            )
    values["allowDomains"] = list(isolation.allow_domains)
    values["allowCIDR"] = list(isolation.allow_cidr)
    values["allowEntities"] = []
    values["allowDomainsPorts"] = []


def _service(name: str, service: Mapping[str, Any], isolation: IsolationConfig, rules: SandboxRules) -> Values:
    result = copy.deepcopy(dict(service))
    is_strict = isolation.level == "strict"
    if is_strict:
        result["runtimeClassName"] = isolation.runtime_class or rules.strict_runtime_class
    elif not result.get("runtimeClassName"):
        result["runtimeClassName"] = rules.runtime_class or CLUSTER_DEFAULT
    if rules.architecture:
        result["nodeSelector"] = {**(result.get("nodeSelector") or {}), "kubernetes.io/arch": rules.architecture}
    if _wants_gpu(result):
        if is_strict and not isolation.allow_gpu:
            raise UserError(
                f"The sandbox's service {name!r} asks for a GPU, which strict isolation does not allow.",
                hint="Write `isolation: {level: strict, allow_gpu: true}`.",
                value=name,
            )
        result["tolerations"] = [*(result.get("tolerations") or []), {"key": GPU, "operator": "Exists"}]
    if is_strict:
        result["securityContext"] = {
            **(result.get("securityContext") or {}),
            "allowPrivilegeEscalation": False,
            "privileged": False,
            "capabilities": {"drop": ["ALL"]},
            "seccompProfile": {"type": "RuntimeDefault"},
            **({} if isolation.non_root is False else {"runAsNonRoot": True}),
            **({"readOnlyRootFilesystem": True} if isolation.read_only_root else {}),
        }
    return result


def _wants_gpu(service: Mapping[str, Any]) -> bool:
    resources = service.get("resources") or {}
    return any(GPU in (resources.get(kind) or {}) for kind in ("limits", "requests"))


def _with_deployments(values: Values, own: Mapping[str, Any]) -> Values:
    """Return the values with the deployment's own merged onto them; `services.*` is for each service."""
    ours = copy.deepcopy(dict(own))
    services = ours.pop("services", None) or {}
    merged = _merge(values, ours)
    for name, service in merged["services"].items():
        for_all = _merge(service, services.get(ANY_SERVICE) or {})
        merged["services"][name] = _merge(for_all, services.get(name) or {})
    return merged


def _merge(onto: Mapping[str, Any], these: Mapping[str, Any]) -> Values:
    result = dict(onto)
    for key, value in these.items():
        inner = result.get(key)
        result[key] = _merge(inner, value) if isinstance(inner, Mapping) and isinstance(value, Mapping) else value
    return result
