"""The door's cookies: who is signed in, and a sign-in under way; encrypted, so that nobody makes or reads one."""

import json
import time
import zlib
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cryptography.fernet import Fernet, InvalidToken
from pydantic import SecretStr

from hawk.auth import Principal
from hawk.errors import UserError

SESSION_COOKIE = "hawk_door"
SIGN_IN_COOKIE = "hawk_door_sign_in"
SIGN_IN_SECONDS = 600
MAX_COOKIE = 3800  # browsers drop a cookie over 4 KiB


class Cookies:
    """Makes and opens cookies of one door."""

    def __init__(self, key: SecretStr) -> None:
        self._fernet = Fernet(key.get_secret_value().encode())

    def session(self, principal: Principal) -> str:
        """Return the cookie of a signed-in person. Raises UserError where the groups are too many for one."""
        value = self._sealed(
            {
                "kind": "session",
                "sub": principal.subject,
                "email": principal.email,
                "permissions": sorted(principal.permissions),
                "is_admin": principal.is_admin,
                "until": principal.expires_at.timestamp() if principal.expires_at else 0,
            }
        )
        if len(value) > MAX_COOKIE:
            raise UserError(f"You are in {len(principal.permissions)} groups, more than a cookie of the door holds.")
        return value

    def principal(self, cookie: str | None) -> Principal | None:
        """Return who is signed in, or None where nobody is, or not any more."""
        content = self._opened(cookie, "session")
        if content is None or content["until"] <= time.time():
            return None
        return Principal(
            subject=content["sub"],
            email=content["email"],
            permissions=frozenset(content["permissions"]),
            is_admin=content["is_admin"],
            expires_at=datetime.fromtimestamp(content["until"], UTC),
        )

    def sign_in(self, **content: str) -> str:
        return self._sealed({"kind": "sign-in", "until": time.time() + SIGN_IN_SECONDS, **content})

    def opened_sign_in(self, cookie: str | None) -> dict[str, Any] | None:
        """Return the sign-in that this browser began, or None if it began none in the last ten minutes."""
        content = self._opened(cookie, "sign-in")
        return content if content is not None and content["until"] > time.time() else None

    def _sealed(self, content: Mapping[str, Any]) -> str:
        return self._fernet.encrypt(zlib.compress(json.dumps(content).encode())).decode()

    def _opened(self, cookie: str | None, kind: str) -> dict[str, Any] | None:
        try:
            content = json.loads(zlib.decompress(self._fernet.decrypt((cookie or "").encode())))
        except (InvalidToken, ValueError, zlib.error):
            return None
        return content if isinstance(content, dict) and content.get("kind") == kind else None
