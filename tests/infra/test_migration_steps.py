"""The migration's commands, as its Job has them, on an empty server whose owner is no superuser, as on Aurora."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict

from hawk.dev.postgres import EmbeddedPostgres
from tests.conftest import free_port
from tests.fakes.infra_program import Program

OWNER_PASSWORD = "password-of-hawk-database-owner"  # as Pulumi's mocks make it
ROOT = Path(__file__).parents[2]


@pytest.fixture
def empty_server(tmp_path: Path) -> Iterator[int]:
    """Return the port of a server with an owner, his database, and nothing else of ours."""
    server = EmbeddedPostgres(tmp_path / "postgres", port=free_port())
    try:
        server.start()
        with psycopg.connect(server.url_of("postgres"), autocommit=True) as connection:
            for name in ("dagster", "hawk"):
                connection.execute(f"drop database if exists {name}")
            connection.execute(f"create role hawk_owner login createrole createdb password '{OWNER_PASSWORD}'")
            connection.execute("create database hawk owner hawk_owner")
        yield server.port
    finally:
        server.delete()


def test_steps_make_tables_and_let_every_program_in(starter: Program, empty_server: int, tmp_path: Path):
    job = next(each.inputs for each in starter.resources if each.kind == "kubernetes:batch/v1:Job")
    pod = job["spec"]["template"]["spec"]
    told = _told(starter, empty_server)
    instance = starter.manifest("ConfigMap", "hawk-dagster")["data"]
    home = tmp_path / "home"
    home.mkdir()
    [mounted] = [each for each in pod["containers"][0]["volumeMounts"] if each["name"] == "instance"]
    (home / "dagster.yaml").write_text(instance[mounted["subPath"]])

    for step in [*pod["initContainers"], *pod["containers"]]:
        command = [sys.executable, *step["command"][1:]]
        environment = {**os.environ, **told, "DAGSTER_HOME": str(home), "PYTHONPATH": str(ROOT)}
        done = subprocess.run(command, env=environment, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, f"{step['name']}: {done.stderr[-2000:]}"

    seen = {"dagster": "runs", "hawk_dagster": "raw.eval_import", "hawk_api": "ops.eval_set"}
    for login, password in json.loads(told["HAWK_LOGIN_PASSWORDS"]).items():
        place = {"host": "127.0.0.1", "port": empty_server, "dbname": "dagster" if login == "dagster" else "hawk"}
        with psycopg.connect(**place, user=login, password=password) as connection:
            assert connection.execute("select session_user").fetchone() == (login,)
            if login in seen:
                assert connection.execute(f"select count(*) from {seen[login]}").fetchone() == (0,)


def _told(program: Program, port: int) -> dict[str, str]:
    """Return the Job's variables, with this server in place of the deployment's."""
    plain = program.manifest("ConfigMap", "hawk-migration")["data"]
    secret: dict[str, Any] = program.manifest("Secret", "hawk-migration")["stringData"]
    host = conninfo_to_dict(secret["HAWK_DATABASE_URL"])["host"]
    here = {
        key: value.replace(f"@{host}:5432", f"@127.0.0.1:{port}").partition("?")[0] if "://" in value else value
        for key, value in secret.items()
    }
    return {**plain, **here, "HAWK_HOME": "unused"}
