"""What a job may do on S3: the session policy that narrows its credentials to its own folder.

AWS and the embedded S3 grant what this policy and the role's own both allow.
"""

import json
from collections.abc import Sequence
from typing import Any

from hawk.errors import UserError
from hawk.naming import GATE_FILES, SCANS_ROOT, eval_set_prefix

MAX_POLICY_CHARACTERS = 2048  # AssumeRole's limit on the text of a session policy
MAX_SOURCES = 20

_READ = ["s3:GetObject"]
_WRITE = ["s3:PutObject", "s3:DeleteObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts"]
_USE_KEY = ["kms:Decrypt", "kms:GenerateDataKey"]
# Deleting or tagging a version is an action of its own, and so is writing by copy or multipart (both PutObject).
_CHANGES = ["s3:PutObject*", "s3:DeleteObject*"]


def job_policy(
    bucket: str,
    prefix: str,
    *,
    sources: Sequence[str] = (),
    secrets: Sequence[str] = (),
    key_arn: str | None = None,
) -> str:
    """Return the policy of a job whose folder is `prefix`, as JSON without spaces.

    It reads, writes and lists below the prefix, slash included; reads and lists the eval sets named as sources; reads
    the secrets whose ARNs are given; changes none of the gate files, which say who may see the folder; and has S3 use
    the bucket's key where one is given. Raises UserError where that is more than a session policy holds.
    """
    if not prefix.endswith("/"):
        raise ValueError(f"The prefix {prefix!r} does not end with a slash.")
    arn = f"arn:aws:s3:::{bucket}"
    read = [prefix, *(eval_set_prefix(source) for source in sources)]
    actions = [*_READ, *_WRITE, *(_USE_KEY if key_arn else [])]
    statements = [
        # In one statement with the key, on which none of S3's actions is: a policy has little room.
        _allow(actions, [f"{arn}/{prefix}*", *([key_arn] if key_arn else [])]),
        # s3fs asks first whether the folder is a file; there never is one, and the answer must not be "forbidden".
        _allow(_READ, [f"{arn}/{prefix.removesuffix('/')}"]),
        _allow(["s3:ListBucket"], [arn]) | {"Condition": {"StringLike": {"s3:prefix": [f"{key}*" for key in read]}}},
        # Before it writes, s3fs asks whether the bucket exists, and would list all of it if it were not told.
        _allow(["s3:GetBucketLocation"], [arn]),
        {"Effect": "Deny", "Action": _CHANGES, "Resource": [f"{arn}/{prefix}{name}" for name in GATE_FILES]},
        # Who holds a session must not make a wider one of the same role.
        {"Effect": "Deny", "Action": "sts:*", "Resource": "*"},
    ]
    if sources:
        statements.append(_allow(_READ, [f"{arn}/{key}*" for key in read[1:]]))
    if secrets:
        statements.append(_allow(["secretsmanager:GetSecretValue"], list(secrets)))
    text = json.dumps({"Version": "2012-10-17", "Statement": statements}, separators=(",", ":"))
    if len(text) > MAX_POLICY_CHARACTERS or len(sources) > MAX_SOURCES:
        raise policy_too_large(len(sources))
    return text


def policy_too_large(sources: int) -> UserError:
    return UserError(
        f"A job cannot be given the right to read {sources} eval sets and its secrets at once.",
        hint="Name fewer source eval sets, or those with shorter ids; 3 of the longest fit.",
        value=sources,
        field="source_eval_set_ids",
    )


def scan_prefix(scan_id: str) -> str:
    """Return the S3 key prefix of a scan's results, slash included."""
    return f"{SCANS_ROOT}/{scan_id}/"


def _allow(actions: list[str], resources: list[str]) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": actions, "Resource": resources}
