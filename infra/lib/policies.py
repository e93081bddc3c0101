"""Policy documents of IAM: small pieces from which every role's is put together.

A document is a plain mapping whose strings may be outputs; `document` gives the text.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pulumi

Text = str | pulumi.Output[str]
Condition = Mapping[str, Mapping[str, Any]]


@dataclass(frozen=True)
class Statement:
    """One statement; `wildcard_reason` says why an action or the resource is as wide as `*`, and must where one is."""

    actions: Sequence[str]
    resources: Sequence[Text] = ()
    condition: Condition = field(default_factory=dict)
    principal: Mapping[str, Any] | None = None
    effect: str = "Allow"
    sid: str = ""
    wildcard_reason: str = ""

    def __post_init__(self) -> None:
        is_wide = "*" in self.resources or any(action == "*" or action.endswith(":*") for action in self.actions)
        if is_wide and self.effect == "Allow" and not self.wildcard_reason:
            raise ValueError(f"The statement on {', '.join(self.actions)} is as wide as `*` and does not say why.")

    def as_mapping(self) -> dict[str, Any]:
        mapping: dict[str, Any] = {"Effect": self.effect, "Action": list(self.actions)}
        if self.sid:
            mapping["Sid"] = self.sid
        if self.principal is not None:
            mapping["Principal"] = dict(self.principal)
        if self.resources:
            mapping["Resource"] = list(self.resources)
        if self.condition:
            mapping["Condition"] = {operator: dict(values) for operator, values in self.condition.items()}
        return mapping


def document(*statements: Statement) -> pulumi.Output[str]:
    """Return the document as JSON, once all that it names is known."""
    mappings = [statement.as_mapping() for statement in statements]
    return pulumi.Output.json_dumps({"Version": "2012-10-17", "Statement": mappings})


def pod_identity_trust(*, cluster_arn: Text, account: Text, namespace: str, service_account: str) -> pulumi.Output[str]:
    """Return who may take a role: pods of one service account in one namespace of one cluster, by EKS Pod Identity."""
    tags = {
        "aws:RequestTag/eks-cluster-arn": cluster_arn,
        "aws:RequestTag/kubernetes-namespace": namespace,
        "aws:RequestTag/kubernetes-service-account": service_account,
        "aws:SourceAccount": account,
    }
    return document(
        Statement(
            ["sts:AssumeRole", "sts:TagSession"],
            principal={"Service": "pods.eks.amazonaws.com"},
            condition={"StringEquals": tags},
        )
    )


def service_trust(service: str, *, condition: Condition | None = None) -> str:
    """Return who may take a role: one of AWS's services."""
    statement = Statement(["sts:AssumeRole"], principal={"Service": service}, condition=condition or {})
    return json.dumps({"Version": "2012-10-17", "Statement": [statement.as_mapping()]})


def only_encrypted_connections(arns: Sequence[Text], *, service: str) -> Statement:
    """Deny whoever comes without TLS."""
    return Statement(
        [f"{service}:*"],
        arns,
        principal={"AWS": "*"},
        effect="Deny",
        sid="OnlyWithTls",
        condition={"Bool": {"aws:SecureTransport": "false"}},
    )
