"""What else runs in kube-system: names, disks, metrics, and who tells the load balancer of pods."""

from typing import Any

import pulumi
import pulumi_aws as aws

from infra.core.cluster import EBS_ACCOUNT, Cluster, aws_policy
from infra.k8s.objects import Kubernetes
from infra.lib.deployment import Deployment
from infra.lib.naming import POOL_LABEL, SYSTEM_POOL
from infra.lib.policies import Statement, document
from infra.lib.sizes import Ask

BALANCER_ACCOUNT = "aws-load-balancer-controller"
BALANCER_VERSION = "1.14.0"  # of the chart
KUEUE_VERSION = "0.14.4"
COREDNS = Ask(cpu_millis=100, memory_mib=70, replicas=2)
METRICS = Ask(cpu_millis=50, memory_mib=128)
BALANCER = Ask(cpu_millis=50, memory_mib=128)
DISKS = Ask(cpu_millis=60, memory_mib=320)  # six containers of the controller, 10 m and 40 Mi each at the least
DISKS_OF_NODE = Ask(cpu_millis=30, memory_mib=120)  # three containers on each node
KUEUE = Ask(cpu_millis=200, memory_mib=256)
_HERE = {POOL_LABEL: SYSTEM_POOL}


def install_add_ons(
    deployment: Deployment,
    cluster: Cluster,
    kubernetes: Kubernetes,
    *,
    vpc_id: pulumi.Output[str],
    nodes: pulumi.Resource,
) -> list[pulumi.Resource]:
    """Install the add-ons on running nodes; whatever of Hawk runs comes after them."""
    replicas = deployment.config.sizes.add_on_replicas
    _give_disks_their_rights(deployment, cluster)
    values = add_on_values(replicas)
    names = cluster.add_on("coredns", after=[nodes], values=values["coredns"])
    installed: list[pulumi.Resource] = [
        names,
        *(
            cluster.add_on(each, after=[names], values=values[each])
            for each in ("metrics-server", "aws-ebs-csi-driver")
        ),
        _balancer_controller(deployment, cluster, kubernetes, vpc_id=vpc_id, after=names),
    ]
    if deployment.config.cluster.kueue:
        manager = {"replicas": 1, "nodeSelector": _HERE, "manager": {"resources": KUEUE.resources}}
        installed.append(
            kubernetes.chart(
                "kueue",
                chart="oci://registry.k8s.io/kueue/charts/kueue",
                version=KUEUE_VERSION,
                namespace="kueue-system",
                values={"controllerManager": manager},
                after=[names],
            )
        )
    return installed


def add_on_values(replicas: int) -> dict[str, dict[str, Any]]:
    """Return the values of AWS's add-ons."""
    return {
        "coredns": {"nodeSelector": _HERE, "replicaCount": COREDNS.replicas, "resources": COREDNS.resources},
        "metrics-server": {"nodeSelector": _HERE, "replicas": replicas, "resources": METRICS.resources},
        "aws-ebs-csi-driver": {"controller": {"nodeSelector": _HERE, "replicaCount": replicas}},
    }


def _give_disks_their_rights(deployment: Deployment, cluster: Cluster) -> None:
    role = cluster.pod_role("disks", namespace="kube-system", service_account=EBS_ACCOUNT)
    aws.iam.RolePolicyAttachment(
        deployment.naming.of("disks"),
        role=role.name,
        policy_arn=aws_policy(deployment, "service-role/AmazonEBSCSIDriverPolicy"),
        opts=pulumi.ResourceOptions(parent=cluster),
    )


def _balancer_controller(
    deployment: Deployment,
    cluster: Cluster,
    kubernetes: Kubernetes,
    *,
    vpc_id: pulumi.Output[str],
    after: pulumi.Resource,
) -> pulumi.Resource:
    """Install the controller, which here only registers pods with target groups: it makes no load balancer."""
    sizes = deployment.config.sizes
    cluster.pod_role(
        "balancer-controller",
        namespace="kube-system",
        service_account=BALANCER_ACCOUNT,
        policy=_balancer_policy(deployment),
    )
    return kubernetes.chart(
        "aws-load-balancer-controller",
        chart="aws-load-balancer-controller",
        repository="https://aws.github.io/eks-charts",
        version=BALANCER_VERSION,
        namespace="kube-system",
        values={
            "clusterName": cluster.name,
            "region": deployment.region,
            "vpcId": vpc_id,
            "replicaCount": sizes.add_on_replicas,
            "resources": BALANCER.resources,
            "serviceAccount": {"create": True, "name": BALANCER_ACCOUNT},
            "nodeSelector": _HERE,
            "enableServiceMutatorWebhook": False,
            "createIngressClassResource": False,
            "ingressClass": "none",
            "enableShield": False,
            "enableWaf": False,
            "enableWafv2": False,
        },
        after=[after],
    )


def _balancer_policy(deployment: Deployment) -> pulumi.Output[str]:
    changes = ["elasticloadbalancing:RegisterTargets", "elasticloadbalancing:DeregisterTargets"]
    looks = [
        "elasticloadbalancing:DescribeTargetGroups",
        "elasticloadbalancing:DescribeTargetGroupAttributes",
        "elasticloadbalancing:DescribeTargetHealth",
        "ec2:DescribeAvailabilityZones",
        "ec2:DescribeInstances",
        "ec2:DescribeNetworkInterfaces",
        "ec2:DescribeSecurityGroups",
        "ec2:DescribeSubnets",
        "ec2:DescribeVpcs",
    ]
    return document(
        Statement(changes, [deployment.arn("elasticloadbalancing", f"targetgroup/{deployment.config.name}-*")]),
        Statement(
            looks,
            ["*"],
            condition={"StringEquals": {"aws:RequestedRegion": deployment.region}},
            wildcard_reason="Neither EC2 nor Elastic Load Balancing knows a narrower right to look.",
        ),
    )
