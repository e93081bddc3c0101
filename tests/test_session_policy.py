import json

import pytest

from hawk.errors import UserError
from hawk.session_policy import MAX_POLICY_CHARACTERS, job_policy, scan_prefix

LONGEST = "x" * 43
KEY_ARN = "arn:aws:kms:ap-southeast-2:123456789012:key/01234567-89ab-cdef-0123-456789abcdef"


def test_policy_names_the_folder_with_its_slash_and_denies_gate_files():
    statements = json.loads(job_policy("logs", "evals/a/"))["Statement"]

    assert statements[0]["Resource"] == ["arn:aws:s3:::logs/evals/a/*"]
    assert statements[2]["Condition"] == {"StringLike": {"s3:prefix": ["evals/a/*"]}}
    assert statements[4]["Effect"] == "Deny"
    assert "arn:aws:s3:::logs/evals/a/.models.json" in statements[4]["Resource"]
    assert "arn:aws:s3:::logs/evals/a/.commands/*" in statements[4]["Resource"]


def test_prefix_without_a_slash_is_a_bug():
    with pytest.raises(ValueError, match="slash"):
        job_policy("logs", "evals/a")


def test_scan_reads_its_sources_and_writes_its_own():
    statements = json.loads(job_policy("logs", scan_prefix("s"), sources=["a", "b"]))["Statement"]

    assert statements[0]["Resource"] == ["arn:aws:s3:::logs/scans/s/*"]
    assert statements[2]["Condition"]["StringLike"]["s3:prefix"] == ["scans/s/*", "evals/a/*", "evals/b/*"]
    assert statements[-1] == {
        "Effect": "Allow",
        "Action": ["s3:GetObject"],
        "Resource": ["arn:aws:s3:::logs/evals/a/*", "arn:aws:s3:::logs/evals/b/*"],
    }


def test_some_sources_of_the_longest_ids_fit_and_more_are_refused_in_words():
    bucket = "hawk-logs-production"

    assert len(job_policy(bucket, scan_prefix(LONGEST), sources=[LONGEST] * 4)) <= MAX_POLICY_CHARACTERS
    with_key = job_policy(bucket, scan_prefix(LONGEST), sources=[LONGEST] * 3, key_arn=KEY_ARN)
    assert len(with_key) <= MAX_POLICY_CHARACTERS
    with pytest.raises(UserError, match="right to read 20 eval sets") as caught:
        job_policy(bucket, scan_prefix(LONGEST), sources=[LONGEST] * 20)
    assert caught.value.field == "source_eval_set_ids"


def test_key_of_the_bucket_may_be_used_where_there_is_one():
    statements = json.loads(job_policy("logs", "evals/a/", key_arn=KEY_ARN))["Statement"]

    assert {"kms:Decrypt", "kms:GenerateDataKey"} <= set(statements[0]["Action"])
    assert statements[0]["Resource"] == ["arn:aws:s3:::logs/evals/a/*", KEY_ARN]
