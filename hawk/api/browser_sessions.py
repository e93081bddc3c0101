"""Sign-ins of browsers that look at logs: a code for one use, and the session that it is exchanged for.

Neither is ever in an address that a server sees, nor in the database as it is: rows hold their hashes.
"""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from psycopg import Connection
from psycopg.rows import DictRow

from hawk.auth import Principal
from hawk.errors import NotSignedIn

CODE_SECONDS = 60  # from the command line to the browser beside it
SECRET_BYTES = 32

_BEGIN = """
insert into ops.browser_session (code_hash, code_until, subject, email, permissions, is_admin, until)
values (%(code)s, now() + make_interval(secs => %(seconds)s), %(subject)s, %(email)s, %(permissions)s, %(is_admin)s,
    %(until)s)
"""
# One statement, so that of two who bring the same code one gets nothing.
_EXCHANGE = """
update ops.browser_session set code_hash = null, token_hash = %(token)s
where code_hash = %(code)s and code_until > now() and until > now()
returning until
"""
_FIND = """
select subject, email, permissions, is_admin, until from ops.browser_session
where token_hash = %s and until > now()
"""


@dataclass(frozen=True)
class BrowserSession:
    """What a browser gets for a code; `token` is the cookie's value."""

    token: str
    until: datetime


def begin_session(connection: Connection[DictRow], user: Principal, *, most_seconds: int) -> str:
    """Return a code that a browser may exchange, once and soon; its session ends with the caller's own token."""
    code = secrets.token_urlsafe(SECRET_BYTES)
    latest = datetime.now(UTC) + timedelta(seconds=most_seconds)
    with connection.transaction():
        connection.execute("delete from ops.browser_session where until <= now()")
        connection.execute(
            _BEGIN,
            {
                "code": _hash(code),
                "seconds": CODE_SECONDS,
                "subject": user.subject,
                "email": user.email,
                "permissions": sorted(user.permissions),
                "is_admin": user.is_admin,
                "until": min(user.expires_at or latest, latest),
            },
        )
    return code


def exchange_code(connection: Connection[DictRow], code: str) -> BrowserSession:
    """Return a session for a code. Raises NotSignedIn for one that was used, or is not known any more."""
    token = secrets.token_urlsafe(SECRET_BYTES)
    row = connection.execute(_EXCHANGE, {"code": _hash(code), "token": _hash(token)}).fetchone()
    if row is None:
        raise NotSignedIn("The code was used already, or is too old.", hint="Open logs anew: hawk web ID.")
    return BrowserSession(token, row["until"])


def session_principal(connection: Connection[DictRow], token: str) -> Principal:
    """Return whom a session's cookie stands for. Raises NotSignedIn."""
    row = connection.execute(_FIND, [_hash(token)]).fetchone()
    if row is None:
        raise NotSignedIn("Your browser's sign-in has ended.", hint="Open logs anew: hawk web ID.")
    return Principal(
        subject=row["subject"],
        email=row["email"],
        permissions=frozenset(row["permissions"]),
        is_admin=row["is_admin"],
        expires_at=row["until"],
    )


def end_session(connection: Connection[DictRow], token: str) -> None:
    connection.execute("delete from ops.browser_session where token_hash = %s", [_hash(token)])


def _hash(secret: str) -> bytes:
    # Random and long, so that a plain hash is enough.
    return hashlib.sha256(secret.encode("utf-8", "replace")).digest()
