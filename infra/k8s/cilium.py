"""Cilium: the network of pods, with addresses of the VPC, and the policies that know names of domains."""

from typing import Any

import pulumi

from infra.core.cluster import Cluster
from infra.k8s.objects import Kubernetes
from infra.lib.deployment import Deployment
from infra.lib.naming import POOL_LABEL, SYSTEM_POOL
from infra.lib.policies import Statement, document
from infra.lib.sizes import Ask

VERSION = "1.19.3"  # sandboxes' wildcards of domains need 1.18
OPERATOR_ACCOUNT = "cilium-operator"
AGENT = Ask(cpu_millis=100, memory_mib=384)
OPERATOR = Ask(cpu_millis=50, memory_mib=128)
# What the operator does in ENI mode: docs.cilium.io, "AWS ENI", required privileges.
_LOOKS = (
    "ec2:DescribeInstances",
    "ec2:DescribeInstanceTypes",
    "ec2:DescribeNetworkInterfaces",
    "ec2:DescribeRouteTables",
    "ec2:DescribeSecurityGroups",
    "ec2:DescribeSubnets",
    "ec2:DescribeVpcs",
)
_CHANGES = (
    "ec2:AssignPrivateIpAddresses",
    "ec2:AttachNetworkInterface",
    "ec2:CreateNetworkInterface",
    "ec2:CreateTags",
    "ec2:DeleteNetworkInterface",
    "ec2:ModifyNetworkInterfaceAttribute",
    "ec2:UnassignPrivateIpAddresses",
)


def install_cilium(deployment: Deployment, cluster: Cluster, kubernetes: Kubernetes) -> pulumi.Resource:
    """Install Cilium, before there are nodes: none is ready without it."""
    cluster.pod_role(
        "cilium-operator",
        namespace="kube-system",
        service_account=OPERATOR_ACCOUNT,
        policy=_operator_policy(deployment),
    )
    return kubernetes.chart(
        "cilium",
        chart="cilium",
        repository="https://helm.cilium.io",
        version=VERSION,
        namespace="kube-system",
        values=cilium_values(deployment.config.sizes.add_on_replicas) | {"k8sServiceHost": _host(cluster)},
        after=[cluster.identity_agent],
        waits=False,
    )


def cilium_values(operators: int) -> dict[str, Any]:
    """Return the chart's values, but for the address of the cluster's API."""
    return {
        "k8sServicePort": 443,
        "kubeProxyReplacement": True,
        "eni": {"enabled": True, "awsEnablePrefixDelegation": True},
        "ipam": {"mode": "eni"},
        "routingMode": "native",
        "enableIPv4Masquerade": False,  # pods have addresses of the VPC; its NAT gateway does the rest
        "policyEnforcementMode": "default",
        "l7Proxy": True,  # the DNS proxy, by which policies know domains
        "dnsProxy": {"enableTransparentMode": True},
        "envoy": {"enabled": False},  # within the agent: one pod a node less
        "resources": AGENT.resources,
        "operator": {
            "replicas": operators,
            "resources": OPERATOR.resources,
            "nodeSelector": {POOL_LABEL: SYSTEM_POOL},
        },
        "serviceAccounts": {"operator": {"name": OPERATOR_ACCOUNT}},
    }


def _host(cluster: Cluster) -> pulumi.Output[str]:
    host: pulumi.Output[str] = cluster.eks.endpoint.apply(lambda url: str(url).removeprefix("https://"))
    return host


def _operator_policy(deployment: Deployment) -> pulumi.Output[str]:
    own_region = {"StringEquals": {"aws:RequestedRegion": deployment.region}}
    parts = ("instance", "network-interface", "subnet", "security-group")
    return document(
        Statement(_LOOKS, ["*"], condition=own_region, wildcard_reason="EC2 knows no narrower right to look."),
        Statement(_CHANGES, [deployment.arn("ec2", f"{part}/*") for part in parts]),
    )
