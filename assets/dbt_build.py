"""`dbt build` inside the Dagster run's own process, each model and test reported as it ends.

dagster-dbt starts dbt as a program, twice (once for its version), and opens an adapter besides: 12.7 s where this takes
6.1 s, a quarter of it to import dbt. Here dbt runs in a thread, with the manifest that was parsed ahead of time, and
dagster-dbt turns its events into Dagster's.
"""

import queue
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import dagster as dg
from psycopg.conninfo import conninfo_to_dict

from assets.dbt_library import (
    DagsterDbtTranslator,
    DbtCoreCliEventMessage,
    get_updated_cli_invocation_params_for_context,
)
from assets.dbt_project import PARSED_PROJECT, PROJECT_DIR, environment
from assets.markdown import markdown_table
from hawk.settings import DatabaseSettings

if TYPE_CHECKING:
    from dbt.cli.main import dbtRunnerResult
    from dbt.contracts.graph.manifest import Manifest
    from dbt_common.events.base_types import EventMsg

type DbtEvent = dg.Output[Any] | dg.AssetMaterialization | dg.AssetObservation | dg.AssetCheckResult | Any

_RESULTS = frozenset({"LogModelResult", "LogSeedResult", "LogSnapshotResult", "LogTestResult"})
_THREADS_END_SECONDS = 30


def build(context: dg.AssetExecutionContext, settings: DatabaseSettings) -> Iterator[DbtEvent]:
    """Build the models that the run selects, then test them; yield each result when it is there.

    Tests hold no result back, so people need not wait for them. Raises dagster.Failure, with a table of what went
    wrong, after the last of either.
    """
    chosen = get_updated_cli_invocation_params_for_context(
        context=context, manifest={}, dagster_dbt_translator=DagsterDbtTranslator()
    )
    variables = {"DBT_SEND_ANONYMOUS_USAGE_STATS": "false", **profile_environment(settings)}
    if chosen.indirect_selection:
        variables["DBT_INDIRECT_SELECTION"] = chosen.indirect_selection
    with environment(**variables), tempfile.TemporaryDirectory(prefix="hawk-dbt-") as folder:
        for command in _commands(context):
            arguments = [*command, *chosen.selection_args, *_places(folder)]
            invocation = _Invocation(arguments, database=variables["HAWK_DBT_DATABASE"])
            with invocation.running():
                for raw_event in invocation.events():
                    event = DbtCoreCliEventMessage(raw_event=raw_event, event_history_metadata={})
                    for result in event.to_default_asset_events(
                        manifest=chosen.manifest,
                        dagster_dbt_translator=chosen.dagster_dbt_translator,
                        context=context,
                        project=chosen.dbt_project,
                    ):
                        yield _with_row_count(result, raw_event)
            _raise_on_failure(invocation.result)


def _commands(context: dg.AssetExecutionContext) -> Iterator[tuple[str, ...]]:
    """Yield what dbt is told to do, as far as the run selects any of it.

    Unit tests have rows of their own, so what a run imports cannot change how they end.
    """
    if context.selected_asset_keys:
        yield ("build", "--exclude-resource-type", "test", "--exclude-resource-type", "unit_test")
    if context.selected_asset_check_keys:
        yield ("test", "--exclude-resource-type", "unit_test")


def profile_environment(settings: DatabaseSettings) -> dict[str, str]:
    """Return what dbt_project/profiles.yml reads, of the database's URL."""
    parts = conninfo_to_dict(settings.database_url.get_secret_value())
    named = {
        "HAWK_DBT_HOST": parts.get("host"),
        "HAWK_DBT_PORT": parts.get("port"),
        "HAWK_DBT_USER": parts.get("user"),
        "HAWK_DBT_PASSWORD": parts.get("password"),
        "HAWK_DBT_DATABASE": parts.get("dbname"),
        "HAWK_DBT_SSLMODE": parts.get("sslmode"),
    }
    return {name: str(value) for name, value in named.items() if value is not None}


@dataclass
class _Invocation:
    """One call of dbt in a thread of its own."""

    arguments: list[str]
    database: str
    result: "dbtRunnerResult | None" = None
    _events: "queue.SimpleQueue[dict[str, Any] | None]" = field(default_factory=queue.SimpleQueue)
    _error: BaseException | None = None

    @contextmanager
    def running(self) -> Iterator[None]:
        thread = threading.Thread(target=self._run, name="dbt", daemon=True)
        thread.start()
        try:
            yield
        except BaseException:
            # The run was terminated: dbt's queries must not go on behind its back.
            _cancel_queries()
            raise
        finally:
            thread.join(_THREADS_END_SECONDS)

    def events(self) -> Iterator[dict[str, Any]]:
        while (event := self._events.get()) is not None:
            yield event
        if self._error is not None:
            raise self._error

    def _run(self) -> None:
        try:
            from dbt.cli.main import dbtRunner

            manifest = _read_manifest(self.database)
            self.result = dbtRunner(manifest=manifest, callbacks=[self._note]).invoke(self.arguments)
        except BaseException as error:  # handed to the thread that waits for it
            self._error = error
        finally:
            self._events.put(None)

    def _note(self, event: "EventMsg") -> None:
        from dbt_common.events.functions import msg_to_dict

        # Only results concern Dagster; turning each of a thousand events into a dict would take a second.
        if event.info.name in _RESULTS:
            self._events.put(msg_to_dict(event))


def _read_manifest(database: str) -> "Manifest":
    """Return the project as parsed, its relations in this database, whose name was not known when it was."""
    from dbt.contracts.graph.manifest import Manifest

    manifest = Manifest.from_msgpack(PARSED_PROJECT.read_bytes())
    for node in [*manifest.nodes.values(), *manifest.sources.values()]:
        relation_name = getattr(node, "relation_name", None)
        if relation_name:
            node.relation_name = relation_name.replace(f'"{node.database}".', f'"{database}".', 1)
        node.database = database
    manifest.build_flat_graph()  # type: ignore[no-untyped-call]  # dbt's own; it is not annotated
    return manifest


def _cancel_queries() -> None:
    from dbt.adapters.factory import FACTORY

    for adapter in FACTORY.adapters.values():
        adapter.cancel_open_connections()  # type: ignore[attr-defined]  # of every SQL adapter


def _places(folder: str) -> list[str]:
    project = ["--project-dir", str(PROJECT_DIR), "--profiles-dir", str(PROJECT_DIR)]
    return [*project, "--target-path", folder, "--log-path", folder, "--log-level-file", "none", "--no-write-json"]


def _with_row_count(result: DbtEvent, raw_event: Mapping[str, Any]) -> DbtEvent:
    """Add how many rows a model's statement wrote, which dbt has from Postgres' answer: `SELECT 20`, `INSERT 0 3`."""
    if not isinstance(result, dg.Output):
        return result
    count = str(raw_event["data"].get("status", "")).rpartition(" ")[2]
    if not count.isdigit():
        return result
    # Only a table is written whole.
    is_table = raw_event["data"]["node_info"].get("materialized") == "table"
    name = "dagster/row_count" if is_table else "rows_written"
    return result.with_metadata({**result.metadata, name: dg.MetadataValue.int(int(count))})


def _raise_on_failure(result: "dbtRunnerResult | None") -> None:
    if result is None or result.success:
        return
    rows = [
        {"node": node.node.name, "status": str(node.status), "message": " ".join(str(node.message or "").split())}
        for node in getattr(result.result, "results", [])
        if str(node.status) in {"error", "fail", "runtime error"}
    ]
    names = ", ".join(row["node"] for row in rows[:5]) or str(result.exception)
    raise dg.Failure(
        description=f"dbt could not build {names}. What it had built before stays; the next import tries again.",
        metadata={"problems": dg.MetadataValue.md(markdown_table(rows) or str(result.exception))},
    )
