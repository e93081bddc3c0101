"""How the stack's programs sign in to Postgres: each by the login that it has in production."""

import hashlib
import hmac
from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import sql

from hawk.dev.postgres import WAREHOUSE_DATABASE, EmbeddedPostgres
from hawk.naming import LOGIN_ROLES

# Of each part that knows the warehouse; the others, and people at this machine, have the server's own user.
LOGIN_OF_PART = {
    "api": "hawk_api",
    "viewer": "hawk_viewer",
    "proxy": "hawk_proxy",
    "dagster": "hawk_door",
    "dagster-code": "hawk_dagster",
    "dagster-daemon": "hawk_dagster",
}


def part_environment(postgres: EmbeddedPostgres, part: str, *, key: str) -> Mapping[str, str]:
    """Return by what a part finds the warehouse; nothing for one that signs in as the server's own user."""
    login = LOGIN_OF_PART.get(part)
    if login is None:
        return {}
    return {"HAWK_DATABASE_URL": postgres.url_of(WAREHOUSE_DATABASE, user=login, password=_password(key, login))}


def let_programs_sign_in(connection: psycopg.Connection[Any], *, key: str) -> None:
    """Give each login its password."""
    for login in LOGIN_ROLES:
        connection.execute(
            sql.SQL("alter role {} login password {}").format(sql.Identifier(login), sql.Literal(_password(key, login)))
        )


def _password(key: str, login: str) -> str:
    """Return the login's password; the same for the same key, so that nobody has to keep it."""
    return hmac.new(key.encode(), f"postgres login {login}".encode(), hashlib.sha256).hexdigest()
