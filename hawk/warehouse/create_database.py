"""Makes a database beside the warehouse's where there is none: `python -m hawk.warehouse.create_database NAME`.

It belongs to a login of the same name, whose password is that of HAWK_LOGIN_PASSWORDS; else to whoever makes it.
"""

import argparse
import logging
from typing import Any

import psycopg
from psycopg import sql

from hawk.errors import Upstream
from hawk.settings import LoginSettings
from hawk.warehouse.logins import let_in

logger = logging.getLogger(__name__)

_ALREADY = (psycopg.errors.DuplicateDatabase, psycopg.errors.DuplicateObject, psycopg.errors.UniqueViolation)


def create_database(database_url: str, name: str, *, password: str | None = None) -> bool:
    """Make the database and say whether it was missing. Raises Upstream where the server does not answer."""
    try:
        # Postgres makes databases outside of transactions only.
        with psycopg.connect(database_url, autocommit=True, connect_timeout=10) as connection:
            owner = _owner_clause(connection, name, password)
            if connection.execute("select from pg_database where datname = %s", (name,)).fetchone() is not None:
                return False
            return _made_by_us(connection, sql.SQL("create database {} {}").format(sql.Identifier(name), owner))
    except psycopg.OperationalError as error:
        raise Upstream("The warehouse database does not answer.", hint="Try again in a moment.") from error


def _owner_clause(connection: psycopg.Connection[Any], name: str, password: str | None) -> sql.Composable:
    if password is None:
        return sql.SQL("")
    login = sql.Identifier(name)
    if _made_by_us(connection, sql.SQL("create role {}").format(login)):
        # Whoever is no superuser gives away only to a role that he may take.
        connection.execute(sql.SQL("grant {} to current_user with set true, inherit false").format(login))
    let_in(connection, {name: password})
    return sql.SQL("owner {}").format(login)


def _made_by_us(connection: psycopg.Connection[Any], statement: sql.Composed) -> bool:
    try:
        connection.execute(statement)
    except _ALREADY:
        return False  # another was first
    return True


def main() -> None:
    """Make the database on the server that the settings name."""
    parser = argparse.ArgumentParser(prog="python -m hawk.warehouse.create_database", description=__doc__)
    parser.add_argument("name")
    name: str = parser.parse_args().name
    logging.basicConfig(level=logging.INFO, format="%(levelname)s %(name)s %(message)s")
    settings = LoginSettings()
    password = settings.login_passwords.get(name)
    was_made = create_database(
        settings.database_url.get_secret_value(),
        name,
        password=password.get_secret_value() if password else None,
    )
    logger.info("database %s %s", name, "made" if was_made else "is there")


if __name__ == "__main__":
    main()
