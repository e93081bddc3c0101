"""The programs that serve requests: image, command, doors, health, account."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from infra.services.facts import Facts
from infra.services.roles import API_ACCOUNT, PLAIN_ACCOUNT, PROXY_ACCOUNT
from infra.services.settings import (
    API_PORT,
    DOOR_PORT,
    LEDGER_FOLDER,
    PROXY_PORT,
    VIEWER_PORT,
    Environment,
    api_settings,
    door_settings,
    proxy_settings,
    viewer_settings,
)

LEDGER_SIZE = "20Gi"  # a day of calls at full speed while Postgres is away
DRAIN_SECONDS = 300  # HAWK_DRAIN_SECONDS: how long running calls may last


@dataclass(frozen=True)
class Program:
    """One row of the table; `size` is its key in a tier's programs, `published` its name on the load balancer."""

    component: str
    size: str
    image: str
    command: tuple[str, ...]
    port: int
    live_path: str
    ready_path: str
    account: str
    settings: Callable[[Facts], Environment]
    published: str | None = None
    drain_seconds: int = 30
    kept_folders: Mapping[str, str] = field(default_factory=dict)


PROGRAMS = (
    Program(
        component="api",
        size="api",
        image="api",
        command=("python3", "-m", "hawk.api"),
        port=API_PORT,
        live_path="/health/live",
        ready_path="/health/ready",
        account=API_ACCOUNT,
        settings=api_settings,
        published="api",
    ),
    Program(
        component="proxy",
        size="proxy",
        image="proxy",
        command=("python3", "-m", "proxy"),
        port=PROXY_PORT,
        live_path="/health/live",
        ready_path="/health/ready",
        account=PROXY_ACCOUNT,
        settings=proxy_settings,
        drain_seconds=DRAIN_SECONDS,
        kept_folders={LEDGER_FOLDER: LEDGER_SIZE},
    ),
    Program(
        component="dagster-door",
        size="door",
        image="api",
        command=("python3", "-m", "hawk.door"),
        port=DOOR_PORT,
        live_path="/door/live",
        ready_path="/door/live",
        account=PLAIN_ACCOUNT,
        settings=door_settings,
        published="dagster",
    ),
    Program(
        component="viewer",
        size="viewer",
        image="viewer",
        command=("python3", "-m", "viewer"),
        port=VIEWER_PORT,
        live_path="/_stcore/health",
        ready_path="/_stcore/health",
        account=PLAIN_ACCOUNT,
        settings=viewer_settings,
        published="viewer",
    ),
)
