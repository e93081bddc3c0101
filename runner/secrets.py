"""Secrets that the runner itself fetches, with the rights of the job."""

from collections.abc import Mapping
from typing import Any, Protocol

from hawk.config.eval_set import EvalSetConfig
from hawk.config.secret import SecretConfig
from hawk.errors import Upstream, UserError

# Answers by which AWS says that asking again is of no use.
_FINAL = {"ResourceNotFoundException", "AccessDeniedException", "InvalidRequestException", "InvalidParameterException"}


class SecretsManager(Protocol):
    """What is used of boto3's Secrets Manager client."""

    def get_secret_value(self, *, SecretId: str) -> Mapping[str, Any]: ...  # noqa: N803 - as boto3 spells it


def fetch_aws_secrets(config: EvalSetConfig, *, client: SecretsManager | None = None) -> Mapping[str, str]:
    """Return the values of all secrets of type aws-secrets-manager, by the variable's name.

    Raises UserError if one does not exist or may not be read, Upstream if AWS does not answer.
    """
    wanted = [secret for _, secret in config.secret_places() if secret.type == "aws-secrets-manager"]
    if not wanted:
        return {}
    connection = client or _client()
    return {secret.name: _value(connection, secret) for secret in wanted}


def _client() -> SecretsManager:
    import boto3

    client: SecretsManager = boto3.client("secretsmanager")
    return client


def _value(client: SecretsManager, secret: SecretConfig) -> str:
    from botocore.exceptions import BotoCoreError, ClientError

    place = secret.arn or secret.secret_name or ""
    try:
        answer = client.get_secret_value(SecretId=place)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        message = f"The secret {secret.name} could not be read from {place}: {code}."
        if code in _FINAL:
            raise UserError(message, hint="Check its name and the job's right to read it.", value=place) from error
        raise Upstream(message) from error
    except BotoCoreError as error:
        raise Upstream(f"The secret {secret.name} could not be read from {place}: {error}.") from error
    if "SecretString" not in answer:
        raise UserError(f"The secret {secret.name} at {place} is binary.", hint="Store it as text.", value=place)
    return str(answer["SecretString"])
