"""The migrated database is what tables.py says, however often and by however many programs it is migrated."""

import subprocess
import sys
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from psycopg import sql

from hawk.errors import Upstream
from hawk.warehouse.migrate import SCHEMAS, migrate
from hawk.warehouse.partitions import is_partition
from hawk.warehouse.tables import metadata


@pytest.fixture
def empty_database_url(database_url: str) -> Iterator[str]:
    """Return the URL of a database that no migration has touched."""
    name = f"empty_{uuid.uuid4().hex[:16]}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {} template template0").format(sql.Identifier(name)))
    yield database_url.rpartition("/")[0] + f"/{name}"
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def is_ours(name: str | None, kind: str, _parents: object) -> bool:
    return name in {"ops", "raw"} if kind == "schema" else not is_partition(name or "")


def differences(database_url: str) -> list[object]:
    engine = sqlalchemy.create_engine("postgresql+psycopg://", creator=lambda: psycopg.connect(database_url))
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection,
            opts={
                "include_schemas": True,
                "include_name": is_ours,
                "version_table_schema": "ops",
                "compare_server_default": True,
            },
        )
        found = compare_metadata(context, metadata)
    engine.dispose()
    return found


def test_migrated_schema_is_what_tables_py_says(empty_database_url: str) -> None:
    migrate(empty_database_url)

    assert differences(empty_database_url) == []


def test_comparison_notices_a_missing_column(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("alter table raw.sample drop column store")

    assert differences(database_url) != []


def test_all_schemas_exist(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        found = {name for (name,) in connection.execute("select schema_name from information_schema.schemata")}

    assert set(SCHEMAS) <= found


def test_large_columns_are_compressed_with_lz4(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        kinds = connection.execute(
            "select distinct attcompression from pg_attribute"
            " where attrelid in ('raw.event'::regclass, 'raw.attachment'::regclass)"
            " and atttypid in ('json'::regtype, 'text'::regtype) and attnum > 0"
        ).fetchall()

    assert kinds == [("l",)]


def test_migrating_twice_keeps_rows(database_url: str) -> None:
    with psycopg.connect(database_url) as connection:
        connection.execute("insert into ops.model_group values ('openai/gpt-4o-mini', 'model-access-public')")

    migrate(database_url)

    with psycopg.connect(database_url) as connection:
        assert connection.execute("select count(*) from ops.model_group").fetchone() == (1,)


def test_four_programs_may_migrate_at_once(empty_database_url: str) -> None:
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(migrate, [empty_database_url] * 4))

    assert differences(empty_database_url) == []


def test_command_migrates_the_database_of_the_settings(
    empty_database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HAWK_DATABASE_URL", empty_database_url)

    subprocess.run([sys.executable, "-m", "hawk.warehouse.migrate"], check=True)

    assert differences(empty_database_url) == []


def test_database_that_does_not_answer_is_upstream() -> None:
    with pytest.raises(Upstream, match="does not answer"):
        migrate("postgresql://nobody@127.0.0.1:1/none")
