"""Who may do what on the embedded S3: its keys, identities and the role that sessions are made from."""

import base64
import secrets
from typing import Any

from pydantic import BaseModel

ADMIN = "admin"
RUNNER = "runner"
IDENTITIES = (ADMIN, RUNNER)
# May do all to the bucket's objects; who assumes it narrows that with a session policy.
LOG_ROLE_ARN = "arn:aws:iam::000000000000:role/hawk-logs"

ADMIN_ARN = f"arn:aws:iam::000000000000:user/{ADMIN}"

_ACTIONS = ("Read", "Write", "List", "Tagging")  # of seaweed; deleting an object is a Write


class AccessKey(BaseModel):
    """A pair of AWS credentials."""

    access_key_id: str
    secret_access_key: str


class ObjectStoreKeys(BaseModel):
    """What only this server and its clients know."""

    identities: dict[str, AccessKey]
    session_signing_key: str

    @classmethod
    def new(cls) -> "ObjectStoreKeys":
        """Return fresh random keys."""
        identities = {
            name: AccessKey(
                access_key_id=f"HAWK{name.upper()}{secrets.token_hex(6).upper()}",
                secret_access_key=secrets.token_urlsafe(30),
            )
            for name in IDENTITIES
        }
        return cls(identities=identities, session_signing_key=base64.b64encode(secrets.token_bytes(32)).decode())


def identities_file(keys: ObjectStoreKeys, *, bucket: str) -> dict[str, Any]:
    """Return weed's `-s3.config`: admin may do all, runner may work in the bucket."""
    actions = {ADMIN: ["Admin", *_ACTIONS], RUNNER: [f"{action}:{bucket}" for action in _ACTIONS]}
    return {
        "identities": [
            {
                "name": name,
                "credentials": [{"accessKey": key.access_key_id, "secretKey": key.secret_access_key}],
                "actions": actions[name],
            }
            for name, key in keys.identities.items()
        ]
    }


def roles_file(keys: ObjectStoreKeys, *, bucket: str) -> dict[str, Any]:
    """Return weed's `-s3.iam.config`: the one role of AssumeRole, and the key that signs its sessions."""
    name = LOG_ROLE_ARN.rpartition("/")[2]
    arn = f"arn:aws:s3:::{bucket}"
    objects = {
        "Effect": "Allow",
        "Action": [
            "s3:GetObject*",
            "s3:PutObject*",
            "s3:DeleteObject*",
            "s3:ListBucket*",
            "s3:*Multipart*",
            "s3:GetBucketLocation",
        ],
        "Resource": [arn, f"{arn}/*"],
    }
    # Nobody else: a job's session must not make itself a session without a policy.
    trust = {"Effect": "Allow", "Principal": {"AWS": ADMIN_ARN}, "Action": ["sts:AssumeRole"]}
    role = {
        "roleName": name,
        "roleArn": LOG_ROLE_ARN,
        "trustPolicy": _policy(trust),
        "attachedPolicies": [name],
    }
    return {
        "sts": {
            "tokenDuration": "1h",
            "maxSessionLength": "12h",
            "issuer": "hawk",
            "signingKey": keys.session_signing_key,
        },
        "policy": {"defaultEffect": "Deny", "storeType": "memory"},
        "policies": [{"name": name, "document": _policy(objects)}],
        "roles": [role],
    }


def _policy(statement: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": [statement]}
