"""Secrets of users on their way to a job: encrypted in ops.job_secret, in the clear only in the job's environment.

Removed with the job. Nothing here logs or repeats a value.
"""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from psycopg import Connection
from psycopg.rows import DictRow
from pydantic import SecretStr

from hawk.errors import Bug, UserError

if TYPE_CHECKING:
    from cryptography.fernet import Fernet

MAX_SECRETS = 100
MAX_SECRET_BYTES = 64 * 1024  # Linux refuses one environment string over 128 KiB (MAX_ARG_STRLEN)

_ENVIRONMENT_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# What the platform itself tells a job; a user's value under these names would cut the job off from its logs.
_RESERVED_NAMES = frozenset(
    {
        "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL_S3", "AWS_REGION",
        "AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE", "AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_ROLE_ARN",
        "AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_CREDENTIALS_FULL_URI", "AWS_CONTAINER_CREDENTIALS_RELATIVE_URI",
    }
)  # fmt: skip
_RESERVED_PREFIX = "HAWK_"


def check_environment(environment: Mapping[str, str], *, field: str) -> None:
    """Raise UserError where a name or value cannot be one of a job's environment."""
    if len(environment) > MAX_SECRETS:
        raise UserError(f"{field} has {len(environment)} entries.", hint=f"Use at most {MAX_SECRETS}.", field=field)
    for name, value in environment.items():
        place = f"{field}.{name}"
        if not _ENVIRONMENT_NAME.fullmatch(name):
            raise UserError(
                f"{name!r} is no name of an environment variable.",
                hint="Use letters, digits and '_', not beginning with a digit.",
                value=name,
                field=field,
            )
        if name in _RESERVED_NAMES or name.startswith(_RESERVED_PREFIX):
            raise UserError(
                f"{name} is set by the platform in every job.", hint="Use another name.", value=name, field=place
            )
        if "\0" in value:
            raise UserError(f"The value of {name} has a NUL character.", hint="Remove it.", field=place)
        if len(value.encode("utf-8", "surrogatepass")) > MAX_SECRET_BYTES:
            raise UserError(
                f"The value of {name} is longer than {MAX_SECRET_BYTES} bytes.",
                hint="Put it into a file that the job reads.",
                field=place,
            )


def store_secrets(
    connection: Connection[DictRow], eval_set_id: str, secrets: Mapping[str, SecretStr], *, key: SecretStr
) -> None:
    """Encrypt and keep the secrets, each in place of an earlier one of its name; others of the set stay."""
    cipher = _cipher(key)
    with connection.cursor() as cursor:
        cursor.executemany(
            """
            insert into ops.job_secret (eval_set_id, name, ciphertext, created_at)
            values (%s, %s, %s, now())
            on conflict (eval_set_id, name)
            do update set ciphertext = excluded.ciphertext, created_at = excluded.created_at
            """,
            [(eval_set_id, name, cipher.encrypt(value.get_secret_value().encode())) for name, value in secrets.items()],
        )


def stored_secret_names(connection: Connection[DictRow], eval_set_id: str) -> frozenset[str]:
    """Return the names, not the values, of the secrets that are kept for a set."""
    rows = connection.execute("select name from ops.job_secret where eval_set_id = %s", [eval_set_id])
    return frozenset(row["name"] for row in rows)


def read_secrets(connection: Connection[DictRow], eval_set_id: str, *, key: SecretStr) -> dict[str, str]:
    """Return the set's secrets in the clear. Raises UserError where they were encrypted under another key."""
    from cryptography.fernet import InvalidToken

    cipher = _cipher(key)
    rows = connection.execute(
        "select name, ciphertext from ops.job_secret where eval_set_id = %s order by name", [eval_set_id]
    ).fetchall()
    try:
        return {row["name"]: cipher.decrypt(bytes(row["ciphertext"])).decode() for row in rows}
    except InvalidToken as error:
        raise UserError(
            f"The secrets of eval set {eval_set_id} cannot be decrypted: the secret key has changed since.",
            hint="Launch the set again and give the secrets anew.",
            field="secrets",
        ) from error


def delete_secrets(connection: Connection[DictRow], eval_set_id: str) -> None:
    """Forget the secrets of a set; does nothing where it has none."""
    connection.execute("delete from ops.job_secret where eval_set_id = %s", [eval_set_id])


def _cipher(key: SecretStr) -> "Fernet":
    from cryptography.fernet import Fernet

    try:
        return Fernet(key.get_secret_value().encode())
    except ValueError as error:
        raise Bug(
            "HAWK_SECRET_KEY is no Fernet key.", hint="Make one with cryptography.fernet.Fernet.generate_key()."
        ) from error
