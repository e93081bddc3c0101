"""Karpenter: nodes for runners and sandboxes, which come when a pod waits for one and go when none is left."""

import json

import pulumi
import pulumi_aws as aws

from infra.core.cluster import METADATA, Cluster
from infra.k8s.karpenter_rights import karpenter_policy
from infra.k8s.node_pools import node_class, node_pools
from infra.k8s.objects import Kubernetes
from infra.lib.deployment import Deployment
from infra.lib.naming import POOL_LABEL, SYSTEM_POOL
from infra.lib.policies import Statement, document, only_encrypted_connections
from infra.lib.sizes import Ask

VERSION = "1.9.0"
ACCOUNT = "karpenter"
CONTROLLER = Ask(cpu_millis=200, memory_mib=512)
# What EC2 tells of instances: karpenter.sh, "Interruption".
_NEWS = {
    "health": ("aws.health", "AWS Health Event"),
    "spot": ("aws.ec2", "EC2 Spot Instance Interruption Warning"),
    "rebalance": ("aws.ec2", "EC2 Instance Rebalance Recommendation"),
    "state": ("aws.ec2", "EC2 Instance State-change Notification"),
}


class Karpenter(pulumi.ComponentResource):
    """The controller with its rights, the queue of what EC2 tells, and the pools."""

    def __init__(
        self, deployment: Deployment, cluster: Cluster, kubernetes: Kubernetes, *, after: list[pulumi.Resource]
    ) -> None:
        super().__init__("hawk:k8s:Karpenter", deployment.naming.of("karpenter"), opts=deployment.inside)
        self._deployment = deployment
        self._options = pulumi.ResourceOptions(parent=self)
        queue = self._make_queue()
        name = deployment.naming
        profile = aws.iam.InstanceProfile(
            name.of("nodes"), name=name.of("nodes"), role=cluster.node_role.name, opts=self._options
        )
        cluster.pod_role(
            "karpenter",
            namespace="kube-system",
            service_account=ACCOUNT,
            policy=karpenter_policy(
                deployment,
                cluster_arn=cluster.eks.arn,
                node_role_arn=cluster.node_role.arn,
                profile_arn=profile.arn,
                queue_arn=queue.arn,
            ),
        )
        controller = kubernetes.chart(
            "karpenter",
            chart="oci://public.ecr.aws/karpenter/karpenter",
            version=VERSION,
            namespace="kube-system",
            values={
                "settings": {"clusterName": cluster.name, "interruptionQueue": queue.name},
                "serviceAccount": {"name": ACCOUNT},
                "replicas": deployment.config.sizes.add_on_replicas,
                "controller": {"resources": CONTROLLER.resources},
                "nodeSelector": {POOL_LABEL: SYSTEM_POOL},
            },
            after=after,
        )
        self.pools = self._make_pools(kubernetes, profile, controller)
        self.register_outputs({})

    def _make_pools(
        self, kubernetes: Kubernetes, profile: aws.iam.InstanceProfile, controller: pulumi.Resource
    ) -> list[pulumi.CustomResource]:
        config = self._deployment.config
        classes = [
            node_class(name, config=config, profile=profile.name, metadata=METADATA)
            for name in ("default", *(["gvisor"] if config.cluster.gvisor_release else []))
        ]
        made = [kubernetes.apply(each, after=[controller]) for each in classes]
        return [kubernetes.apply(pool, after=made) for pool in node_pools(config)]

    def _make_queue(self) -> aws.sqs.Queue:
        name = self._deployment.naming
        queue = aws.sqs.Queue(
            name.of("interruptions"),
            name=name.of("interruptions"),
            message_retention_seconds=300,
            sqs_managed_sse_enabled=True,
            tags=name.tags("interruptions"),
            opts=self._options,
        )
        rules = {what: self._rule(what, queue) for what in _NEWS}
        from_rules = Statement(
            ["sqs:SendMessage"],
            [queue.arn],
            principal={"Service": "events.amazonaws.com"},
            condition={"ArnEquals": {"aws:SourceArn": [rule.arn for rule in rules.values()]}},
        )
        aws.sqs.QueuePolicy(
            name.of("interruptions"),
            queue_url=queue.url,
            policy=document(from_rules, only_encrypted_connections([queue.arn], service="sqs")),
            opts=self._options,
        )
        return queue

    def _rule(self, what: str, queue: aws.sqs.Queue) -> aws.cloudwatch.EventRule:
        source, kind = _NEWS[what]
        name = self._deployment.naming.of(f"interruptions-{what}")
        rule = aws.cloudwatch.EventRule(
            name,
            name=name,
            event_pattern=json.dumps({"source": [source], "detail-type": [kind]}),
            opts=self._options,
        )
        aws.cloudwatch.EventTarget(name, rule=rule.name, arn=queue.arn, opts=self._options)
        return rule
