"""Who signs people in: a Cognito user pool that is made here, or an OIDC issuer of one's own."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.lib.deployment import Deployment
from infra.lib.policies import Text

DOOR_CALLBACK = "/auth/callback"  # hawk/door/sign_in.py
VIEWER_CALLBACK = "/oauth2callback"  # fixed by Streamlit
LOAD_BALANCER_CALLBACK = "/oauth2/idpresponse"  # fixed by Application Load Balancers
# Cognito compares redirect addresses to the letter, so the command line listens on this port there.
CLI_CALLBACK_PORT = 8711
SCOPES = ("openid", "email", "profile")


@dataclass(frozen=True)
class Endpoints:
    """Where an issuer's doors are, for the load balancer, which does not read discovery documents."""

    authorization: Text
    token: Text
    user_info: Text


@dataclass(frozen=True)
class Identity:
    """What programs need to know of the issuer and its clients."""

    issuer: Text
    audiences: pulumi.Output[list[str]]
    cli_client_id: Text
    web_client_id: Text
    web_client_secret: pulumi.Output[str]
    endpoints: Endpoints
    cli_scopes: tuple[str, ...]
    cli_callback_port: int | None


def identity(deployment: Deployment) -> Identity:
    """Return the issuer of the configuration, or make one."""
    return _own(deployment) if deployment.config.identity.issuer else CognitoPool(deployment).identity


def _own(deployment: Deployment) -> Identity:
    config = deployment.config.identity
    return Identity(
        issuer=config.issuer or "",
        audiences=pulumi.Output.from_input(list(config.audiences)),
        cli_client_id=config.cli_client_id,
        web_client_id=config.web_client_id,
        web_client_secret=pulumi.Output.secret(config.web_client_secret or ""),
        endpoints=Endpoints(
            authorization=config.authorization_endpoint or "",
            token=config.token_endpoint or "",
            user_info=config.user_info_endpoint or "",
        ),
        cli_scopes=(*SCOPES, "offline_access"),
        cli_callback_port=None,
    )


class CognitoPool(pulumi.ComponentResource):
    """A user pool in which only administrators make users, and whose groups are Hawk's."""

    def __init__(self, deployment: Deployment) -> None:
        super().__init__("hawk:core:CognitoPool", deployment.naming.of("people"), opts=deployment.inside)
        self._deployment = deployment
        self._options = pulumi.ResourceOptions(parent=self)
        name = deployment.naming
        self.pool = aws.cognito.UserPool(
            name.of("people"),
            name=name.of("people"),
            admin_create_user_config={"allow_admin_create_user_only": True},
            username_attributes=["email"],
            auto_verified_attributes=["email"],
            mfa_configuration="OPTIONAL",
            software_token_mfa_configuration={"enabled": True},
            password_policy={
                "minimum_length": 14,
                "require_lowercase": True,
                "require_numbers": True,
                "require_symbols": False,
                "require_uppercase": True,
                "temporary_password_validity_days": 3,
            },
            deletion_protection="ACTIVE" if deployment.config.keep_data else "INACTIVE",
            tags=name.tags("people"),
            opts=deployment.keeping(self._options),
        )
        domain = aws.cognito.UserPoolDomain(
            name.of("people"),
            domain=pulumi.Output.concat(deployment.config.name, "-", deployment.account),
            user_pool_id=self.pool.id,
            opts=self._options,
        )
        for group in deployment.config.identity.groups:
            aws.cognito.UserGroup(name.of(group), name=group, user_pool_id=self.pool.id, opts=self._options)
        host = pulumi.Output.concat("https://", domain.domain, f".auth.{deployment.region}.amazoncognito.com/oauth2")
        self._endpoints = Endpoints(
            authorization=pulumi.Output.concat(host, "/authorize"),
            token=pulumi.Output.concat(host, "/token"),
            user_info=pulumi.Output.concat(host, "/userInfo"),
        )
        self.identity = self._make_clients()
        self.register_outputs({"issuer": self.identity.issuer})

    def _make_clients(self) -> Identity:
        host = self._deployment.config.host
        command_line = self._client(
            "cli", secret=False, callbacks=[f"http://127.0.0.1:{CLI_CALLBACK_PORT}/callback"], refresh_days=30
        )
        web = self._client(
            "web",
            secret=True,
            callbacks=[
                f"https://{host('dagster')}{DOOR_CALLBACK}",
                f"https://{host('viewer')}{VIEWER_CALLBACK}",
                f"https://{host('viewer')}{LOAD_BALANCER_CALLBACK}",
            ],
            refresh_days=1,
        )
        return Identity(
            issuer=pulumi.Output.concat(f"https://cognito-idp.{self._deployment.region}.amazonaws.com/", self.pool.id),
            # Cognito's access tokens have no `aud`; the client stands in its place.
            audiences=pulumi.Output.all(command_line.id, web.id).apply(list),
            cli_client_id=command_line.id,
            web_client_id=web.id,
            web_client_secret=pulumi.Output.secret(web.client_secret),
            endpoints=self._endpoints,
            cli_scopes=SCOPES,
            cli_callback_port=CLI_CALLBACK_PORT,
        )

    def _client(
        self, what: str, *, secret: bool, callbacks: list[str], refresh_days: int
    ) -> aws.cognito.UserPoolClient:
        return aws.cognito.UserPoolClient(
            self._deployment.naming.of(what),
            user_pool_id=self.pool.id,
            generate_secret=secret,
            allowed_oauth_flows=["code"],
            allowed_oauth_flows_user_pool_client=True,
            allowed_oauth_scopes=list(SCOPES),
            callback_urls=callbacks,
            supported_identity_providers=["COGNITO"],
            enable_token_revocation=True,
            prevent_user_existence_errors="ENABLED",
            access_token_validity=60,
            refresh_token_validity=refresh_days,
            token_validity_units={"access_token": "minutes", "refresh_token": "days"},
            opts=self._options,
        )
