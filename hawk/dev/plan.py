"""Decides what a stack is made of before anything starts: its ports, addresses, keys and everyone's environment."""

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import hawk
from hawk.dev import mock_models
from hawk.dev.object_store import EmbeddedObjectStore
from hawk.dev.object_store_rights import LOG_ROLE_ARN
from hawk.dev.ports import LOOPBACK, ports_for
from hawk.dev.postgres import DAGSTER_DATABASE, EmbeddedPostgres
from hawk.dev.stack import StackPaths, StackState
from hawk.dev.stack_keys import StackKeys
from hawk.errors import UserError

LISTENERS = (
    "postgres",
    "object-store",
    "llm",
    "issuer",
    "api",
    "proxy",
    "dagster-code",
    "dagster-web",
    "dagster",
    "viewer",
)
# A person who has a provider's key may want the real one behind the proxy; these stay as they are in the environment.
_MAY_BE_OVERRIDDEN = tuple(mock_models.upstreams(0))


@dataclass(frozen=True)
class StackPlan:
    """All that the table of parts needs to know."""

    paths: StackPaths
    repository: Path
    bind_address: str | None
    ports: Mapping[str, int]
    postgres: EmbeddedPostgres
    object_store: EmbeddedObjectStore
    settings: Mapping[str, Mapping[str, str]]  # what stack.env has of each part
    environment: Mapping[str, str]
    key: str  # which the passwords of programs are made of

    def url_of(self, listener: str) -> str:
        return f"http://{LOOPBACK}:{self.ports[listener]}"


def plan_stack(paths: StackPaths, *, bind_address: str | None, last: StackState | None) -> StackPlan:
    """Return the plan; ports are those of last time where they are free."""
    ports = ports_for(LISTENERS, last=last.ports if last else {}, address=bind_address)
    postgres = EmbeddedPostgres(paths.root / "postgres", ports["postgres"])
    object_store = EmbeddedObjectStore(paths.root / "object-store", ports["object-store"])
    keys = StackKeys.kept_in(paths.keys)
    settings = _settings(ports, keys, postgres=postgres, object_store=object_store)
    if bind_address:
        settings["dagster"] |= _as_pods_reach_them(bind_address, ports)
    repository = repository_root()
    return StackPlan(
        paths=paths,
        repository=repository,
        bind_address=bind_address,
        ports=ports,
        postgres=postgres,
        object_store=object_store,
        settings=settings,
        environment=_environment(paths, repository, settings),
        key=keys.job_token_key,
    )


def settings_that_win() -> list[str]:
    """Return the variables of the environment that a person's commands take instead of the stack's."""
    decisive = ("HAWK_DATABASE_URL", "HAWK_S3_ENDPOINT_URL", "HAWK_BUCKET", "HAWK_ISSUER", "HAWK_API_URL")
    return [name for name in decisive if name in os.environ]


def repository_root() -> Path:
    """Return the checkout that Hawk runs from. Raises UserError if only the wheel is installed."""
    root = Path(hawk.__file__).resolve().parents[1]
    if not (root / "orchestration").is_dir():
        raise UserError(
            f"The embedded stack needs Hawk's repository; {root} has only the package hawk.",
            hint="Clone the repository and run `hawk dev up` from its own virtual environment.",
            value=str(root),
        )
    return root


def _settings(
    ports: Mapping[str, int], keys: StackKeys, *, postgres: EmbeddedPostgres, object_store: EmbeddedObjectStore
) -> dict[str, dict[str, str]]:
    urls = {name: f"http://{LOOPBACK}:{port}" for name, port in ports.items()}
    store = object_store.settings()
    return {
        "postgres": {
            "HAWK_DATABASE_URL": postgres.url,
            "HAWK_DAGSTER_DATABASE_URL": postgres.url_of(DAGSTER_DATABASE, scheme="postgresql+psycopg2"),
        },
        "object-store": {
            "HAWK_BUCKET": store.bucket,
            "HAWK_LOG_ROLE_ARN": LOG_ROLE_ARN,
            "HAWK_S3_ENDPOINT_URL": object_store.url,
            "HAWK_S3_REGION": store.s3_region,
            "HAWK_S3_ACCESS_KEY_ID": store.s3_access_key_id or "",
            "HAWK_S3_SECRET_ACCESS_KEY": _revealed(store.s3_secret_access_key),
        },
        "llm": {name: os.environ.get(name, value) for name, value in mock_models.upstreams(ports["llm"]).items()},
        "issuer": {
            "HAWK_ISSUER": urls["issuer"],
            "HAWK_ISSUER_HOST": LOOPBACK,
            "HAWK_ISSUER_PORT": str(ports["issuer"]),
            "HAWK_ISSUER_SERVICE_SECRET": keys.issuer_service_secret,
            "HAWK_JOB_TOKEN_KEY": keys.job_token_key,
            "HAWK_SECRET_KEY": keys.secret_key,
        },
        "api": {
            "HAWK_API_URL": urls["api"],
            "HAWK_API_HOST": LOOPBACK,
            "HAWK_API_PORT": str(ports["api"]),
            "HAWK_ALLOW_LOCAL_PACKAGES": os.environ.get("HAWK_ALLOW_LOCAL_PACKAGES", "true"),
        },
        "proxy": {
            "HAWK_PROXY_URL": urls["proxy"],
            "HAWK_PROXY_HOST": LOOPBACK,
            "HAWK_PROXY_PORT": str(ports["proxy"]),
        },
        # One set after the other runs here, so sensors look as often as Dagster's loop does.
        "dagster": {
            "HAWK_DAGSTER_URL": urls["dagster"],
            "HAWK_DAGSTER_WEBSERVER_URL": urls["dagster-web"],
            "HAWK_DOOR_HOST": LOOPBACK,
            "HAWK_DOOR_PORT": str(ports["dagster"]),
            "HAWK_RECONCILE_SECONDS": "2",
        },
        "viewer": {
            "HAWK_VIEWER_URL": urls["viewer"],
            "HAWK_VIEWER_HOST": LOOPBACK,
            "HAWK_VIEWER_PORT": str(ports["viewer"]),
            "HAWK_VIEWER_COOKIE_KEY": hashlib.sha256(f"viewer {keys.secret_key}".encode()).hexdigest(),
        },
    }


def _as_pods_reach_them(address: str, ports: Mapping[str, int]) -> dict[str, str]:
    """Return the addresses of what jobs in pods use; nothing else listens outside loopback."""
    names = {"S3_ENDPOINT": "object-store", "PROXY": "proxy", "API": "api"}
    return {f"HAWK_RUNNER_{name}_URL": f"http://{address}:{ports[part]}" for name, part in names.items()}


def _environment(paths: StackPaths, repository: Path, settings: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return what every program of the stack gets: the person's environment, with the stack's settings above it."""
    environment = dict(os.environ)
    for group in settings.values():
        environment.update(group)
    no_proxy = ",".join(filter(None, [environment.get("NO_PROXY", ""), LOOPBACK, "localhost"]))
    environment.update(
        HAWK_HOME=str(paths.home),
        DAGSTER_HOME=str(paths.dagster_home),
        # The repository's folders are packages with plain names, so they must come first.
        PYTHONPATH=os.pathsep.join(filter(None, [str(repository), environment.get("PYTHONPATH", "")])),
        PYTHONUNBUFFERED="1",
        NO_PROXY=no_proxy,
        no_proxy=no_proxy,
        DBT_SEND_ANONYMOUS_USAGE_STATS="false",
        STREAMLIT_BROWSER_GATHER_USAGE_STATS="false",
    )
    return environment


def _revealed(secret: object) -> str:
    reveal = getattr(secret, "get_secret_value", None)
    return str(reveal()) if reveal else ""
