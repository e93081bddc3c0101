"""What programs are told of the deployment around them."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi

from infra.core.identity import Identity
from infra.lib.config import DeploymentConfig
from infra.lib.policies import Text


@dataclass(frozen=True)
class Secrets:
    """What only programs know; `database_urls` by the name of the program, passwords by that of the login."""

    job_token_key: pulumi.Output[str]
    secret_key: pulumi.Output[str]
    metrics_token: pulumi.Output[str]
    viewer_cookie_key: pulumi.Output[str]
    database_urls: Mapping[str, pulumi.Output[str]]
    dagster_database_url: pulumi.Output[str]
    owner_database_url: pulumi.Output[str]
    login_passwords: Mapping[str, pulumi.Output[str]]


@dataclass(frozen=True)
class Facts:
    """Addresses and names that are known once everything beneath the programs is there."""

    config: DeploymentConfig
    region: str
    bucket: Text
    events_queue_url: Text
    log_role_arn: Text
    pod_token_issuer: Text
    identity: Identity
    images: Mapping[str, Text]
    secrets: Secrets
    data_key_arn: Text
    collector_url: str | None
