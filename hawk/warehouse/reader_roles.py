"""Postgres roles that see what holders of some groups see: for programs that read for somebody, and for people's SQL.

The roles and their memberships are made by functions of the database (reader_roles.sql), which the roles of the API and
of the viewer may call. Nothing here decides who may see a row; policies do, by the memberships.
"""

import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import psycopg
from psycopg.rows import dict_row

from hawk.errors import UserError

_TAKE_ROLE = "select set_config('role', ops.reader_role(%s), true), set_config('transaction_read_only', 'on', true)"


@dataclass(frozen=True)
class SqlUser:
    """Somebody who may sign in to the warehouse, and see what his groups see until his token must be shown again."""

    role_name: str
    confirmed_until: datetime
    password: str | None  # None: signs in by IAM


@contextmanager
def reading_as(connection: psycopg.Connection[Any], groups: Iterable[str]) -> Iterator[None]:
    """Read in a transaction that sees what holders of these groups see, and that cannot write.

    `groups` are those that somebody may see: `hawk.permissions.viewable_groups`. The connection must not run SQL that a
    user wrote: SQL can give the role back.
    """
    with connection.transaction():
        connection.execute(_TAKE_ROLE, [sorted(set(groups))])
        yield


def confirm_sql_user(
    connection: psycopg.Connection[Any], subject: str, groups: Iterable[str], *, days: float, by_iam: bool = False
) -> SqlUser:
    """Make somebody's own role, or renew it, with these groups and no others; return how he signs in by it.

    The password is new each time; the server gets its SCRAM verifier only. Raises UserError where there is no IAM.
    """
    password = None if by_iam else secrets.token_urlsafe(24)
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        row = _confirm(cursor, subject, groups, days=days)
        verifier = None
        if password is not None:
            encrypted = connection.pgconn.encrypt_password(
                password.encode(), row["role_name"].encode(), b"scram-sha-256"
            )
            verifier = encrypted.decode()
        try:
            cursor.execute("select ops.let_sql_user_sign_in(%s, %s)", [subject, verifier])
        except psycopg.errors.UndefinedObject as error:
            raise UserError(
                "This Postgres has no IAM sign-in: it has no role rds_iam.", hint="Ask for a password instead."
            ) from error
    return SqlUser(row["role_name"], row["confirmed_until"], password)


def follow_identity(connection: psycopg.Connection[Any], subject: str, groups: Iterable[str]) -> None:
    """Give a SQL user that is there the groups that his token says now; costs one look-up where they are the same."""
    wanted = sorted(set(groups))
    with connection.transaction(), connection.cursor(row_factory=dict_row) as cursor:
        row = cursor.execute(
            "select model_groups, extract(epoch from confirmed_until - now()) / 86400 as days"
            " from ops.sql_user where subject = %s and confirmed_until > now()",
            [subject],
        ).fetchone()
        if row is not None and row["model_groups"] != wanted:
            _confirm(cursor, subject, wanted, days=float(row["days"]))


def end_sql_user(connection: psycopg.Connection[Any], subject: str) -> None:
    """Take everything from a SQL user; sessions that he has see nothing from now on."""
    connection.execute("select ops.end_sql_user(%s)", [subject])


def _confirm(cursor: psycopg.Cursor[Any], subject: str, groups: Iterable[str], *, days: float) -> dict[str, Any]:
    cursor.execute("select ops.confirm_sql_user(%s, %s, %s)", [subject, sorted(set(groups)), days])
    cursor.execute("select role_name, confirmed_until from ops.sql_user where subject = %s", [subject])
    return dict(cursor.fetchone() or {})
