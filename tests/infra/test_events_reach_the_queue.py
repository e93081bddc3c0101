"""Bucket and queue as the program configures them, on moto: logs are told of, and what is no log is not."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import unquote

import boto3
import pytest
from moto import mock_aws

from hawk.naming import is_eval_log_key
from hawk.warehouse.s3_events import logs_of_event
from tests.fakes.infra_program import REGION, Program


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.setenv(name, "testing")
    with mock_aws():
        yield


def test_written_log_is_heard_of_and_buffers_are_not(aws: None, starter: Program):
    s3, sqs = boto3.client("s3", region_name=REGION), boto3.client("sqs", region_name=REGION)
    bucket = starter.one("aws:s3/bucket:Bucket", "hawk-logs").inputs["bucket"]
    queue_url, dead_url = _make_queues(sqs, starter)
    s3.create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    s3.put_bucket_notification_configuration(
        Bucket=bucket, NotificationConfiguration={"QueueConfigurations": _notifications(sqs, queue_url, starter)}
    )

    for key in ("evals/a/1.eval", "evals/a/.buffer/1/x", "pending/u", "evals/a/logs.json", "scans/s/1.parquet"):
        s3.put_object(Bucket=bucket, Key=key, Body=b"x")

    told = sqs.receive_message(QueueUrl=queue_url, MaxNumberOfMessages=10).get("Messages", [])
    bodies = [json.loads(message["Body"]) for message in told]
    keys = [unquote(record["s3"]["object"]["key"]) for body in bodies for record in body.get("Records", [])]
    assert sorted(keys) == ["evals/a/1.eval", "evals/a/logs.json"]
    logs = [item.key for body in bodies for item in logs_of_event(body) if is_eval_log_key(item.key)]
    assert logs == ["evals/a/1.eval"]
    assert dead_url


def test_message_that_nobody_can_read_ends_with_the_dead_letters(aws: None, starter: Program):
    sqs = boto3.client("sqs", region_name=REGION)
    queue_url, dead_url = _make_queues(sqs, starter)
    sqs.send_message(QueueUrl=queue_url, MessageBody="no event")

    for _ in range(6):  # one more than the queue gives it out
        for message in sqs.receive_message(QueueUrl=queue_url).get("Messages", []):
            handle = message["ReceiptHandle"]
            sqs.change_message_visibility(QueueUrl=queue_url, ReceiptHandle=handle, VisibilityTimeout=0)

    [dead] = sqs.receive_message(QueueUrl=dead_url)["Messages"]
    assert dead["Body"] == "no event"


def _make_queues(sqs: Any, program: Program) -> tuple[str, str]:
    dead = program.one("aws:sqs/queue:Queue", "hawk-log-events-dead").inputs
    events = program.one("aws:sqs/queue:Queue", "hawk-log-events").inputs
    dead_url = sqs.create_queue(QueueName=dead["name"])["QueueUrl"]
    arn = sqs.get_queue_attributes(QueueUrl=dead_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    redrive = json.loads(events["redrivePolicy"]) | {"deadLetterTargetArn": arn}
    attributes = {
        "RedrivePolicy": json.dumps(redrive),
        "VisibilityTimeout": str(events["visibilityTimeoutSeconds"]),
        "MessageRetentionPeriod": str(events["messageRetentionSeconds"]),
    }
    return sqs.create_queue(QueueName=events["name"], Attributes=attributes)["QueueUrl"], dead_url


def _notifications(sqs: Any, queue_url: str, program: Program) -> list[dict[str, Any]]:
    arn = sqs.get_queue_attributes(QueueUrl=queue_url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    [notification] = program.of("aws:s3/bucketNotification:BucketNotification")
    return [
        {
            "QueueArn": arn,
            "Events": each["events"],
            "Filter": {
                "Key": {
                    "FilterRules": [
                        {"Name": "prefix", "Value": each["filterPrefix"]},
                        {"Name": "suffix", "Value": each["filterSuffix"]},
                    ]
                }
            },
        }
        for each in notification.inputs["queues"]
    ]
