"""The settings of each program, as variables of its environment; hawk/settings.py says what each means."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import pulumi

from infra.lib.naming import JOB_NAMESPACE_PREFIX, NAMESPACE, POOL_LABEL, RUNNER_POOL, SANDBOX_POOL
from infra.lib.policies import Text
from infra.services.facts import Facts

API_PORT, PROXY_PORT, DOOR_PORT, VIEWER_PORT, DAGSTER_PORT = 8080, 8081, 3000, 8501, 3000
LEDGER_FOLDER = "/var/lib/hawk/ledger"
HOME = "/home/hawk"


@dataclass(frozen=True)
class Environment:
    """What a program is told: openly, and in a Secret."""

    plain: Mapping[str, Text]
    secret: Mapping[str, Text]


def api_settings(facts: Facts) -> Environment:
    config, identity = facts.config, facts.identity
    plain = {
        **_store(facts),
        **_identity(facts),
        "HAWK_API_HOST": "0.0.0.0",  # noqa: S104 - of a pod, which network policies close
        "HAWK_API_PORT": str(API_PORT),
        "HAWK_CLI_CLIENT_ID": identity.cli_client_id,
        "HAWK_CLI_SCOPES": json.dumps(identity.cli_scopes),
        "HAWK_DAGSTER_URL": f"https://{config.host('dagster')}",
        "HAWK_DAGSTER_WEBSERVER_URL": service_url("dagster-web", DAGSTER_PORT),
        "HAWK_VIEWER_URL": f"https://{config.host('viewer')}",
        "HAWK_LOG_ROLE_ARN": facts.log_role_arn,
        "HAWK_LOG_KEY_ARN": facts.data_key_arn,
        "HAWK_POD_TOKEN_ISSUER": facts.pod_token_issuer,
        "HAWK_NAMESPACE_PREFIX": JOB_NAMESPACE_PREFIX,
    }
    if identity.cli_callback_port is not None:
        plain["HAWK_CLI_CALLBACK_PORT"] = str(identity.cli_callback_port)
    return Environment(plain, _keys(facts, "api"))


def door_settings(facts: Facts) -> Environment:
    plain = {
        **_identity(facts),
        "HAWK_HOME": HOME,
        "HAWK_DOOR_HOST": "0.0.0.0",  # noqa: S104 - of a pod, which network policies close
        "HAWK_DOOR_PORT": str(DOOR_PORT),
        "HAWK_DAGSTER_URL": f"https://{facts.config.host('dagster')}",
        "HAWK_DAGSTER_WEBSERVER_URL": service_url("dagster-web", DAGSTER_PORT),
        "HAWK_DOOR_CLIENT_ID": facts.identity.web_client_id,
    }
    return Environment(plain, _keys(facts, "door") | {"HAWK_DOOR_CLIENT_SECRET": facts.identity.web_client_secret})


def proxy_settings(facts: Facts) -> Environment:
    several = (facts.config.sizes.programs["proxy"].most_replicas or 1) > 1
    plain: dict[str, Text] = {
        **_identity(facts),
        "AWS_REGION": facts.region,
        "HAWK_HOME": HOME,
        "HAWK_PROXY_HOST": "0.0.0.0",  # noqa: S104 - of a pod, which network policies close
        "HAWK_PROXY_PORT": str(PROXY_PORT),
        "HAWK_LEDGER_FOLDER": LEDGER_FOLDER,
        "HAWK_SHARE_LIMITS": json.dumps(several),
    }
    if facts.collector_url:
        plain["HAWK_OTLP_ENDPOINT"] = facts.collector_url
    return Environment(plain, _keys(facts, "proxy") | {"HAWK_METRICS_TOKEN": facts.secrets.metrics_token})


def viewer_settings(facts: Facts) -> Environment:
    plain = {
        **_identity(facts),
        "HAWK_HOME": HOME,
        "HAWK_VIEWER_HOST": "0.0.0.0",  # noqa: S104 - of a pod, which network policies close
        "HAWK_VIEWER_PORT": str(VIEWER_PORT),
        "HAWK_VIEWER_URL": f"https://{facts.config.host('viewer')}",
        "HAWK_VIEWER_CLIENT_ID": facts.identity.web_client_id,
        "HAWK_DAGSTER_URL": f"https://{facts.config.host('dagster')}",
        "HAWK_API_URL": f"https://{facts.config.host('api')}",
        "STREAMLIT_BROWSER_GATHER_USAGE_STATS": "false",
    }
    secret = {
        "HAWK_DATABASE_URL": facts.secrets.database_urls["viewer"],
        "HAWK_VIEWER_CLIENT_SECRET": facts.identity.web_client_secret,
        "HAWK_VIEWER_COOKIE_KEY": facts.secrets.viewer_cookie_key,
    }
    return Environment(plain, secret)


def dagster_settings(facts: Facts) -> Environment:
    """Return what Dagster's programs and runs are told, runners' sizes and places included."""
    config, sizes = facts.config, facts.config.sizes
    plain = {
        **_store(facts),
        "HAWK_DAGSTER_NAMESPACE": NAMESPACE,
        "HAWK_DAGSTER_IMAGE": facts.images["dagster"],
        "HAWK_LAUNCHER": "kubernetes",
        "HAWK_NAMESPACE_PREFIX": JOB_NAMESPACE_PREFIX,
        "HAWK_PLATFORM_NAMESPACE": NAMESPACE,
        "HAWK_PROXY_POD_PORT": str(PROXY_PORT),
        "HAWK_API_POD_PORT": str(API_PORT),
        "HAWK_PROXY_URL": service_url("proxy", PROXY_PORT),
        "HAWK_API_URL": service_url("api", API_PORT),
        "HAWK_VIEWER_URL": f"https://{config.host('viewer')}",
        "HAWK_EVENTS_QUEUE_URL": facts.events_queue_url,
        "HAWK_RUNNER_IMAGE": facts.images["runner"],
        "HAWK_RUNNER_CPU_REQUEST": sizes.runner_cpu,
        "HAWK_RUNNER_CPU_LIMIT": _twice(sizes.runner_cpu),
        "HAWK_RUNNER_MEMORY_LIMIT": sizes.runner_memory,
        "HAWK_RUNNER_ARCHITECTURE": "amd64",
        "HAWK_RUNNER_K8S_CONFIG": json.dumps({"pod_spec_config": {"node_selector": {POOL_LABEL: RUNNER_POOL}}}),
        "HAWK_RUNNER_EGRESS": config.runners.egress,
        "HAWK_RUNNER_ALLOWED_DOMAINS": json.dumps(config.runners.allowed_domains),
        "HAWK_SANDBOX_VALUES": json.dumps(sandbox_values()),
        "HAWK_NETWORK_POLICIES": "cilium",
    }
    if config.cluster.kueue:
        plain |= {"HAWK_KUEUE_QUEUE": "hawk-runners", "HAWK_KUEUE_SANDBOX_QUEUE": "hawk-sandboxes"}
    secret = _keys(facts, "dagster") | {"HAWK_DAGSTER_DATABASE_URL": facts.secrets.dagster_database_url}
    return Environment(plain, secret)


def migration_settings(facts: Facts) -> Environment:
    """Return what the migration is told: it alone has the owner of the database, and the passwords of all logins."""
    secret: dict[str, Text] = {
        "HAWK_DATABASE_URL": facts.secrets.owner_database_url,
        "HAWK_DAGSTER_DATABASE_URL": facts.secrets.dagster_database_url,
        "HAWK_LOGIN_PASSWORDS": pulumi.Output.json_dumps(dict(facts.secrets.login_passwords)),
    }
    told = dagster_settings(facts).plain
    return Environment(
        {name: told[name] for name in ("HAWK_HOME", "HAWK_DAGSTER_NAMESPACE", "HAWK_DAGSTER_IMAGE")}, secret
    )


def sandbox_values() -> dict[str, Any]:
    """Return what every sandbox is given: a place among nodes for sandboxes."""
    return {"services": {"*": {"nodeSelector": {POOL_LABEL: SANDBOX_POOL}}}}


def service_url(component: str, port: int) -> str:
    """Return where a program is found within the cluster."""
    return f"http://hawk-{component}.{NAMESPACE}.svc.cluster.local:{port}"


def _store(facts: Facts) -> dict[str, Text]:
    return {
        "AWS_REGION": facts.region,
        "HAWK_HOME": HOME,
        "HAWK_BUCKET": facts.bucket,
        "HAWK_S3_REGION": facts.region,
    }


def _identity(facts: Facts) -> dict[str, Text]:
    config = facts.config.identity
    return {
        "HAWK_ISSUER": facts.identity.issuer,
        "HAWK_AUDIENCES": pulumi.Output.json_dumps(facts.identity.audiences),
        "HAWK_PERMISSION_CLAIMS": json.dumps(config.permission_claims),
        "HAWK_ADMIN_GROUPS": json.dumps(config.admin_groups),
    }


def _keys(facts: Facts, program: str) -> dict[str, Text]:
    return {
        "HAWK_DATABASE_URL": facts.secrets.database_urls[program],
        "HAWK_JOB_TOKEN_KEY": facts.secrets.job_token_key,
        "HAWK_SECRET_KEY": facts.secrets.secret_key,
    }


def _twice(cpu: str) -> str:
    number = int(cpu.removesuffix("m"))
    return f"{2 * number}{'m' if cpu.endswith('m') else ''}"
