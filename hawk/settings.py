"""The one place where the environment is read: a settings class for each program.

A value comes from the environment (`HAWK_…`), else from the embedded stack that runs under HAWK_HOME (its
`stack.env`), else from the default below. So unset database, S3 and issuer mean the embedded ones.
"""

import os
from pathlib import Path
from typing import Any, Literal

from pydantic import Field, SecretStr
from pydantic_settings import (
    BaseSettings,
    DotEnvSettingsSource,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

STACK_ENV_FILE = "stack.env"


def hawk_home() -> Path:
    """Return the folder of everything Hawk keeps on this machine; HAWK_HOME, else the user's data folder."""
    configured = os.environ.get("HAWK_HOME")
    if configured:
        return Path(configured).expanduser().absolute()
    data_home = os.environ.get("XDG_DATA_HOME")
    return (Path(data_home).expanduser() if data_home else Path.home() / ".local" / "share") / "hawk"


def stack_env_path() -> Path:
    """Return the file in which a running embedded stack tells its addresses and keys (mode 0600)."""
    return hawk_home() / "dev" / STACK_ENV_FILE


class HawkSettings(BaseSettings):
    """Where values come from; shared by all programs."""

    # A class is built when it is used: a program uses one of them, and `hawk` must start at once.
    model_config = SettingsConfigDict(
        env_prefix="HAWK_", frozen=True, extra="ignore", populate_by_name=True, defer_build=True
    )

    home: Path = Field(default_factory=hawk_home, description="Folder of local state.")

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings, DotEnvSettingsSource(settings_cls, env_file=stack_env_path())


class DatabaseSettings(HawkSettings):
    """Postgres: the warehouse and the operational tables."""

    database_url: SecretStr = Field(description="postgresql://user:password@host:port/name, libpq parameters allowed.")


class LoginSettings(DatabaseSettings):
    """Preparing a database for the programs of a deployment."""

    login_passwords: dict[str, SecretStr] = Field(
        default_factory=dict, description='Passwords of the programs\' logins: {"hawk_api": "…"}.'
    )


class ObjectStoreSettings(HawkSettings):
    """S3, or what speaks its protocol."""

    bucket: str = Field(default="hawk", description="Bucket of all logs.")
    s3_endpoint_url: str | None = Field(default=None, description="Other than AWS: http://127.0.0.1:8333.")
    s3_region: str = "us-east-1"
    s3_access_key_id: str | None = Field(default=None, description="Unset: boto3's own chain (role, profile, env).")
    s3_secret_access_key: SecretStr | None = None


class SignInSettings(HawkSettings):
    """Which people are believed, and their groups."""

    issuer: str = Field(description="OIDC issuer URL; its discovery document names the keys.")
    audiences: tuple[str, ...] = Field(default=("hawk",), description="Any of these must be in `aud`.")
    permission_claims: tuple[str, ...] = Field(
        default=("permissions", "cognito:groups"), description="Claims whose values are groups: lists, or words."
    )
    scope_claims: tuple[str, ...] = Field(default=("scp",), description="Claims of scopes; only public_group counts.")
    public_group: str = Field(default="model-access-public", description="The group that a scope may grant.")
    admin_groups: tuple[str, ...] = Field(default=("hawk-admin",), description="Any of these makes an administrator.")
    admin_claim: str | None = Field(default=None, description="Claim that makes an administrator where it is true.")


class IdentitySettings(SignInSettings):
    """Whose tokens are believed: people's and jobs'."""

    job_token_key: SecretStr = Field(description="Key that signs and verifies job tokens, at least 32 characters.")


class SecretStoreSettings(HawkSettings):
    """Secrets of users on their way to a job."""

    secret_key: SecretStr = Field(description="Fernet key that encrypts ops.job_secret.")


class BrokerSettings(ObjectStoreSettings):
    """Credentials for jobs."""

    log_role_arn: str | None = Field(default=None, description="Role that jobs' sessions are of; unset: no broker.")
    log_key_arn: str | None = Field(
        default=None, description="KMS key of the bucket, which jobs' sessions may use then; unset: S3's own."
    )
    sts_endpoint_url: str | None = Field(default=None, description="STS other than AWS's; unset: that of S3.")
    session_seconds: int = Field(
        default=3600, ge=900, le=3600, description="Life of a session; AWS caps chained roles at an hour."
    )
    broker_audience: str = Field(default="hawk-token-broker", description="`aud` of the pods' tokens.")
    pod_token_issuer: str | None = Field(
        default=None, description="Issuer of the cluster's service account tokens; set: jobs prove their pod with one."
    )
    pod_token_key_set: Path | None = Field(
        default=None, description="File of the issuer's keys (JWKS) where its discovery document cannot be read."
    )
    broker_per_minute: int = Field(default=60, ge=1, description="Most grants a minute to one job.")


class ApiSettings(DatabaseSettings, BrokerSettings, IdentitySettings, SecretStoreSettings):
    """The API server."""

    api_host: str = "127.0.0.1"
    api_port: int = 8080
    dagster_url: str = Field(description="Dagster's pages, as people open them.")
    dagster_webserver_url: str | None = Field(
        default=None, description="Dagster's webserver for the API's own requests, past the door; unset: dagster_url."
    )
    viewer_url: str | None = None
    proxy_url: str | None = None
    cli_client_id: str = "hawk-cli"
    cli_scopes: tuple[str, ...] = Field(
        default=("openid", "profile", "email", "offline_access"),
        description="Scopes that the command line asks for; Cognito refuses those that it does not know.",
    )
    cli_callback_port: int | None = Field(
        default=None,
        ge=1024,
        le=65535,
        description="Port at which it waits for the browser, for issuers that compare all of the address; unset: any.",
    )
    max_unfinished_sets: int | None = Field(
        default=None, ge=1, description="Most eval sets of one person that have not ended; unset: any number."
    )
    edits_need_approval: bool = Field(
        default=False, description="Edits of logs wait for a second person, who may change the sets as well."
    )
    failed_sign_ins_per_minute: int = Field(
        default=120, ge=1, description="Most requests a minute from one address whose token does not hold."
    )
    allow_local_packages: bool = Field(default=False, description="Accept paths of this machine in `package:`.")
    import_max_file_bytes: int = Field(default=16 * 1024**3, ge=1, description="Largest log that people may bring.")
    import_max_json_bytes: int = Field(
        default=256 * 1024**2, ge=1, description="Largest of them in JSON, which the API takes into memory."
    )
    import_max_pending_bytes: int = Field(
        default=256 * 1024**3, ge=1, description="Most that one person may have begun to bring at a time."
    )
    namespace_prefix: str = "inspect"
    download_url_seconds: int = Field(
        default=300, ge=10, le=600, description="How long an address holds that a file is downloaded from."
    )
    downloads_per_minute: int = Field(default=1200, ge=1, description="Most files a minute that one person asks for.")
    browser_session_seconds: int = Field(
        default=3600,
        ge=60,
        le=12 * 3600,
        description="Longest a browser may look at logs; its person's token may end it.",
    )


class DoorSettings(DatabaseSettings, IdentitySettings, SecretStoreSettings):
    """Dagster's door."""

    door_host: str = "127.0.0.1"
    door_port: int = 3000
    dagster_url: str | None = Field(default=None, description="URL that people open; unset: http://{host}:{port}.")
    dagster_webserver_url: str = Field(description="Dagster's webserver, which only the door and the API may reach.")
    door_client_id: str = Field(default="hawk-dagster", description="Client at the issuer.")
    door_client_secret: SecretStr | None = Field(default=None, description="Unset: a public client, with PKCE alone.")
    dagster_view_groups: tuple[str, ...] = Field(
        default=("model-access-public", "hawk-admin"), description="Any of these sees Dagster's pages."
    )
    dagster_launch_groups: tuple[str, ...] = Field(
        default=("model-access-public", "hawk-admin"), description="Any of these launches runs, as oneself."
    )
    dagster_terminate_groups: tuple[str, ...] = Field(default=("hawk-admin",), description="Any of these ends runs.")
    dagster_wipe_groups: tuple[str, ...] = Field(default=("hawk-admin",), description="Any of these deletes records.")
    dagster_change_groups: tuple[str, ...] = Field(
        default=("hawk-admin",), description="Any of these changes sensors, schedules, limits and code locations."
    )

    @property
    def public_url(self) -> str:
        return (self.dagster_url or f"http://{self.door_host}:{self.door_port}").rstrip("/")


class CliSettings(HawkSettings):
    """The command line."""

    api_url: str | None = None
    access_token: SecretStr | None = Field(default=None, description="Used instead of a stored sign-in.")
    config_home: Path = Field(default_factory=lambda: hawk_home() / "cli", description="Last id, stored tokens.")


class ReadingSettings(HawkSettings):
    """How much one log may ask of who reads it; a log that asks for more is set aside with the reason."""

    import_max_entries: int = Field(default=1_000_000, ge=1, description="Most entries of one .eval archive.")
    import_max_log_bytes: int = Field(default=256 * 1024**3, ge=1, description="Most bytes of one log, unpacked.")
    import_max_entry_bytes: int = Field(default=16 * 1024**3, ge=1, description="Most bytes of one sample, unpacked.")
    import_max_ratio: int = Field(default=2000, ge=1, description="Most bytes that one packed byte may unpack to.")
    import_sample_memory_bytes: int = Field(
        default=16 * 1024**2, ge=1, description="Samples larger than this are laid out on disk (TMPDIR) to be read."
    )


class SensorSettings(HawkSettings):
    """How often sensors look; read when Dagster loads the code location, so each has a default."""

    reconcile_seconds: int = Field(default=30, ge=1, description="Between looks; Dagster takes 5 at least.")
    listing_seconds: int = Field(default=600, ge=1, description="How often the whole bucket is listed.")


class KubernetesSettings(HawkSettings):
    """Runner jobs on a cluster; read only where the launcher is `kubernetes`."""

    kubernetes_context: str | None = Field(
        default=None, description="Context of the kubeconfig; unset: its current one, or the pod's own account."
    )
    namespace_prefix: str = Field(
        default="inspect", pattern=r"^[a-z]([-a-z0-9]{0,14}[a-z0-9])?$", description="Namespaces are `{prefix}-{id}`."
    )
    runner_s3_endpoint_url: str | None = Field(default=None, description="S3 as pods reach it; unset: as Hawk does.")
    runner_proxy_url: str | None = Field(default=None, description="The proxy as pods reach it; unset: as Hawk does.")
    runner_api_url: str | None = Field(default=None, description="The API as pods reach it; unset: as Hawk does.")
    runner_image: str | None = Field(default=None, description="Image of runners, with a tag that stays or a digest.")
    runner_image_pull_policy: Literal["Always", "IfNotPresent", "Never"] = "IfNotPresent"
    runner_cpu_request: str = Field(default="2", description="CPU kept for a runner whose config names none.")
    runner_cpu_limit: str = "4"
    runner_memory_request: str | None = Field(default=None, description="Unset: as much as the limit.")
    runner_memory_limit: str = "16Gi"
    runner_storage_limit: str = Field(default="20Gi", description="Disk of a runner: its venv, buffers, caches.")
    runner_architecture: Literal["amd64", "arm64"] | None = Field(default=None, description="Unset: any node.")
    runner_k8s_config: dict[str, Any] = Field(
        default_factory=dict, description="`dagster-k8s/config` of every runner; a run's own tag is merged onto it."
    )
    runner_default_environment: dict[str, str] = Field(
        default_factory=dict, description="Environment of every runner; whatever a job says itself wins."
    )
    runner_role_arn: str | None = Field(default=None, description="IAM role of runners, by annotation (IRSA).")
    runner_pod_identity: bool = Field(default=False, description="Let runners reach the EKS Pod Identity agent.")
    runner_credential_process: str | None = Field(
        default=None, description="`credential_process` of the runners' AWS config; unset: none."
    )
    runner_egress: Literal["world", "listed"] = Field(
        default="world", description="What outside the cluster runners reach: any public address, or what is listed."
    )
    runner_allowed_domains: tuple[str, ...] = Field(
        default=("pypi.org", "files.pythonhosted.org"),
        description="Domains beside S3, proxy and API where egress is `listed`; `*.example.org` too.",
    )
    runner_allowed_networks: tuple[str, ...] = Field(
        default=(), description="Networks that runners reach in any case, such as that of an S3 endpoint in the VPC."
    )
    platform_namespace: str | None = Field(
        default=None, description="Namespace in which pods of proxy and API run; unset: they run elsewhere."
    )
    proxy_pod_port: int = 8081
    api_pod_port: int = 8080
    network_policies: Literal["auto", "cilium", "standard"] = Field(
        default="auto", description="`auto` adds Cilium's policies to the standard ones where the cluster knows them."
    )
    job_deadline_seconds: int | None = Field(default=None, ge=60, description="Longest life of a job; unset: none.")
    job_ttl_seconds: int = Field(default=3600, ge=0, description="How long an ended Job and its pods are kept.")
    stop_grace_seconds: float = Field(default=120.0, ge=0, description="From the wish to stop to the first signal.")
    kill_grace_seconds: float = Field(default=120.0, ge=0, description="From that signal to the end by force.")
    start_patience_seconds: int = Field(
        default=900, ge=1, description="A pod that cannot start (no such image) fails its job after this long."
    )
    broker_audience: str = Field(default="hawk-token-broker", description="`aud` of the runner's own identity token.")
    kueue_queue: str | None = Field(default=None, description="ClusterQueue of runners; unset: no Kueue.")
    kueue_sandbox_queue: str | None = Field(default=None, description="ClusterQueue of sandboxes; unset: no Kueue.")
    sandbox_pods: int = Field(default=2000, ge=1, description="Most pods in a set's sandbox namespace.")
    sandbox_runtime_class: str | None = Field(
        default=None, description="RuntimeClass of sandboxes that name none; unset: the cluster's default."
    )
    sandbox_strict_runtime_class: str = Field(default="gvisor", description="RuntimeClass of strict isolation.")
    sandbox_values: dict[str, Any] = Field(
        default_factory=dict,
        description="Values for the chart of every sandbox, such as `corednsImage`; a task's own lose to them.",
    )
    janitor_minutes: int = Field(default=60, ge=1, description="What ended or is nobody's is removed after this long.")
    janitor_batch: int = Field(default=50, ge=1, description="Most namespaces that one look of the janitor removes.")


class OrchestrationSettings(
    SensorSettings, ReadingSettings, KubernetesSettings, DatabaseSettings, ObjectStoreSettings, SecretStoreSettings
):
    """Dagster's code location: launchers, sensors, dbt."""

    launcher: Literal["local", "kubernetes"] = "local"
    runner_python: Path | None = Field(default=None, description="Interpreter of local runners; unset: this one.")
    max_local_jobs: int = Field(default=4, ge=1, description="Local jobs at once; more wait for capacity.")
    proxy_url: str | None = None
    api_url: str | None = None
    viewer_url: str | None = None
    job_token_key: SecretStr | None = None
    job_token_days: int = Field(default=30, ge=1)
    dagster_described_groups: tuple[str, ...] = Field(
        default=("model-access-public",),
        description="Groups that all readers of Dagster hold; sets with others show ids and counts only.",
    )
    events_queue_url: str | None = Field(default=None, description="SQS queue of S3 events; unset: listing only.")
    import_batch_size: int = Field(default=50, ge=1)
    import_workers: int = Field(default=2, ge=1, le=32, description="Most processes that import at a time.")
    import_max_attempts: int = Field(
        default=10, ge=1, description="Tries at a log while S3 or Postgres is in trouble; then it is a dead letter."
    )
    live_import_seconds: int = Field(
        default=60, ge=5, description="How often running evals are imported with their buffers; large ones less often."
    )
    import_minutes: int = Field(default=30, ge=1, description="A run of imports claims no more logs after this long.")
    event_retention_days: float | None = Field(
        default=None, gt=0, description="Events imported longer ago are dropped, month by month; unset: never."
    )
    analyses_folder: Path | None = Field(
        default=None, description="Folder of task_length.csv and model_release.csv; unset: those that come with Hawk."
    )
    analyses_pause_seconds: int = Field(
        default=300, ge=10, description="Least time between two runs of the analyses, however often marts change."
    )
    edit_memory_bytes: int = Field(
        default=4 * 1024**3, ge=256 * 1024**2, description="Most memory of a job that edits logs, which it reads whole."
    )
    edit_wait_minutes: int = Field(
        default=30, ge=1, description="A run of edits waits this long for its jobs; another goes on with them."
    )
    allow_local_packages: bool = False
    log_shared_seconds: int = Field(default=60, ge=1)

    def as_jobs_see_it(self) -> "OrchestrationSettings":
        """Return the settings with the addresses of services that a job on a cluster knows them by."""
        if self.launcher != "kubernetes":
            return self
        return self.model_copy(
            update={
                "s3_endpoint_url": self.runner_s3_endpoint_url or self.s3_endpoint_url,
                "proxy_url": self.runner_proxy_url or self.proxy_url,
                "api_url": self.runner_api_url or self.api_url,
            }
        )


class IssuerSettings(HawkSettings):
    """The small OIDC issuer of the embedded stack."""

    issuer_host: str = "127.0.0.1"
    issuer_port: int = 8082
    issuer: str | None = Field(default=None, description="URL it is known by; unset: http://{host}:{port}.")
    issuer_audience: str = Field(default="hawk", description="`aud` of the access tokens.")
    issuer_service_secret: SecretStr | None = Field(
        default=None, description="Secret of the client `hawk-service`; unset: no client credentials."
    )
    issuer_auto_approve: bool = Field(default=True, description="Approve device sign-ins by itself, on loopback only.")
    access_token_seconds: int = Field(default=3600, ge=1)
    refresh_token_seconds: int = Field(default=30 * 24 * 3600, ge=1)

    @property
    def issuer_url(self) -> str:
        return (self.issuer or f"http://{self.issuer_host}:{self.issuer_port}").rstrip("/")


class ProxySettings(DatabaseSettings, IdentitySettings):
    """The LLM proxy."""

    proxy_host: str = "127.0.0.1"
    proxy_port: int = 8081
    openai_upstream: str = "https://api.openai.com"
    anthropic_upstream: str = "https://api.anthropic.com"
    google_upstream: str = "https://generativelanguage.googleapis.com"
    openai_api_key: SecretStr | None = None
    anthropic_api_key: SecretStr | None = None
    google_api_key: SecretStr | None = None
    provider_upstreams: dict[str, str] = Field(
        default_factory=dict, description='Base URLs of OpenAI-compatible providers: {"vllm": "http://gpu:8000"}.'
    )
    provider_keys: dict[str, SecretStr] = Field(
        default_factory=dict, description='Keys of OpenAI-compatible providers: {"openrouter": "sk-…"}.'
    )
    azure_upstream: str | None = Field(default=None, description="Azure OpenAI: https://NAME.openai.azure.com.")
    azure_api_key: SecretStr | None = None
    vertex_upstream: str = "https://aiplatform.googleapis.com"
    vertex_project: str | None = Field(default=None, description="Google project that pays for calls to Vertex.")
    vertex_location: str | None = Field(default=None, description="Where Vertex works for them: us-central1, global.")
    vertex_api_key: SecretStr | None = Field(default=None, description="Key of Vertex's express mode.")
    vertex_service_account: SecretStr | None = Field(
        default=None, description="JSON of the key of a service account, used instead of a Vertex API key."
    )
    allowed_upstream_hosts: tuple[str, ...] = Field(
        default=(), description="Hosts that registered providers may have, beside those of the settings above."
    )
    secret_key: SecretStr | None = Field(default=None, description="Fernet key that decrypts stored provider keys.")
    max_request_bytes: int = Field(default=64 * 1024 * 1024, description="Larger bodies are refused with 413.")
    upstream_timeout_seconds: float = Field(default=600.0, gt=0, description="Longest silence of a provider.")
    upstream_connect_seconds: float = Field(default=10.0, gt=0)
    upstream_retries: int = Field(
        default=0, ge=0, le=5, description="How often a call that got 429, 503 or 529 is sent again; 0: relayed."
    )
    upstream_retry_seconds: float = Field(
        default=20.0, gt=0, description="Longest wait before a call is sent again; a longer Retry-After is relayed."
    )
    registry_seconds: float = Field(default=10.0, gt=0, le=15, description="How often models and groups are re-read.")
    ledger_folder: Path | None = Field(
        default=None, description="Where calls are written down first, on a disk that outlives the process."
    )
    ledger_copy_seconds: float = Field(default=1.0, gt=0, le=60, description="How often the ledger goes to Postgres.")
    reserved_output_tokens: int = Field(
        default=4096, ge=1, description="Tokens that an answer may have at most where neither call nor model says."
    )
    limit_wait_seconds: float = Field(
        default=120.0, gt=0, description="How long a call waits for its turn under a limit before it gets 429."
    )
    share_limits: bool = Field(default=False, description="Share limits with the other proxies of this database.")
    proxy_workers: int = Field(default=1, ge=1, le=64, description="Processes that serve; more than one share limits.")
    log_calls: bool = Field(default=True, description="Write a line to the log for each call.")
    metrics_token: SecretStr | None = Field(
        default=None, description="Bearer token of /metrics; unset: only this machine may ask."
    )
    otlp_endpoint: str | None = Field(default=None, description="OpenTelemetry collector (gRPC); unset: no traces.")
    drain_seconds: int = Field(default=300, ge=0, description="How long running streams may last after SIGTERM.")

    @property
    def ledger_path(self) -> Path:
        return self.ledger_folder or self.home / "proxy" / "ledger"


class ViewerSettings(DatabaseSettings, SignInSettings):
    """The Streamlit viewer."""

    viewer_host: str = "127.0.0.1"
    viewer_port: int = 8501
    viewer_url: str | None = Field(default=None, description="URL that people open; unset: http://{host}:{port}.")
    viewer_client_id: str = Field(default="hawk-viewer", description="Client at the issuer.")
    viewer_client_secret: SecretStr | None = Field(default=None, description="Unset: a public client, with PKCE alone.")
    viewer_cookie_key: SecretStr = Field(
        min_length=32, description="Signs the cookies of those who are signed in; the same for all replicas."
    )
    dagster_url: str | None = None
    api_url: str | None = Field(default=None, description="API for what the viewer asks it, as whoever looks.")
    max_rows: int = Field(default=10_000, ge=1, description="Most rows that one query brings.")

    @property
    def public_url(self) -> str:
        return (self.viewer_url or f"http://{self.viewer_host}:{self.viewer_port}").rstrip("/")
