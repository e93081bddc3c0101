"""Sign-ins under way at the development issuer: authorization codes (RFC 6749, 7636) and device codes (RFC 8628).

They live in memory for minutes; a restart ends them, and the person begins again.
"""

import base64
import hashlib
import secrets
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from hawk.dev.issuer_tokens import Grant

LIFETIME_SECONDS = 600
POLL_SECONDS = 1
MAX_UNDER_WAY = 1000

LOOPBACK_HOSTS = frozenset({"127.0.0.1", "localhost", "::1"})
# A native app listens on whatever port is free (RFC 8252 section 7.3), so the port alone is left open.
REDIRECT_PATHS = frozenset({"/callback", "/auth/callback", "/oauth2callback"})
PUBLIC_CLIENTS = frozenset({"hawk-cli", "hawk-viewer", "hawk-dagster"})
SERVICE_CLIENT = "hawk-service"

# No vowels and nothing that looks like a digit, so that a code is easy to type and spells no word (RFC 8628 6.1).
_USER_CODE_ALPHABET = "BCDFGHJKLMNPQRSTVWXZ"


class OAuthError(Exception):
    """An answer as RFC 6749 section 5.2 has it."""

    def __init__(self, error: str, description: str, *, status: int = 400) -> None:
        super().__init__(description)
        self.error = error
        self.description = description
        self.status = status


@dataclass(frozen=True)
class AuthorizationRequest:
    """A browser that came to sign in, checked."""

    client_id: str
    redirect_uri: str
    scope: str
    state: str | None
    nonce: str | None
    code_challenge: str
    login_hint: str | None


@dataclass
class DeviceSignIn:
    """A program that waits for somebody to approve it elsewhere."""

    client_id: str
    scope: str
    user_code: str
    expires_at: float
    account: str | None = None
    is_denied: bool = False
    polled_at: float = 0.0


@dataclass
class Flows:
    """Everything that is under way, by the secret that names it."""

    _requests: dict[str, tuple[AuthorizationRequest, float]] = field(default_factory=dict)
    _codes: dict[str, tuple[AuthorizationRequest, str, float]] = field(default_factory=dict)
    _devices: dict[str, DeviceSignIn] = field(default_factory=dict)

    def begin(self, request: AuthorizationRequest) -> str:
        """Return a handle for the page's form, so that no other page can post it."""
        self._sweep()
        handle = secrets.token_urlsafe(32)
        self._requests[handle] = (request, time.monotonic() + LIFETIME_SECONDS)
        return handle

    def approve(self, handle: str, account: str) -> tuple[AuthorizationRequest, str]:
        """Return the request and an authorization code for it, good once."""
        request, expires_at = self._requests.pop(handle, (None, 0.0))
        if request is None or time.monotonic() > expires_at:
            raise OAuthError("invalid_request", "This sign-in is over. Begin again.")
        code = secrets.token_urlsafe(32)
        self._codes[code] = (request, account, time.monotonic() + 60)
        return request, code

    def redeem(self, code: str, *, client_id: str, redirect_uri: str, verifier: str) -> Grant:
        """Return what an authorization code grants; a code that fails once is gone."""
        request, account, expires_at = self._codes.pop(code, (None, "", 0.0))
        if request is None or time.monotonic() > expires_at:
            raise OAuthError("invalid_grant", "The authorization code is unknown, used or over 60 seconds old.")
        if request.client_id != client_id or request.redirect_uri != redirect_uri:
            raise OAuthError("invalid_grant", "client_id and redirect_uri must be those of the authorization request.")
        if not secrets.compare_digest(challenge_of(verifier), request.code_challenge):
            raise OAuthError("invalid_grant", "code_verifier does not match the code_challenge.")
        return Grant(account=account, client_id=client_id, scope=request.scope, nonce=request.nonce)

    def begin_device(self, *, client_id: str, scope: str, account: str | None) -> tuple[str, DeviceSignIn]:
        """Return a device code and its sign-in, approved already if an account is given."""
        self._sweep()
        letters = [secrets.choice(_USER_CODE_ALPHABET) for _ in range(8)]
        sign_in = DeviceSignIn(
            client_id=client_id,
            scope=scope,
            user_code="".join(letters[:4]) + "-" + "".join(letters[4:]),
            expires_at=time.monotonic() + LIFETIME_SECONDS,
            account=account,
        )
        device_code = secrets.token_urlsafe(32)
        self._devices[device_code] = sign_in
        return device_code, sign_in

    def device(self, user_code: str) -> DeviceSignIn:
        """Return the sign-in that waits under this code. Raises OAuthError if none does."""
        wanted = user_code.strip().upper()
        for sign_in in self._devices.values():
            if secrets.compare_digest(sign_in.user_code, wanted) and time.monotonic() < sign_in.expires_at:
                return sign_in
        raise OAuthError("invalid_request", f"No sign-in waits under the code {wanted[:16]!r}. Begin again.")

    def poll_device(self, device_code: str, *, client_id: str) -> Grant:
        """Return the grant once approved. Raises OAuthError with the codes of RFC 8628 section 3.5 before."""
        sign_in = self._devices.get(device_code)
        if sign_in is None or sign_in.client_id != client_id:
            raise OAuthError("invalid_grant", "The device code is unknown or used.")
        now = time.monotonic()
        if now > sign_in.expires_at:
            del self._devices[device_code]
            raise OAuthError("expired_token", "The device code is over 10 minutes old. Begin again.")
        if sign_in.is_denied:
            del self._devices[device_code]
            raise OAuthError("access_denied", "The sign-in was refused.")
        if sign_in.account is None:
            waited = now - sign_in.polled_at
            sign_in.polled_at = now
            error: Literal["slow_down", "authorization_pending"]
            error = "slow_down" if waited < POLL_SECONDS / 2 else "authorization_pending"
            raise OAuthError(error, f"Nobody has approved yet; ask again in {POLL_SECONDS} s.")
        del self._devices[device_code]
        return Grant(account=sign_in.account, client_id=client_id, scope=sign_in.scope)

    def _sweep(self) -> None:
        now = time.monotonic()
        self._requests = {key: value for key, value in self._requests.items() if value[1] > now}
        self._codes = {key: value for key, value in self._codes.items() if value[2] > now}
        self._devices = {key: value for key, value in self._devices.items() if value.expires_at > now}
        if len(self._requests) + len(self._devices) >= MAX_UNDER_WAY:
            raise OAuthError("temporarily_unavailable", "Too many sign-ins are under way.", status=503)


def authorization_request(query: Mapping[str, str]) -> AuthorizationRequest:
    """Return a checked request. Raises OAuthError; nothing is ever sent to a redirect URI that is not known."""
    client_id = query.get("client_id", "")
    redirect_uri = query.get("redirect_uri", "")
    public_client(client_id)
    if not is_loopback_redirect(redirect_uri):
        allowed = ", ".join(f"http://127.0.0.1:PORT{path}" for path in sorted(REDIRECT_PATHS))
        raise OAuthError("invalid_request", f"redirect_uri {redirect_uri!r} is not one of {allowed}.")
    if query.get("response_type") != "code":
        raise OAuthError("unsupported_response_type", "response_type must be 'code'.")
    challenge = query.get("code_challenge", "")
    if not challenge or query.get("code_challenge_method") != "S256":
        raise OAuthError("invalid_request", "PKCE is required: code_challenge with code_challenge_method=S256.")
    return AuthorizationRequest(
        client_id=client_id,
        redirect_uri=redirect_uri,
        scope=query.get("scope", "openid"),
        state=query.get("state"),
        nonce=query.get("nonce"),
        code_challenge=challenge,
        login_hint=query.get("login_hint"),
    )


def public_client(client_id: str) -> str:
    """Return the id of a client that has no secret. Raises OAuthError if there is no such client."""
    if client_id not in PUBLIC_CLIENTS:
        known = ", ".join(sorted(PUBLIC_CLIENTS))
        raise OAuthError("invalid_client", f"Unknown client {client_id!r}; known are {known}.", status=401)
    return client_id


def is_loopback_redirect(uri: str) -> bool:
    """Say whether a redirect URI is plain http to this machine, on a known path and nothing more."""
    try:
        parts = urlsplit(uri)
        has_port = parts.port is not None
    except ValueError:
        return False
    host = f"[{parts.hostname}]" if ":" in (parts.hostname or "") else parts.hostname
    return (
        parts.hostname in LOOPBACK_HOSTS
        and has_port
        and parts.path in REDIRECT_PATHS
        and uri == f"http://{host}:{parts.port}{parts.path}"
    )


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge of a PKCE verifier (RFC 7636 section 4.2)."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
