"""Fills a warehouse for tests the way the product does: logs on a real S3, the importer, dbt."""

import functools
import os
import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import psycopg
from dbt.cli.main import dbtRunner
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from hawk.dev.postgres import EmbeddedPostgres
from hawk.naming import eval_set_key
from hawk.object_store import s3_client
from hawk.settings import ObjectStoreSettings
from hawk.warehouse import inbox
from hawk.warehouse.importer import ImportOutcome, import_batch

# dbt's parsed project holds the database's name, and parsing takes seconds: so all that dbt builds bears one name.
DATABASE = "built"
FILLED_DATABASE = "filled"
MADE = "made-aaaabbbbccccdddd"
FOREIGN = "foreign-1111222233334444"

PROJECT_DIR = Path(__file__).parent.parent / "dbt_project"
_TARGET_DIR = Path(tempfile.gettempdir()) / f"hawk-dbt-tests-{os.getpid()}"
_PLACES = ["--project-dir", str(PROJECT_DIR), "--profiles-dir", str(PROJECT_DIR), "--log-path", str(_TARGET_DIR)]


def import_logs(
    database_url: str, store: ObjectStoreSettings, logs: Mapping[str, Iterable[Path]], *, limit: int = 1000
) -> list[ImportOutcome]:
    """Put logs into the folders of their eval sets, and import what the inbox then finds, at most `limit` logs."""
    s3 = s3_client(store)
    for eval_set_id, paths in logs.items():
        for path in paths:
            s3.put_object(Bucket=store.bucket, Key=eval_set_key(eval_set_id, path.name), Body=path.read_bytes())
    with psycopg.connect(database_url, autocommit=True, row_factory=dict_row) as connection:
        inbox.discover(connection, s3, store)
        return list(import_batch(connection, s3, inbox.claim_batch(connection, limit)))


def build(database_url: str, *arguments: str) -> None:
    """Build everything as a batch does; every model must succeed and every test pass."""
    statuses = dbt(database_url, "build", "--exclude-resource-type", "unit_test", *arguments)
    assert set(statuses.values()) <= {"success", "pass", "no-op"}, statuses


def dbt(database_url: str, *arguments: str) -> dict[str, str]:
    """Run dbt in this process, and return each node's status by name. Raises AssertionError if dbt itself fails."""
    parts = conninfo_to_dict(database_url)
    variables = {
        "HAWK_DBT_HOST": parts["host"],
        "HAWK_DBT_PORT": parts["port"],
        "HAWK_DBT_USER": parts["user"],
        "HAWK_DBT_PASSWORD": parts["password"],
        "HAWK_DBT_DATABASE": parts["dbname"],
        "DBT_SEND_ANONYMOUS_USAGE_STATS": "false",
    }
    target = ["--target-path", str(_TARGET_DIR)]
    before = dict(os.environ)
    os.environ.update({name: str(value) for name, value in variables.items()})
    try:
        answer = dbtRunner(_manifest()).invoke(["--quiet", *arguments, *_PLACES, *target])
    finally:
        os.environ.clear()
        os.environ.update(before)
    assert answer.exception is None, answer.exception
    results: Any = answer.result
    return {result.node.name: str(result.status) for result in results.results}


def renewed_database(postgres: EmbeddedPostgres, *, template: str) -> str:
    """Return the URL of the one database that dbt builds in, made anew from another."""
    copy_database(postgres, DATABASE, template=template)
    return postgres.url_of(DATABASE)


def copy_database(postgres: EmbeddedPostgres, name: str, *, template: str) -> None:
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        connection.execute(
            sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template))
        )


def parse(target_dir: Path) -> Any:
    """Parse the project into a folder with nothing of the environment but what is set, and return dbt's manifest."""
    places = [*_PLACES, "--target-path", str(target_dir)]
    answer = dbtRunner().invoke(["--quiet", "parse", "--no-partial-parse", *places])
    assert answer.exception is None, answer.exception
    return answer.result


@functools.cache
def _manifest() -> Any:
    return parse(_TARGET_DIR)


def register_models(database_url: str, group: str) -> None:
    """Give every model that logs name or call a group, without which nobody sees the logs."""
    with psycopg.connect(database_url) as connection:
        connection.execute(
            "insert into ops.model_group select distinct model, %s from raw.eval_model on conflict do nothing", [group]
        )


def rows(database_url: str, query: str) -> list[dict[str, Any]]:
    with psycopg.connect(database_url, row_factory=dict_row) as connection:
        return connection.execute(query.encode()).fetchall()
