"""A pool of connections to the warehouse for requests that run side by side.

The API's login has no rights of its own. By `connection` it works on what runs (schema ops), as the role of services;
what evals said (raw and marts) it reads by `reading_as`, as a role that sees what the caller's groups see.
"""

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from hawk.auth import Principal
from hawk.errors import Upstream
from hawk.permissions import viewable_groups
from hawk.settings import DatabaseSettings
from hawk.warehouse import reader_roles

WAIT_SECONDS = 5.0
MAX_REMEMBERED = 10_000  # people whose groups need not be looked up again


class Database:
    """Connections in autocommit mode, whose rows are dicts; opened with the first use."""

    def __init__(self, settings: DatabaseSettings, *, most: int = 10) -> None:
        self._groups_of: dict[str, frozenset[str]] = {}
        self._pool: ConnectionPool[psycopg.Connection[DictRow]] = ConnectionPool(
            settings.database_url.get_secret_value(),
            min_size=0,
            max_size=most,
            open=False,
            timeout=WAIT_SECONDS,
            check=ConnectionPool.check_connection,
            kwargs={
                "autocommit": True,
                "row_factory": dict_row,
                "application_name": "hawk-api",
                "connect_timeout": int(WAIT_SECONDS),
            },
            name="hawk-api",
        )

    def open(self) -> None:
        self._pool.open()

    def close(self) -> None:
        self._pool.close()

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[DictRow]]:
        """Lend a connection. Raises Upstream where the database does not answer or goes away meanwhile."""
        try:
            with self._pool.connection() as connection:
                yield connection
        except (PoolTimeout, psycopg.OperationalError) as error:
            raise Upstream("The warehouse database does not answer.", hint="Try again in a moment.") from error

    @contextmanager
    def reading_as(self, caller: Principal) -> Iterator[psycopg.Connection[DictRow]]:
        """Lend a connection in a read-only transaction, to which rows that the caller may not see do not exist.

        Raises Upstream as `connection` does. Nothing that a user wrote may be run on it as SQL.
        """
        groups = viewable_groups(caller.permissions)
        with self.connection() as connection:
            if caller.kind == "user":
                self._follow_identity(connection, caller.subject, groups)
            with reader_roles.reading_as(connection, groups):
                yield connection

    def _follow_identity(self, connection: psycopg.Connection[DictRow], subject: str, groups: frozenset[str]) -> None:
        """Tell a login that the person has for SQL of his groups, where this process knows of others or none."""
        if self._groups_of.get(subject) == groups:
            return
        reader_roles.follow_identity(connection, subject, groups)
        if len(self._groups_of) >= MAX_REMEMBERED:
            self._groups_of.clear()
        self._groups_of[subject] = groups
