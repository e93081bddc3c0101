"""Fixtures that every test may use: a real Postgres and a real S3, started once a session, fresh for each test."""

import os
import socket
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from hawk.dev.object_store import EmbeddedObjectStore
from hawk.dev.postgres import EmbeddedPostgres
from hawk.object_store import s3_client
from hawk.settings import ObjectStoreSettings
from hawk.warehouse.migrate import migrate

if TYPE_CHECKING:
    from tests.cluster import Cluster

TEMPLATE = "hawk_template"


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


@pytest.fixture(autouse=True, scope="session")
def no_settings_of_this_machine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep HAWK_* variables and a stack that runs on this machine out of every test."""
    with pytest.MonkeyPatch.context() as patch:
        for name in [name for name in os.environ if name.startswith("HAWK_")]:
            patch.delenv(name)
        patch.setenv("HAWK_HOME", str(tmp_path_factory.mktemp("hawk-home")))
        yield


@pytest.fixture(scope="session")
def postgres(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedPostgres]:
    server = EmbeddedPostgres(tmp_path_factory.mktemp("postgres"), port=free_port())
    server.start()
    yield server
    server.delete()


@pytest.fixture(scope="session")
def template_database(postgres: EmbeddedPostgres) -> str:
    """Return the name of a migrated database that the fresh ones are copied from."""
    with psycopg.connect(postgres.url, autocommit=True) as connection:
        connection.execute(sql.SQL("create database {}").format(sql.Identifier(TEMPLATE)))
    migrate(database_url_of(postgres, TEMPLATE))
    return TEMPLATE


@pytest.fixture
def database_url(postgres: EmbeddedPostgres, template_database: str) -> Iterator[str]:
    """Return the URL of a fresh, migrated, empty warehouse."""
    with fresh_database(postgres, template_database) as url:
        yield url


@pytest.fixture(scope="module")
def shared_database_url(postgres: EmbeddedPostgres, template_database: str) -> Iterator[str]:
    """Return the URL of a warehouse for all tests of a file, which clean up after themselves."""
    with fresh_database(postgres, template_database) as url:
        yield url


@pytest.fixture(scope="session")
def object_store_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EmbeddedObjectStore]:
    server = EmbeddedObjectStore(tmp_path_factory.mktemp("object-store"))
    server.start()
    yield server
    server.delete()


@pytest.fixture
def object_store(object_store_server: EmbeddedObjectStore) -> Iterator[ObjectStoreSettings]:
    """Return settings of a real S3 with a fresh, empty bucket."""
    settings = fresh_bucket(object_store_server)
    yield settings
    delete_bucket(settings)


@pytest.fixture(scope="module")
def shared_object_store(object_store_server: EmbeddedObjectStore) -> ObjectStoreSettings:
    """Return settings of a bucket for all tests of a file, which clean up after themselves."""
    return fresh_bucket(object_store_server)


@pytest.fixture(scope="session")
def cluster() -> "Cluster":
    """Return the Kubernetes cluster of KUBECONFIG; skip where there is none."""
    from tests.cluster import cluster_of_this_machine

    return cluster_of_this_machine()


@pytest.fixture
def eval_logs() -> Path:
    """Return the folder of real `.eval` logs, written by other projects."""
    return Path(__file__).parent / "data" / "evals"


@contextmanager
def fresh_database(server: EmbeddedPostgres, template: str) -> Iterator[str]:
    name = f"test_{uuid.uuid4().hex[:16]}"
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(
            sql.SQL("create database {} template {}").format(sql.Identifier(name), sql.Identifier(template))
        )
    yield database_url_of(server, name)
    with psycopg.connect(server.url, autocommit=True) as connection:
        connection.execute(sql.SQL("drop database {} with (force)").format(sql.Identifier(name)))


def fresh_bucket(server: EmbeddedObjectStore) -> ObjectStoreSettings:
    settings = server.settings().model_copy(update={"bucket": f"test-{uuid.uuid4().hex[:12]}"})
    s3_client(settings).create_bucket(Bucket=settings.bucket)
    return settings


def delete_bucket(settings: ObjectStoreSettings) -> None:
    """Remove a bucket and all in it; each one holds volumes of the server, which has only so many."""
    s3 = s3_client(settings)
    for page in s3.get_paginator("list_objects_v2").paginate(Bucket=settings.bucket):
        for item in page.get("Contents", []):
            s3.delete_object(Bucket=settings.bucket, Key=item["Key"])
    s3.delete_bucket(Bucket=settings.bucket)


@pytest.fixture(scope="session")
def made_logs(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Return logs of four tasks by two models: successes, an error, a limit, epochs, hostile text."""
    from tests.made_logs import make_logs

    return make_logs(tmp_path_factory.mktemp("made-logs"))


@pytest.fixture(scope="session")
def foreign_logs() -> list[Path]:
    """Return the real logs that other projects wrote, oldest format first."""
    return sorted((Path(__file__).parent / "data" / "evals").glob("*.eval"))


@pytest.fixture(scope="session")
def filled_database(
    postgres: EmbeddedPostgres,
    template_database: str,
    object_store_server: EmbeddedObjectStore,
    made_logs: list[Path],
    foreign_logs: list[Path],
) -> str:
    """Return the name of a database that was filled from made and foreign logs, marts built; read it or copy it."""
    from tests.marts import (
        FILLED_DATABASE,
        FOREIGN,
        MADE,
        build,
        copy_database,
        import_logs,
        register_models,
        renewed_database,
    )

    settings = object_store_server.settings(bucket="test-filled")
    s3_client(settings).create_bucket(Bucket=settings.bucket)
    url = renewed_database(postgres, template=template_database)
    import_logs(url, settings, {MADE: made_logs, FOREIGN: foreign_logs})
    build(url)
    register_models(url, "model-access-public")
    copy_database(postgres, FILLED_DATABASE, template=conninfo_to_dict(url)["dbname"])
    return FILLED_DATABASE


def database_url_of(server: EmbeddedPostgres, database: str) -> str:
    parts = conninfo_to_dict(server.url)
    return f"postgresql://{parts['user']}:{parts['password']}@{parts['host']}:{parts['port']}/{database}"
