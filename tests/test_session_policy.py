import json

import pytest

from hawk.errors import UserError
from hawk.session_policy import MAX_POLICY_CHARACTERS, job_policy, scan_prefix

LONGEST = "x" * 43


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


def test_four_sources_of_the_longest_ids_fit_and_more_are_refused_in_words():
    bucket = "hawk-logs-production"

    assert len(job_policy(bucket, scan_prefix(LONGEST), sources=[LONGEST] * 4)) <= MAX_POLICY_CHARACTERS
    with pytest.raises(UserError, match="right to read 20 eval sets") as caught:
        job_policy(bucket, scan_prefix(LONGEST), sources=[LONGEST] * 20)
    assert caught.value.field == "source_eval_set_ids"
