"""On whose behalf a run of Dagster acts: Dagster's door notes it here, and tags the run with where to look.

A run without a stamp was launched by Hawk itself (the API, a sensor), which has asked already, or by who has the
machine.
"""

import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from psycopg import Connection
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb

from hawk.auth import Principal
from hawk.errors import NotAllowed

STAMP_BYTES = 24


@dataclass(frozen=True)
class LaunchStamp:
    """Who asked, and what the launchpad was given, if it was the launchpad."""

    principal: Principal
    config: Mapping[str, Any] | None


def write_stamp(connection: Connection[DictRow], principal: Principal, config: Mapping[str, Any] | None) -> str:
    """Note who launches, and return the stamp for the run."""
    stamp = secrets.token_urlsafe(STAMP_BYTES)
    connection.execute(
        """
        insert into ops.launch_stamp (stamp, subject, email, permissions, is_admin, config)
        values (%s, %s, %s, %s, %s, %s)
        """,
        [
            stamp,
            principal.subject,
            principal.email,
            sorted(principal.permissions),
            principal.is_admin,
            Jsonb(dict(config)) if config is not None else None,
        ],
    )
    return stamp


def read_stamp(connection: Connection[DictRow], stamp: str) -> LaunchStamp:
    """Return what a stamp stands for. Raises NotAllowed for one that the door did not make."""
    row = connection.execute("select * from ops.launch_stamp where stamp = %s", [stamp]).fetchone()
    if row is None:
        raise NotAllowed("The run bears a stamp that Dagster's door did not make.", hint="Launch it anew.")
    principal = Principal(
        subject=row["subject"],
        email=row["email"],
        permissions=frozenset(row["permissions"]),
        is_admin=row["is_admin"],
    )
    return LaunchStamp(principal, row["config"])
