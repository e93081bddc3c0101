"""The deployment's configuration: every key, its meaning and its default. `Pulumi.example.yaml` is written from it."""

from ipaddress import IPv4Network
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator

from infra.lib.sizes import TIERS, Tier

ARN = r"^arn:aws[a-z-]*:[a-z0-9-]+:[a-z0-9-]*:(\d{12})?:.+$"
HOST = r"^([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]{2,63}$"


class Section(BaseModel):
    """Keys that belong together."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class NetworkConfig(Section):
    """The VPC, and who may reach it."""

    cidr: IPv4Network = Field(default=IPv4Network("10.80.0.0/16"), description="Addresses of the VPC; a /16 to a /20.")
    nat: Literal["one", "each-zone"] | None = Field(
        default=None, description="NAT gateways: one for all zones is cheaper, one in each outlives a zone's failure."
    )
    interface_endpoints: bool | None = Field(
        default=None, description="STS, ECR, Secrets Manager, SQS and logs by endpoints in the VPC, past the NAT."
    )
    visitors: tuple[IPv4Network, ...] = Field(
        default=(IPv4Network("0.0.0.0/0"),), description="Networks from which the load balancer takes HTTPS."
    )

    @model_validator(mode="after")
    def _has_room(self) -> Self:
        if not 16 <= self.cidr.prefixlen <= 20:
            raise ValueError(f"network.cidr {self.cidr} is not between /16 and /20; pods have addresses of the VPC")
        return self


class DatabaseConfig(Section):
    """Aurora PostgreSQL Serverless v2."""

    engine_version: str = Field(default="17.7", pattern=r"^1[6-9]\.\d+$", description="Version of Aurora PostgreSQL.")
    minimum_capacity: float | None = Field(
        default=None, ge=0.5, le=256, description="Capacity units kept at all times."
    )
    maximum_capacity: float | None = Field(default=None, ge=1, le=256, description="Most capacity units.")
    backup_days: int | None = Field(default=None, ge=1, le=35, description="How long any moment can be restored.")
    snapshot: str | None = Field(default=None, description="Snapshot to begin from; see the page on restoring.")

    @model_validator(mode="after")
    def _is_ordered(self) -> Self:
        if self.minimum_capacity and self.maximum_capacity and self.minimum_capacity > self.maximum_capacity:
            raise ValueError(
                f"database.minimum_capacity {self.minimum_capacity} is more than the maximum, {self.maximum_capacity}"
            )
        return self


class LogsConfig(Section):
    """The bucket of logs."""

    bucket: str | None = Field(
        default=None,
        pattern=r"^[a-z0-9][a-z0-9-]{1,61}[a-z0-9]$",
        description="Its name; unset: {name}-logs-{account}.",
    )
    previous_versions_days: int = Field(
        default=90, ge=1, description="How long overwritten and deleted logs can be had back."
    )
    infrequent_access_days: int | None = Field(
        default=None,
        ge=30,
        description="Move logs this old to infrequent access; unset: never, as people read old logs.",
    )


class ClusterConfig(Section):
    """EKS and its nodes."""

    version: str = Field(
        default="1.35", pattern=r"^1\.3[0-9]$", description="Kubernetes; 1.30 is the oldest that has the policies."
    )
    administrators: tuple[str, ...] = Field(
        default=(), description="ARNs of IAM roles that administer the cluster, beside the role that deploys."
    )
    endpoint_networks: tuple[IPv4Network, ...] = Field(
        default=(),
        description="Networks that reach the cluster's API from outside the VPC, yours at least; none: no one.",
    )
    spot_sandboxes: bool = Field(
        default=True, description="Sandboxes on spot nodes too; a reclaimed one fails its sample."
    )
    most_cpus: int | None = Field(
        default=None, ge=4, description="Most CPUs of all nodes for runners and sandboxes together."
    )
    gvisor_release: str | None = Field(
        default=None, pattern=r"^\d{8}(\.\d+)?$", description="Release of gVisor for `isolation: strict`; unset: none."
    )
    kueue: bool = Field(default=False, description="Queue sets with Kueue where nodes are short.")


class RunnersConfig(Section):
    """What a set gets unless its YAML says otherwise."""

    cpu: str | None = Field(default=None, pattern=r"^\d+m?$", description="CPUs kept for a runner.")
    memory: str | None = Field(default=None, pattern=r"^\d+[GM]i$", description="Memory of a runner, kept and most.")
    egress: Literal["world", "listed"] = Field(
        default="world", description="Public addresses that runners reach: any, or those listed."
    )
    allowed_domains: tuple[str, ...] = Field(
        default=("pypi.org", "files.pythonhosted.org", "github.com"), description="Domains where egress is `listed`."
    )
    secret_arns: tuple[str, ...] = Field(
        default=(),
        description="ARNs of Secrets Manager secrets, `*` allowed at the end, that sets may name in their YAML.",
    )


class IdentityConfig(Section):
    """Who signs people in. Unset issuer: a Cognito user pool is made."""

    issuer: str | None = Field(default=None, pattern=r"^https://", description="OIDC issuer of your own.")
    audiences: tuple[str, ...] = Field(
        default=("hawk",), description="`aud` of your issuer's access tokens; with Cognito its clients."
    )
    cli_client_id: str = Field(default="hawk-cli", description="Public client of the command line at your issuer.")
    web_client_id: str = Field(
        default="hawk-web", description="Client of Dagster's door and of the viewer at your issuer."
    )
    web_client_secret: str | None = Field(
        default=None, description="Secret of that client: `pulumi config set --secret`."
    )
    authorization_endpoint: str | None = Field(
        default=None, pattern=r"^https://", description="Of your issuer's discovery document, for the load balancer."
    )
    token_endpoint: str | None = Field(default=None, pattern=r"^https://", description="As above.")
    user_info_endpoint: str | None = Field(default=None, pattern=r"^https://", description="As above.")
    permission_claims: tuple[str, ...] = Field(
        default=("permissions", "cognito:groups"), description="Claims that hold groups."
    )
    admin_groups: tuple[str, ...] = Field(default=("hawk-admin",), description="Groups of administrators.")
    groups: tuple[str, ...] = Field(
        default=("model-access-public", "hawk-admin"), description="Groups that are made in the Cognito pool."
    )

    @model_validator(mode="after")
    def _own_issuer_is_whole(self) -> Self:
        needed = ("web_client_secret", "authorization_endpoint", "token_endpoint", "user_info_endpoint")
        missing = [name for name in needed if getattr(self, name) is None]
        if self.issuer and missing:
            raise ValueError(
                f"identity.issuer is set, identity.{missing[0]} is not: the load balancer signs people in with it"
            )
        return self


class ImagesConfig(Section):
    """Where images come from; see docs/deploy.md for how they are built and pushed."""

    tag: str = Field(
        default="",
        pattern=r"^([A-Za-z0-9_][A-Za-z0-9_.-]{0,127})?$",
        description="Tag of all images; required, never `latest`.",
    )
    registry: str | None = Field(
        default=None, description="Registry and path of images; unset: repositories made in ECR."
    )

    @model_validator(mode="after")
    def _stays(self) -> Self:
        if self.tag in ("", "latest"):
            raise ValueError(f"images.tag is {self.tag!r}: name the tag that you pushed, one that stays")
        return self


class ObservabilityConfig(Section):
    """Who is told when something is wrong."""

    alarms: bool = Field(default=True, description="CloudWatch alarms and a dashboard.")
    alarm_email: str | None = Field(
        default=None, pattern=r"^[^@\s]+@[^@\s]+$", description="Address that alarms go to."
    )
    monthly_budget_usd: int | None = Field(
        default=None, ge=10, description="Mail at 80 % and 100 % of this; unset: no budget."
    )
    import_lag_minutes: int = Field(default=15, ge=1, description="Alarm when S3 events wait longer than this.")
    collector: bool = Field(
        default=False, description="OpenTelemetry collector: metrics and traces to CloudWatch and X-Ray."
    )
    datadog_site: str | None = Field(
        default=None, description="Site of Datadog, such as datadoghq.com; unset: no agent."
    )
    datadog_api_key: str | None = Field(default=None, description="Its key: `pulumi config set --secret`.")
    log_days: Literal[7, 14, 30, 60, 90, 180, 365] = Field(
        default=30, description="How long logs of programs are kept."
    )

    @model_validator(mode="after")
    def _datadog_has_a_key(self) -> Self:
        if self.datadog_site and not self.datadog_api_key:
            raise ValueError("observability.datadog_site is set, observability.datadog_api_key is not")
        return self


class DeploymentConfig(Section):
    """All of a deployment; only `domain` and `images.tag` have no default."""

    name: str = Field(
        default="hawk", pattern=r"^[a-z][a-z0-9-]{1,19}$", description="Begins the name of everything that is made."
    )
    tier: Literal["starter", "team"] = Field(
        default="starter", description="Sizes of everything whose own key is unset: for one person, or for a team."
    )
    domain: str = Field(
        pattern=HOST, description="API, Dagster and viewer are at api., dagster. and viewer. of this domain."
    )
    hosted_zone_id: str | None = Field(
        default=None,
        pattern=r"^Z[A-Z0-9]+$",
        description="Route 53 zone that holds the domain; unset: a zone is made for it.",
    )
    keep_data: bool = Field(
        default=True, description="Destroying leaves bucket, database snapshot and keys; false: nothing."
    )
    cloudfront: bool = Field(
        default=False, description="CloudFront before the load balancer, which then takes nobody else."
    )
    key_period: str = Field(
        default="1", pattern=r"^[A-Za-z0-9-]{1,32}$", description="Change it to make new database passwords."
    )
    network: NetworkConfig = NetworkConfig()
    database: DatabaseConfig = DatabaseConfig()
    logs: LogsConfig = LogsConfig()
    cluster: ClusterConfig = ClusterConfig()
    runners: RunnersConfig = RunnersConfig()
    identity: IdentityConfig = IdentityConfig()
    images: ImagesConfig
    observability: ObservabilityConfig = ObservabilityConfig()

    @model_validator(mode="after")
    def _fits_its_options(self) -> Self:
        if self.observability.monthly_budget_usd and not self.observability.alarm_email:
            raise ValueError(
                "observability.monthly_budget_usd is set, observability.alarm_email is not: nobody would be told"
            )
        return self

    @property
    def sizes(self) -> Tier:
        """Return the sizes: those of the tier, where no key of its own says otherwise."""
        own = {
            "nat": self.network.nat,
            "interface_endpoints": self.network.interface_endpoints,
            "database_minimum": self.database.minimum_capacity,
            "database_maximum": self.database.maximum_capacity,
            "backup_days": self.database.backup_days,
            "most_cpus": self.cluster.most_cpus,
            "runner_cpu": self.runners.cpu,
            "runner_memory": self.runners.memory,
        }
        return TIERS[self.tier].model_copy(update={name: value for name, value in own.items() if value is not None})

    def host(self, name: str) -> str:
        """Return where people find a program: `api.hawk.example.org`."""
        return f"{name}.{self.domain}"
