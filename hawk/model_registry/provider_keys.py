"""Keys of providers at rest: encrypted in ops.provider_key, or in AWS Secrets Manager."""

import re
from typing import Any

from pydantic import SecretStr

from hawk.errors import Bug, NotFound, Upstream, UserError

MAX_KEY_CHARACTERS = 8192
# What Secrets Manager says of a secret that was deleted, or will be.
_NO_SUCH_SECRET = frozenset({"ResourceNotFoundException", "InvalidRequestException"})
# env:NAME_API_KEY of the proxy's environment | secret:NAME or ARN in Secrets Manager | stored | none
KEY_REFERENCE = re.compile(r"env:(?!HAWK_)[A-Z][A-Z0-9_]*_API_KEY|secret:[A-Za-z0-9/_+=.@:-]{1,512}|stored|none")


def check_key_reference(reference: str) -> str:
    """Return the reference. Raises UserError where it is none."""
    if not KEY_REFERENCE.fullmatch(reference):
        raise UserError(
            f"{reference!r} says of no key where it is.",
            hint="Use env:NAME_API_KEY (of the proxy's environment), secret:NAME (of Secrets Manager), stored or none.",
            value=reference,
            field="key_reference",
        )
    return reference


def check_key(key: SecretStr) -> SecretStr:
    """Return the key without space around it. Raises UserError where no header could hold it."""
    value = key.get_secret_value().strip()
    if not value or len(value) > MAX_KEY_CHARACTERS or not value.isascii() or not value.isprintable():
        raise UserError(
            "That is no provider's key.",
            hint=f"Give 1 to {MAX_KEY_CHARACTERS} printable ASCII characters on standard input.",
            field="key",
        )
    return SecretStr(value)


class StoredKeys:
    """Encrypts and decrypts what ops.provider_key holds."""

    def __init__(self, secret_key: SecretStr) -> None:
        from cryptography.fernet import Fernet

        try:
            self._cipher: Fernet = Fernet(secret_key.get_secret_value().encode())
        except ValueError as error:
            raise Bug(
                "HAWK_SECRET_KEY is no Fernet key.", hint="Make one with cryptography.fernet.Fernet.generate_key()."
            ) from error

    def encrypt(self, key: SecretStr) -> bytes:
        return self._cipher.encrypt(key.get_secret_value().encode())

    def decrypt(self, ciphertext: bytes) -> SecretStr:
        """Return the key. Raises UserError where it was encrypted under another secret key."""
        from cryptography.fernet import InvalidToken

        try:
            return SecretStr(self._cipher.decrypt(ciphertext).decode())
        except InvalidToken as error:
            raise UserError(
                "A provider's key was encrypted under another HAWK_SECRET_KEY.", hint="Give it anew: hawk secrets set."
            ) from error


def secret_from_secrets_manager(name: str, *, client: Any = None) -> SecretStr:
    """Return a secret's text. Raises NotFound where there is none, Upstream where Secrets Manager does not give it."""
    import boto3
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        client = client or boto3.client("secretsmanager")
        return SecretStr(str(client.get_secret_value(SecretId=name).get("SecretString", "")))
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in _NO_SUCH_SECRET:
            raise NotFound(f"Secrets Manager has no secret {name!r}.", value=name) from error
        raise Upstream(f"Secrets Manager does not give the secret {name!r}: {code}.") from error
    except BotoCoreError as error:
        raise Upstream(f"Secrets Manager does not give the secret {name!r}: {type(error).__name__}.") from error
