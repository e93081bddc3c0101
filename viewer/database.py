"""The viewer's connections: one pool a process, read-only, with a limit on how long a query may take.

Its login has no rights of its own: each query reads as a role that sees what the groups of whoever looks see. No SQL
of users runs on these connections.
"""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
import streamlit as st
from psycopg.rows import DictRow, dict_row
from psycopg_pool import ConnectionPool, PoolTimeout

from hawk.errors import NotFound, Upstream
from hawk.warehouse.reader_roles import reading_as
from viewer.identity import groups, settings

QUERY_SECONDS = 15
CONNECT_SECONDS = 5

type Row = dict[str, Any]
type Connection = psycopg.Connection[DictRow]


@st.cache_resource(show_spinner=False)
def _pool(database_url: str) -> ConnectionPool[Connection]:
    return ConnectionPool(
        database_url,
        connection_class=psycopg.Connection[DictRow],
        min_size=0,
        max_size=8,
        timeout=CONNECT_SECONDS,
        check=ConnectionPool.check_connection,
        open=True,
        name="viewer",
        kwargs={
            "row_factory": dict_row,
            "autocommit": True,
            "application_name": "hawk-viewer",
            "connect_timeout": CONNECT_SECONDS,
            "options": f"-c statement_timeout={QUERY_SECONDS}s -c timezone=UTC",
        },
    )


@contextmanager
def connection() -> Iterator[Connection]:
    """Lend a connection in a read-only transaction, to which rows that the person may not see do not exist.

    Raises Upstream if the database is away or took too long, NotFound while the marts were never built, NotSignedIn.
    """
    held = groups()
    try:
        with _pool(settings().database_url.get_secret_value()).connection() as lent, reading_as(lent, held):
            yield lent
    except psycopg.errors.QueryCanceled as error:
        raise Upstream(
            f"The query took more than {QUERY_SECONDS} seconds.", hint="Narrow the filters and try again."
        ) from error
    except (psycopg.errors.UndefinedTable, psycopg.errors.InvalidSchemaName) as error:
        raise NotFound(
            "The marts are not there yet.",
            hint="They come with the first import of a log; look again in a moment.",
        ) from error
    except (PoolTimeout, psycopg.OperationalError) as error:
        raise Upstream("The warehouse does not answer.", hint="Try again in a moment.") from error


def fetch(query: str, values: Mapping[str, Any]) -> list[Row]:
    """Return a query's rows. Raises as `connection` does."""
    with connection() as lent:
        return lent.execute(query.encode(), values).fetchall()
