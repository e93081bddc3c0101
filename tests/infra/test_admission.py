"""What the shipped policies let pass and what they refuse, by their own expressions; and that they are valid."""

from pathlib import Path
from typing import Any

import cel
import kubernetes_validate
import pytest
import yaml

MANIFESTS = sorted((Path(__file__).parents[2] / "infra" / "kubernetes").glob("*.yaml"))
LAUNCHER = "system:serviceaccount:hawk:hawk-launcher"
KEEPS_TO_ITS_OWN = "hawk-launcher-keeps-to-its-own"
ARE_THE_LAUNCHERS = "hawk-namespaces-are-the-launchers"
OURS = {"app.kubernetes.io/name": "hawk"}


def documents() -> list[dict[str, Any]]:
    return [document for path in MANIFESTS for document in yaml.safe_load_all(path.read_text())]


def policy(name: str) -> dict[str, Any]:
    [found] = [
        document
        for document in documents()
        if document["kind"] == "ValidatingAdmissionPolicy" and document["metadata"]["name"] == name
    ]
    spec: dict[str, Any] = found["spec"]
    return spec


def namespace(name: str, labels: dict[str, str] | None = None) -> dict[str, Any]:
    return {"metadata": {"name": name, **({"labels": labels} if labels is not None else {})}}


def may(
    name: str,
    operation: str,
    *,
    user: str = LAUNCHER,
    groups: tuple[str, ...] = (),
    resource: str = "namespaces",
    subject: dict[str, Any] | None = None,
    before: dict[str, Any] | None = None,
    within: dict[str, Any] | None = None,
) -> bool:
    """Say whether a policy lets a request pass, as the API server decides it."""
    spec = policy(name)
    subject = subject or {"metadata": {"name": "thing"}}
    request = {
        "operation": operation,
        "name": subject["metadata"]["name"],
        "resource": {"group": "" if resource in ("namespaces", "pods", "secrets") else "batch", "resource": resource},
        "userInfo": {"username": user, "groups": list(groups)},
    }
    known: dict[str, Any] = {
        "request": request,
        "object": None if operation == "DELETE" else subject,
        "oldObject": before or (subject if operation == "DELETE" else None),
        "namespaceObject": within,
        "variables": {},
    }
    if not all(cel.evaluate(condition["expression"], known) for condition in spec.get("matchConditions", ())):
        return True
    for variable in spec.get("variables", ()):
        known["variables"][variable["name"]] = cel.evaluate(variable["expression"], known)
    return all(cel.evaluate(validation["expression"], known) for validation in spec["validations"])


@pytest.mark.parametrize(
    "document",
    [document for document in documents() if not document["apiVersion"].startswith("kueue")],
    ids=lambda document: f"{document['kind']} {document['metadata']['name']}",
)
def test_manifest_is_valid_by_the_newest_schema(document: dict[str, Any]) -> None:
    kubernetes_validate.validate(document, "1.37", strict=True)


def test_every_policy_denies_and_fails_closed() -> None:
    bindings = [document for document in documents() if document["kind"] == "ValidatingAdmissionPolicyBinding"]

    assert {binding["spec"]["policyName"] for binding in bindings} == {KEEPS_TO_ITS_OWN, ARE_THE_LAUNCHERS}
    assert all(binding["spec"]["validationActions"] == ["Deny"] for binding in bindings)
    assert all(policy(name)["failurePolicy"] == "Fail" for name in (KEEPS_TO_ITS_OWN, ARE_THE_LAUNCHERS))


@pytest.mark.parametrize(
    ("operation", "subject", "before", "passes"),
    [
        ("CREATE", namespace("inspect-a", OURS), None, True),
        ("DELETE", namespace("inspect-a", OURS), None, True),
        ("UPDATE", namespace("inspect-a", OURS), namespace("inspect-a", OURS), True),
        ("CREATE", namespace("inspect-a", {}), None, False),
        ("CREATE", namespace("inspect-a"), None, False),
        ("CREATE", namespace("inspect-a", {"app.kubernetes.io/name": "other"}), None, False),
        ("CREATE", namespace("production", OURS), None, False),
        ("DELETE", namespace("kube-system"), None, False),
        ("UPDATE", namespace("inspect-a", OURS), namespace("inspect-a", {}), False),  # a take-over by labelling
    ],
)
def test_launcher_keeps_to_namespaces_of_its_label_and_prefix(
    operation: str, subject: dict[str, Any], before: dict[str, Any] | None, passes: bool
) -> None:
    assert may(KEEPS_TO_ITS_OWN, operation, subject=subject, before=before) is passes


@pytest.mark.parametrize("resource", ["secrets", "pods", "jobs"])
@pytest.mark.parametrize("operation", ["CREATE", "UPDATE", "DELETE"])
@pytest.mark.parametrize(
    ("within", "passes"),
    [
        (namespace("inspect-a", OURS), True),
        (namespace("inspect-a", {}), False),
        (namespace("production", OURS), False),
        (namespace("kube-system"), False),
        (None, False),  # of the whole cluster
    ],
)
def test_launcher_touches_nothing_in_namespaces_of_others(
    resource: str, operation: str, within: dict[str, Any] | None, passes: bool
) -> None:
    assert may(KEEPS_TO_ITS_OWN, operation, resource=resource, within=within) is passes


def test_policy_of_the_launcher_is_no_matter_of_anybody_else() -> None:
    assert may(KEEPS_TO_ITS_OWN, "DELETE", user="somebody", subject=namespace("production"))


@pytest.mark.parametrize(
    ("user", "groups", "name", "passes"),
    [
        (LAUNCHER, (), "inspect-a", True),
        ("somebody", ("system:authenticated",), "inspect-a", False),
        ("system:serviceaccount:other:hawk-launcher", (), "inspect-a", False),
        ("somebody", (), "inspector", True),
        ("somebody", (), "production", True),
        ("admin", ("system:masters",), "inspect-a", True),
        ("system:serviceaccount:kube-system:namespace-controller", (), "inspect-a", True),
    ],
)
@pytest.mark.parametrize("operation", ["CREATE", "UPDATE", "DELETE"])
def test_namespaces_of_jobs_are_the_launchers_alone(
    user: str, groups: tuple[str, ...], name: str, passes: bool, operation: str
) -> None:
    subject = namespace(name, OURS)

    assert may(ARE_THE_LAUNCHERS, operation, user=user, groups=groups, subject=subject, before=subject) is passes


def test_launcher_may_execute_nothing_read_no_secret_and_bind_one_role_only() -> None:
    [role] = [
        document
        for document in documents()
        if document["kind"] == "ClusterRole" and document["metadata"]["name"] == "hawk-launcher"
    ]
    rules = role["rules"]

    assert not [rule for rule in rules if {"pods/exec", "pods/attach", "*"} & set(rule["resources"])]
    assert not [rule for rule in rules if "*" in rule["verbs"] or {"escalate", "impersonate"} & set(rule["verbs"])]
    assert not [
        rule for rule in rules if "secrets" in rule["resources"] and {"get", "list", "watch"} & set(rule["verbs"])
    ]
    assert [rule["resourceNames"] for rule in rules if "bind" in rule["verbs"]] == [["hawk-sandboxes"]]
