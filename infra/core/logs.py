"""The bucket of logs, and the queue by which it tells of new ones."""

from typing import Any

import pulumi
import pulumi_aws as aws

from hawk.naming import EVALS_ROOT, PENDING_ROOT
from infra.core.keys import Keys
from infra.lib.deployment import Deployment
from infra.lib.policies import Statement, document, only_encrypted_connections

PENDING_DAYS = 2  # what people bring and never finish; an import judges it within minutes
ABANDONED_PART_DAYS = 7
MESSAGE_DAYS = 14  # the longest that SQS keeps one: Dagster may be away over holidays
# Longer than the sensor needs for a message; it deletes what it has written down.
VISIBILITY_SECONDS = 120
MOST_RECEIVES = 5
_DAY_SECONDS = 24 * 3600


class Logs(pulumi.ComponentResource):
    """Where logs are written, and how that is heard of."""

    def __init__(self, deployment: Deployment, keys: Keys) -> None:
        super().__init__("hawk:core:Logs", deployment.naming.of("logs"), opts=deployment.inside)
        self._deployment = deployment
        self._key = keys.data
        self._options = pulumi.ResourceOptions(parent=self)
        self.bucket = self._make_bucket()
        self._make_lifecycle()
        self.dead_letters = self._queue("log-events-dead", message_retention_seconds=MESSAGE_DAYS * _DAY_SECONDS)
        self.events = self._queue(
            "log-events",
            message_retention_seconds=MESSAGE_DAYS * _DAY_SECONDS,
            visibility_timeout_seconds=VISIBILITY_SECONDS,
            receive_wait_time_seconds=0,
            redrive_policy=pulumi.Output.json_dumps(
                {"deadLetterTargetArn": self.dead_letters.arn, "maxReceiveCount": MOST_RECEIVES}
            ),
        )
        self._tell_of_logs()
        self.register_outputs({"bucket": self.bucket.bucket, "events": self.events.url})

    def _make_bucket(self) -> aws.s3.Bucket:
        config, name = self._deployment.config, self._deployment.naming
        keeping = self._deployment.keeping(self._options)
        bucket = aws.s3.Bucket(
            name.of("logs"),
            bucket=config.logs.bucket or pulumi.Output.concat(name.of("logs"), "-", self._deployment.account),
            force_destroy=not config.keep_data,
            tags=name.tags("logs"),
            opts=keeping,
        )
        aws.s3.BucketPublicAccessBlock(
            name.of("logs"),
            bucket=bucket.id,
            block_public_acls=True,
            block_public_policy=True,
            ignore_public_acls=True,
            restrict_public_buckets=True,
            opts=keeping,
        )
        aws.s3.BucketOwnershipControls(
            name.of("logs"), bucket=bucket.id, rule={"object_ownership": "BucketOwnerEnforced"}, opts=keeping
        )
        aws.s3.BucketVersioning(
            name.of("logs"), bucket=bucket.id, versioning_configuration={"status": "Enabled"}, opts=keeping
        )
        aws.s3.BucketServerSideEncryptionConfiguration(
            name.of("logs"),
            bucket=bucket.id,
            rules=[
                {
                    "apply_server_side_encryption_by_default": {
                        "sse_algorithm": "aws:kms",
                        "kms_master_key_id": self._key.arn,
                    },
                    "bucket_key_enabled": True,  # one call to KMS for many objects
                }
            ],
            opts=keeping,
        )
        arns = [bucket.arn, pulumi.Output.concat(bucket.arn, "/*")]
        aws.s3.BucketPolicy(
            name.of("logs"),
            bucket=bucket.id,
            policy=document(only_encrypted_connections(arns, service="s3")),
            opts=keeping,
        )
        return bucket

    def _make_lifecycle(self) -> None:
        config, name = self._deployment.config.logs, self._deployment.naming
        everything: dict[str, Any] = {
            "id": "previous-versions",
            "status": "Enabled",
            "filter": {"prefix": ""},
            "noncurrent_version_expiration": {"noncurrent_days": config.previous_versions_days},
            "abort_incomplete_multipart_upload": {"days_after_initiation": ABANDONED_PART_DAYS},
            "expiration": {"expired_object_delete_marker": True},
        }
        pending: dict[str, Any] = {
            "id": "pending",
            "status": "Enabled",
            "filter": {"prefix": f"{PENDING_ROOT}/"},
            "expiration": {"days": PENDING_DAYS},
            "noncurrent_version_expiration": {"noncurrent_days": 1},
        }
        rules = [everything, pending]
        if config.infrequent_access_days:
            moved = {"days": config.infrequent_access_days, "storage_class": "STANDARD_IA"}
            rules.append(
                {"id": "old", "status": "Enabled", "filter": {"prefix": f"{EVALS_ROOT}/"}, "transitions": [moved]}
            )
        aws.s3.BucketLifecycleConfiguration(
            name.of("logs"), bucket=self.bucket.id, rules=rules, opts=self._deployment.keeping(self._options)
        )

    def _queue(self, what: str, **settings: object) -> aws.sqs.Queue:
        name = self._deployment.naming
        return aws.sqs.Queue(
            name.of(what),
            name=name.of(what),
            kms_master_key_id=self._key.arn,
            tags=name.tags(what),
            opts=self._options,
            **settings,
        )

    def _tell_of_logs(self) -> None:
        name = self._deployment.naming
        from_bucket = Statement(
            ["sqs:SendMessage"],
            [self.events.arn],
            principal={"Service": "s3.amazonaws.com"},
            condition={
                "ArnEquals": {"aws:SourceArn": self.bucket.arn},
                "StringEquals": {"aws:SourceAccount": self._deployment.account},
            },
        )
        policy = aws.sqs.QueuePolicy(
            name.of("log-events"),
            queue_url=self.events.url,
            policy=document(from_bucket, only_encrypted_connections([self.events.arn], service="sqs")),
            opts=self._options,
        )
        aws.sqs.QueuePolicy(
            name.of("log-events-dead"),
            queue_url=self.dead_letters.url,
            policy=document(only_encrypted_connections([self.dead_letters.arn], service="sqs")),
            opts=self._options,
        )
        # Buffers and progress of running evals are written every few seconds; of them nobody needs to be told.
        told = [
            {
                "id": suffix,
                "queue_arn": self.events.arn,
                "events": ["s3:ObjectCreated:*"],
                "filter_prefix": f"{EVALS_ROOT}/",
                "filter_suffix": f".{suffix}",
            }
            for suffix in ("eval", "json")
        ]
        aws.s3.BucketNotification(
            name.of("logs"),
            bucket=self.bucket.id,
            queues=told,
            opts=pulumi.ResourceOptions(parent=self, depends_on=[policy]),
        )
