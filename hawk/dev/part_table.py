"""The parts of the stack: what each runs, what it needs, and how one sees that it works."""

import dataclasses
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from hawk.dev import database_logins, mock_models, probes
from hawk.dev.dagster_home import write_dagster_home
from hawk.dev.parts import Part
from hawk.dev.plan import StackPlan
from hawk.dev.ports import LOOPBACK
from hawk.dev.postgres import DAGSTER_DATABASE
from hawk.dev.processes import Program

PYTHON = sys.executable
# Dagster's imports take minutes where the disk is slow and .pyc files were never written.
DAGSTER_START_SECONDS = 240.0
STOP_SECONDS = 10.0
JOBS_STOP_SECONDS = 45.0  # runners get 20 of it to write their logs (orchestration.launchers.local)


def stack_parts(plan: StackPlan) -> tuple[Part, ...]:
    """Return every part, each after those it needs."""
    parts = (*_stores(plan), *_servers(plan), *_dagster(plan), _viewer(plan))
    return (*parts, _forwarder(plan)) if plan.bind_address else parts


def _stores(plan: StackPlan) -> tuple[Part, ...]:
    postgres, object_store = plan.postgres, plan.object_store
    logs = plan.paths.log_of
    return (
        Part(
            name="postgres",
            title="PostgreSQL",
            prepare=postgres.prepare,
            program=lambda: dataclasses.replace(postgres.program(), log_path=logs("postgres")),
            is_ready=probes.in_thread(postgres.is_ready),
            finish=postgres.make_databases,
            port=postgres.port,
            url=f"postgresql://{LOOPBACK}:{postgres.port}/hawk",
        ),
        Part(
            name="object-store",
            title="S3 (SeaweedFS)",
            prepare=object_store.prepare,
            program=lambda: dataclasses.replace(object_store.program(), log_path=logs("object-store")),
            is_ready=probes.in_thread(object_store.is_ready),
            finish=object_store.make_bucket,
            port=object_store.port,
            url=object_store.url,
        ),
        Part(
            name="warehouse",
            title="Warehouse tables",
            program=_program(plan, "warehouse", [PYTHON, "-m", "hawk.dev.warehouse_setup"]),
            needs=("postgres",),
            is_step=True,
        ),
    )


def _servers(plan: StackPlan) -> tuple[Part, ...]:
    return (
        _http_part(plan, "llm", "Mock models (llmock)", mock_models.command(plan.ports["llm"]), health="/health"),
        _http_part(plan, "issuer", "Sign-in (OIDC issuer)", [PYTHON, "-m", "hawk.dev.issuer"]),
        _http_part(
            plan,
            "proxy",
            "LLM proxy",
            [PYTHON, "-m", "proxy"],
            needs=("warehouse", "issuer", "llm"),
            health="/health/ready",
        ),
        _http_part(
            plan,
            "api",
            "Hawk API",
            [PYTHON, "-m", "hawk.api"],
            needs=("warehouse", "object-store", "issuer"),
            health="/health/ready",
        ),
    )


def _dagster(plan: StackPlan) -> tuple[Part, ...]:
    port = plan.ports["dagster-code"]
    workspace = plan.paths.dagster_home / "workspace.yaml"
    daemon_probe = probes.dagster_daemons_beat(plan.postgres.url_of(DAGSTER_DATABASE))

    def write_home() -> None:
        write_dagster_home(plan.paths.dagster_home, repository=plan.repository, code_port=port)

    return (
        _jobs(plan),
        Part(
            name="dbt-manifest",
            title="dbt manifest",
            # It ends at once if the project's files are as they were.
            program=_program(plan, "dbt-manifest", [PYTHON, "-m", "assets.dbt_project"]),
            is_step=True,
        ),
        Part(
            name="dagster-code",
            title="Dagster code location",
            prepare=write_home,
            program=_program(
                plan,
                "dagster-code",
                [
                    *(PYTHON, "-m", "orchestration.code_server"),
                    *("code-server", "start", "-h", LOOPBACK, "-p", str(port)),
                    *("-m", "orchestration.definitions", "-d", str(plan.repository)),
                ],
            ),
            needs=("warehouse", "dbt-manifest", "object-store", "jobs"),
            is_ready=probes.listens(LOOPBACK, port),
            port=port,
            start_seconds=DAGSTER_START_SECONDS,
        ),
        *_dagster_pages(plan, write_home),
        Part(
            name="dagster-daemon",
            title="Dagster daemon",
            prepare=write_home,
            program=_program(plan, "dagster-daemon", [*_script("dagster-daemon"), "run", "-w", str(workspace)]),
            needs=("postgres", "jobs"),
            is_ready=daemon_probe,
            start_seconds=DAGSTER_START_SECONDS,
        ),
    )


def _dagster_pages(plan: StackPlan, write_home: Callable[[], None]) -> tuple[Part, ...]:
    web_port, workspace = plan.ports["dagster-web"], plan.paths.dagster_home / "workspace.yaml"
    return (
        Part(
            name="dagster-web",
            title="Dagster webserver",
            prepare=write_home,
            program=_program(
                plan,
                "dagster-web",
                [*_script("dagster-webserver"), "-h", LOOPBACK, "-p", str(web_port), "-w", str(workspace)],
            ),
            needs=("postgres",),
            comes_with=("dagster-code",),
            is_ready=probes.dagster_locations_load(plan.url_of("dagster-web")),
            start_seconds=DAGSTER_START_SECONDS,
            port=web_port,
        ),
        # It signs people in and asks what they may; the webserver behind it asks nobody.
        _http_part(
            plan,
            "dagster",
            "Dagster",
            [PYTHON, "-m", "hawk.door"],
            needs=("warehouse", "issuer"),
            comes_with=("dagster-web",),
            health="/door/live",
        ),
    )


def _jobs(plan: StackPlan) -> Part:
    """Return what waits for the stack's end, then ends local jobs; Dagster, which starts them, ends first."""
    command = [PYTHON, "-m", "orchestration.launchers.suspend", "--when-told", str(plan.paths.home / "jobs")]
    return Part(
        name="jobs",
        title="Local jobs",
        program=_program(plan, "jobs", command, stop_seconds=JOBS_STOP_SECONDS),
        ends_before=("object-store", "proxy", "api"),
        is_ready=probes.in_thread(lambda: True),
    )


def _viewer(plan: StackPlan) -> Part:
    port = plan.ports["viewer"]
    return Part(
        name="viewer",
        title="Viewer (Streamlit)",
        program=_program(plan, "viewer", [PYTHON, "-m", "viewer"]),
        needs=("warehouse", "issuer"),
        is_ready=probes.http_ok(f"{plan.url_of('viewer')}/_stcore/health"),
        port=port,
        url=plan.url_of("viewer"),
    )


def _forwarder(plan: StackPlan) -> Part:
    address = plan.bind_address or LOOPBACK
    ports = [plan.ports[name] for name in ("object-store", "proxy", "api")]
    command = [PYTHON, "-m", "hawk.dev.forwarder", address, *(str(port) for port in ports)]
    return Part(
        name="forwarder",
        title=f"S3, proxy and API on {address}",
        program=_program(plan, "forwarder", command),
        needs=("object-store", "proxy", "api"),
        is_ready=probes.listens(address, ports[-1]),
    )


def _http_part(
    plan: StackPlan,
    name: str,
    title: str,
    command: Sequence[str],
    *,
    needs: tuple[str, ...] = (),
    comes_with: tuple[str, ...] = (),
    health: str = "/health/live",
) -> Part:
    """Return a server that reads its port from the settings, and says at `health` whether it works."""
    return Part(
        name=name,
        title=title,
        program=_program(plan, name, command),
        needs=needs,
        comes_with=comes_with,
        is_ready=probes.http_ok(plan.url_of(name) + health),
        port=plan.ports[name],
        url=plan.url_of(name),
    )


def _program(
    plan: StackPlan, name: str, command: Sequence[str], *, stop_seconds: float = STOP_SECONDS
) -> Callable[[], Program]:
    program = Program(
        name=name,
        arguments=command,
        log_path=plan.paths.log_of(name),
        working_directory=plan.repository,
        environment={**plan.environment, **database_logins.part_environment(plan.postgres, name, key=plan.key)},
        stop_seconds=stop_seconds,
    )
    return lambda: program


def _script(name: str) -> list[str]:
    """Return a command that an installed package brings, from the environment that we run in."""
    return [str(Path(sys.executable).with_name(name))]
