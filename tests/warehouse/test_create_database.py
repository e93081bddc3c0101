"""Databases and logins of a deployment: made once, by an owner who is no superuser, whoever asks at the same time."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from hawk.errors import Upstream, UserError
from hawk.warehouse.create_database import create_database
from hawk.warehouse.logins import let_in

ODD_NAME = 'odd "name"; drop'
MASTER, STORE, LOGIN = "test_master", "test_store", "test_login"


@pytest.fixture
def server(database_url: str) -> Iterator[str]:
    """Return the URL of an owner as AWS gives him: he may make roles and databases, and is no superuser."""
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"create role {MASTER} login createrole createdb password 'master'")
        yield make_conninfo(**{**conninfo_to_dict(database_url), "user": MASTER, "password": "master"})
        for name in (ODD_NAME, STORE):
            connection.execute(sql.SQL("drop database if exists {} with (force)").format(sql.Identifier(name)))
        for role in (STORE, LOGIN, MASTER):
            connection.execute(f"drop role if exists {role}")


def as_user(server: str, user: str, password: str, **parts: str) -> psycopg.Connection:
    return psycopg.connect(make_conninfo(**{**conninfo_to_dict(server), "user": user, "password": password, **parts}))


def test_missing_database_is_made_once_however_many_ask(server: str):
    with ThreadPoolExecutor(4) as pool:
        made = list(pool.map(lambda _: create_database(server, ODD_NAME), range(4)))

    assert made.count(True) == 1
    assert not create_database(server, ODD_NAME)


def test_database_of_a_login_is_its_own_and_the_password_follows(server: str):
    assert create_database(server, STORE, password="first")
    assert not create_database(server, STORE, password="it's the second")

    with as_user(server, STORE, "it's the second", dbname=STORE) as connection:
        connection.execute("create table mine (id int)")
    with pytest.raises(psycopg.OperationalError):
        as_user(server, STORE, "first", dbname=STORE)


def test_login_gets_in_with_its_password(server: str):
    with psycopg.connect(server) as connection:
        connection.execute(f"create role {LOGIN} nologin")
        let_in(connection, {LOGIN: "let me in"})

    with as_user(server, LOGIN, "let me in") as connection:
        assert connection.execute("select current_user").fetchone() == (LOGIN,)


def test_role_that_is_missing_is_named_and_no_other_changes(server: str):
    with psycopg.connect(server) as connection:
        connection.execute(f"create role {LOGIN} nologin")
        with pytest.raises(UserError, match="no role nobody"):
            let_in(connection, {LOGIN: "x", "nobody": "y"})

        assert connection.execute("select rolcanlogin from pg_roles where rolname = %s", (LOGIN,)).fetchone() == (
            False,
        )
        connection.rollback()


def test_server_that_does_not_answer_is_upstreams_fault():
    with pytest.raises(Upstream):
        create_database("postgresql://nobody@127.0.0.1:9/none", "x")
