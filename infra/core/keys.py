"""KMS keys: one for data, one for what the cluster keeps; who may use them is said in roles and here."""

import pulumi
import pulumi_aws as aws

from infra.lib.deployment import Deployment
from infra.lib.policies import Statement, document

DELETION_DAYS = 30  # the longest that KMS waits, in which a deleted key can be had back


class Keys(pulumi.ComponentResource):
    """The keys of a deployment."""

    def __init__(self, deployment: Deployment) -> None:
        super().__init__("hawk:core:Keys", deployment.naming.of("keys"), opts=deployment.inside)
        self._deployment = deployment
        # What these services put into an encrypted queue or topic they encrypt with the key, for this account only.
        services = Statement(
            ["kms:Decrypt", "kms:GenerateDataKey*"],
            ["*"],
            principal={"Service": ["s3.amazonaws.com", "cloudwatch.amazonaws.com", "events.amazonaws.com"]},
            condition={"StringEquals": {"aws:SourceAccount": deployment.account}},
            wildcard_reason="In a key's own policy the resource is that key.",
        )
        self.data = self._key("data", "Logs, events, database and secrets", services)
        self.cluster = self._key("cluster", "Secrets within Kubernetes")
        self.register_outputs({"data": self.data.arn, "cluster": self.cluster.arn})

    def _key(self, what: str, description: str, *more: Statement) -> aws.kms.Key:
        deployment, name = self._deployment, self._deployment.naming
        root = Statement(
            ["kms:*"],
            ["*"],
            principal={"AWS": deployment.arn("iam", "root", region=False)},
            wildcard_reason="Lets IAM's policies of this account say who uses the key; else nobody could change it.",
        )
        options = deployment.keeping(pulumi.ResourceOptions(parent=self))
        key = aws.kms.Key(
            name.of(what),
            description=f"{description} of {deployment.config.name}",
            enable_key_rotation=True,
            deletion_window_in_days=DELETION_DAYS,
            policy=document(root, *more),
            tags=name.tags(what),
            opts=options,
        )
        aws.kms.Alias(name.of(what), name=f"alias/{name.of(what)}", target_key_id=key.key_id, opts=options)
        return key
