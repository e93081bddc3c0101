"""Access tokens of a Google service account, by which Vertex knows who pays (RFC 7523, as Google documents it)."""

import asyncio
import json
import time
from typing import Any
from urllib.parse import urlencode, urlsplit

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import RSAKey
from pydantic import SecretStr

from hawk.errors import UserError
from proxy.upstream_client import UpstreamClient, origin_of
from proxy.upstream_connection import Failure, UpstreamFailed

SCOPE = "https://www.googleapis.com/auth/cloud-platform"
GRANT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
LIFETIME_SECONDS = 3600  # the longest that Google grants
RENEW_BEFORE_SECONDS = 300.0


class ServiceAccount:
    """Exchanges the account's signature for an access token, and keeps it while it lasts."""

    def __init__(self, key_file: SecretStr) -> None:
        """Take the JSON of the account's key. Raises UserError where it is none."""
        try:
            fields: dict[str, Any] = json.loads(key_file.get_secret_value())
            self._key = RSAKey.import_key(fields["private_key"])
            self._email = str(fields["client_email"])
            self._token_url = str(fields.get("token_uri", "https://oauth2.googleapis.com/token"))
            self._origin = origin_of(self._token_url)
        except (ValueError, KeyError, TypeError, AttributeError, JoseError) as error:
            raise UserError(
                "HAWK_VERTEX_SERVICE_ACCOUNT is not the JSON of a service account's key.",
                hint="Paste the whole file that Google made.",
            ) from error
        self._line = b""
        self._expires_at = 0.0
        self._renewing = asyncio.Lock()

    async def key_line(self, client: UpstreamClient) -> bytes:
        """Return the header by which a call is paid. Raises UpstreamFailed where Google grants no token."""
        if time.time() < self._expires_at - RENEW_BEFORE_SECONDS:
            return self._line
        async with self._renewing:
            if time.time() >= self._expires_at - RENEW_BEFORE_SECONDS:
                await self._renew(client)
        return self._line

    async def _renew(self, client: UpstreamClient) -> None:
        now = int(time.time())
        claims = {
            "iss": self._email,
            "scope": SCOPE,
            "aud": self._token_url,
            "iat": now,
            "exp": now + LIFETIME_SECONDS,
        }
        assertion = jwt.encode({"alg": "RS256", "typ": "JWT"}, claims, self._key, ["RS256"])
        body = urlencode({"grant_type": GRANT, "assertion": assertion}).encode()
        head = (
            b"POST %b HTTP/1.1\r\nhost: %b\r\ncontent-type: application/x-www-form-urlencoded\r\n"
            b"content-length: %d\r\n\r\n"
        ) % (urlsplit(self._token_url).path.encode() or b"/", self._origin.host_header, len(body))
        answer = await client.ask(self._origin, head, body)
        try:
            fields = json.loads(answer.body)
            token, seconds = str(fields["access_token"]), float(fields.get("expires_in", LIFETIME_SECONDS))
        except (ValueError, KeyError, TypeError) as error:
            raise UpstreamFailed(Failure.NOT_GRANTED) from error
        self._line = b"authorization: Bearer " + token.encode() + b"\r\n"
        self._expires_at = now + seconds
