"""Chart values of sandboxes: what set, task and deployment lay down, and what strict isolation refuses."""

from typing import Any

import pytest

from hawk.config.isolation import IsolationConfig
from hawk.errors import UserError
from hawk.job_spec import SandboxRules
from runner.inside.sandbox_values import isolated_values, stricter

STANDARD = IsolationConfig(level="standard")
STRICT = IsolationConfig(level="strict")


def installed(
    values: dict[str, Any], isolation: IsolationConfig = STANDARD, *, labels: dict[str, str] | None = None, **rules: Any
) -> dict[str, Any]:
    return isolated_values(values, isolation, SandboxRules(**rules), labels=labels or {})


@pytest.mark.parametrize(
    ("service", "isolation", "rules", "runtime_class"),
    [
        ({}, STANDARD, {}, "CLUSTER_DEFAULT"),
        ({}, STANDARD, {"runtime_class": "kata"}, "kata"),
        ({"runtimeClassName": "runc"}, STANDARD, {"runtime_class": "kata"}, "runc"),
        ({"runtimeClassName": "runc"}, STRICT, {"runtime_class": "kata"}, "gvisor"),
        ({"runtimeClassName": "runc"}, STRICT, {"strict_runtime_class": "runsc"}, "runsc"),
        ({}, IsolationConfig(level="strict", runtime_class="mine"), {}, "mine"),
    ],
)
def test_runtime_class_is_the_isolations_then_the_tasks_then_the_deployments(
    service: dict[str, str], isolation: IsolationConfig, rules: dict[str, str], runtime_class: str
) -> None:
    values = installed({"services": {"default": service}}, isolation, **rules)

    assert values["services"]["default"]["runtimeClassName"] == runtime_class


def test_sandbox_without_values_is_the_charts_own_with_the_rules() -> None:
    assert installed({})["services"] == {"default": {"runtimeClassName": "CLUSTER_DEFAULT"}}


def test_labels_of_the_job_win_and_are_fit_for_kubernetes() -> None:
    values = isolated_values(
        {"labels": {"hawk.dagster.io/job-id": "forged", "mine": "1"}},
        STANDARD,
        SandboxRules(labels={"hawk.dagster.io/job-id": "job-1"}),
        labels={"hawk.dagster.io/sample-id": "What is 1 + 1?"},
    )

    assert values["labels"] == {
        "hawk.dagster.io/job-id": "job-1",
        "mine": "1",
        "hawk.dagster.io/sample-id": "What_is_1_1",
    }


def test_strict_sandbox_reaches_what_its_isolation_lists_and_nothing_else() -> None:
    isolation = IsolationConfig(level="strict", allow_domains=("pypi.org",), allow_cidr=("203.0.113.0/24",))

    values = installed({"allowEntities": ["world"], "allowDomains": ["*"], "allowCIDR": ["0.0.0.0/0"]}, isolation)

    assert values["allowEntities"] == []
    assert values["allowDomains"] == ["pypi.org"]
    assert values["allowCIDR"] == ["203.0.113.0/24"]


def test_standard_sandbox_keeps_what_its_task_allows() -> None:
    assert installed({"allowDomains": ["pypi.org"]})["allowDomains"] == ["pypi.org"]


def test_strict_service_is_unprivileged_whatever_it_asked() -> None:
    asked = {"securityContext": {"privileged": True, "runAsUser": 1000, "capabilities": {"add": ["SYS_ADMIN"]}}}

    context = installed({"services": {"default": asked}}, STRICT)["services"]["default"]["securityContext"]

    assert context == {
        "runAsUser": 1000,
        "allowPrivilegeEscalation": False,
        "privileged": False,
        "capabilities": {"drop": ["ALL"]},
        "seccompProfile": {"type": "RuntimeDefault"},
        "runAsNonRoot": True,
    }


def test_exceptions_from_strict_are_heeded() -> None:
    isolation = IsolationConfig(level="strict", non_root=False, read_only_root=True)

    context = installed({}, isolation)["services"]["default"]["securityContext"]

    assert "runAsNonRoot" not in context
    assert context["readOnlyRootFilesystem"] is True


@pytest.mark.parametrize("key", ["additionalResources", "extraContainers", "serviceAccountName"])
def test_strict_sandbox_brings_nothing_beside_it(key: str) -> None:
    with pytest.raises(UserError, match=key):
        installed({key: ["anything"]}, STRICT)


def test_gpu_is_tolerated_but_needs_leave_where_isolation_is_strict() -> None:
    wanted = {"services": {"default": {"resources": {"limits": {"nvidia.com/gpu": 1}}}}}

    service = installed(wanted)["services"]["default"]

    assert service["tolerations"] == [{"key": "nvidia.com/gpu", "operator": "Exists"}]
    with pytest.raises(UserError, match="allow_gpu"):
        installed(wanted, STRICT)
    assert installed(wanted, IsolationConfig(level="strict", allow_gpu=True))


def test_values_of_the_deployment_win_for_one_service_or_for_all() -> None:
    own = {
        "corednsImage": "mirror/coredns:1",
        "services": {"*": {"resources": {"requests": {"cpu": "20m"}}}, "db": {"imagePullPolicy": "Always"}},
    }

    values = isolated_values(
        {"corednsImage": "theirs", "services": {"default": {"resources": {"requests": {"memory": "1Gi"}}}, "db": {}}},
        STANDARD,
        SandboxRules(values=own),
        labels={},
    )

    assert values["corednsImage"] == "mirror/coredns:1"
    assert values["services"]["default"]["resources"] == {"requests": {"memory": "1Gi", "cpu": "20m"}}
    assert values["services"]["db"]["imagePullPolicy"] == "Always"
    assert "*" not in values["services"]


def test_architecture_of_the_deployment_selects_the_node() -> None:
    values = installed({"services": {"default": {"nodeSelector": {"pool": "a"}}}}, architecture="arm64")

    assert values["services"]["default"]["nodeSelector"] == {"pool": "a", "kubernetes.io/arch": "arm64"}


def test_isolation_of_a_task_is_its_own_else_the_sets_else_standard() -> None:
    assert stricter(None, None) == STANDARD
    assert stricter(STRICT, None) == STRICT
    assert stricter(STANDARD, STRICT) == STRICT
