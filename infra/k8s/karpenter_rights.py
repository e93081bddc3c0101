"""What Karpenter may do: start, tag and end instances that bear this cluster's tags, and nothing else's."""

from typing import Any

import pulumi

from infra.lib.deployment import Deployment
from infra.lib.naming import DISCOVERY_TAG
from infra.lib.policies import Condition, Statement, Text, document

_LOOKS = (
    "ec2:DescribeAvailabilityZones",
    "ec2:DescribeCapacityReservations",
    "ec2:DescribeImages",
    "ec2:DescribeInstanceStatus",
    "ec2:DescribeInstanceTypeOfferings",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeInstances",
    "ec2:DescribeLaunchTemplates",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSpotPriceHistory",
    "ec2:DescribeSubnets",
)
_MADE = ("fleet", "instance", "volume", "network-interface", "launch-template", "spot-instances-request")


def karpenter_policy(
    deployment: Deployment, *, cluster_arn: Text, node_role_arn: Text, profile_arn: Text, queue_arn: Text
) -> pulumi.Output[str]:
    """Return the controller's policy."""
    return document(
        *_starts(deployment),
        *_tags_and_ends(deployment),
        Statement(
            _LOOKS,
            ["*"],
            condition={"StringEquals": {"aws:RequestedRegion": deployment.region}},
            wildcard_reason="EC2 knows no narrower right to look.",
        ),
        Statement(["pricing:GetProducts"], ["*"], wildcard_reason="The price list is one, and public."),
        Statement(
            ["iam:ListInstanceProfiles"],
            ["*"],
            wildcard_reason="Karpenter looks for profiles that it made; there are none, and a list has no resource.",
        ),
        Statement(["ssm:GetParameter"], [_public_parameters(deployment)]),
        Statement(["sqs:DeleteMessage", "sqs:GetQueueUrl", "sqs:ReceiveMessage"], [queue_arn]),
        Statement(["iam:GetInstanceProfile"], [profile_arn]),
        Statement(
            ["iam:PassRole"],
            [node_role_arn],
            condition={"StringEquals": {"iam:PassedToService": "ec2.amazonaws.com"}},
        ),
        Statement(["eks:DescribeCluster"], [cluster_arn]),
    )


def _starts(deployment: Deployment) -> list[Statement]:
    starts = ["ec2:RunInstances", "ec2:CreateFleet"]
    images = [
        pulumi.Output.concat("arn:", deployment.partition, f":ec2:{deployment.region}::{kind}/*")
        for kind in ("image", "snapshot")
    ]
    own = [deployment.arn("ec2", f"{kind}/*") for kind in ("security-group", "subnet")]
    discovered = {"StringEquals": {f"aws:ResourceTag/{DISCOVERY_TAG}": deployment.config.name}}
    return [
        Statement(starts, images),
        Statement(starts, own, condition=discovered),
        Statement(starts, [deployment.arn("ec2", "launch-template/*")], condition=_of_cluster(deployment, "Resource")),
        Statement(
            [*starts, "ec2:CreateLaunchTemplate"], _made(deployment), condition=_of_cluster(deployment, "Request")
        ),
    ]


def _tags_and_ends(deployment: Deployment) -> list[Statement]:
    when_made: dict[str, dict[str, Any]] = {
        operator: dict(values) for operator, values in _of_cluster(deployment, "Request").items()
    }
    when_made["StringEquals"]["ec2:CreateAction"] = ["RunInstances", "CreateFleet", "CreateLaunchTemplate"]
    later: dict[str, dict[str, Any]] = {
        operator: dict(values) for operator, values in _of_cluster(deployment, "Resource").items()
    }
    later["ForAllValues:StringEquals"] = {"aws:TagKeys": ["eks:eks-cluster-name", "karpenter.sh/nodeclaim", "Name"]}
    return [
        Statement(["ec2:CreateTags"], _made(deployment), condition=when_made),
        Statement(["ec2:CreateTags"], [deployment.arn("ec2", "instance/*")], condition=later),
        Statement(
            ["ec2:TerminateInstances", "ec2:DeleteLaunchTemplate"],
            [deployment.arn("ec2", f"{kind}/*") for kind in ("instance", "launch-template")],
            condition=_of_cluster(deployment, "Resource"),
        ),
    ]


def _of_cluster(deployment: Deployment, whose: str) -> Condition:
    """Return that the thing bears, or is given, the tags of this cluster and of one of its node pools."""
    return {
        "StringEquals": {f"aws:{whose}Tag/kubernetes.io/cluster/{deployment.config.name}": "owned"},
        "StringLike": {f"aws:{whose}Tag/karpenter.sh/nodepool": "*"},
    }


def _made(deployment: Deployment) -> list[pulumi.Output[str]]:
    return [deployment.arn("ec2", f"{kind}/*") for kind in _MADE]


def _public_parameters(deployment: Deployment) -> pulumi.Output[str]:
    """Return where AWS names its newest images."""
    return pulumi.Output.concat("arn:", deployment.partition, f":ssm:{deployment.region}::parameter/aws/service/*")
