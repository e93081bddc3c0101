"""Signing in at the door: authorization code with PKCE at the issuer, and back to the page that was asked for."""

import base64
import hashlib
import hmac
import secrets
from typing import Any
from urllib.parse import urlencode

import aiohttp
from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from hawk.auth import Principal, TokenVerifier
from hawk.door.sessions import SESSION_COOKIE, SIGN_IN_COOKIE, SIGN_IN_SECONDS, Cookies
from hawk.errors import NotSignedIn, Upstream
from hawk.issuer_keys import DISCOVERY_PATH
from hawk.settings import DoorSettings

CALLBACK_PATH = "/auth/callback"
SCOPES = "openid profile email"
TIMEOUT = aiohttp.ClientTimeout(total=15)


class SignIn:
    """The two requests of a sign-in; `client` is the door's."""

    def __init__(self, settings: DoorSettings, cookies: Cookies, verifier: TokenVerifier) -> None:
        self._settings = settings
        self._cookies = cookies
        self._verifier = verifier
        self._endpoints: dict[str, Any] = {}

    async def begin(self, request: Request, client: aiohttp.ClientSession) -> Response:
        """Send the browser to the issuer."""
        state, verifier = secrets.token_urlsafe(24), secrets.token_urlsafe(48)
        challenge = base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()
        query = {
            "response_type": "code",
            "client_id": self._settings.door_client_id,
            "redirect_uri": self._redirect_uri,
            "scope": SCOPES,
            "state": state,
            "code_challenge": challenge,
            "code_challenge_method": "S256",
        }
        endpoint = await self._endpoint("authorization_endpoint", client)
        response = RedirectResponse(f"{endpoint}?{urlencode(query)}", status_code=303)
        query_string = request.scope["query_string"].decode("latin-1")
        asked_for = request.scope["path"] + (f"?{query_string}" if query_string else "")
        cookie = self._cookies.sign_in(state=state, verifier=verifier, next=_own_page(asked_for))
        self._set(response, SIGN_IN_COOKIE, cookie, seconds=SIGN_IN_SECONDS)
        return response

    async def finish(self, request: Request, client: aiohttp.ClientSession) -> Response:
        """Take the code that the browser brings, and let it in. Raises NotSignedIn and Upstream."""
        begun = self._cookies.opened_sign_in(request.cookies.get(SIGN_IN_COOKIE))
        state = request.query_params.get("state", "")
        if begun is None or not hmac.compare_digest(str(begun["state"]).encode(), state.encode()):
            raise NotSignedIn("This sign-in was not begun here, or over ten minutes ago.", hint="Open the page again.")
        code = request.query_params.get("code")
        if code is None:
            raise NotSignedIn("The sign-in was refused.", hint="Open the page again.")
        principal = await self._principal(code, str(begun["verifier"]), client)
        response = RedirectResponse(str(begun["next"]), status_code=303)
        seconds = int(principal.expires_at.timestamp() - _now()) if principal.expires_at else 0
        self._set(response, SESSION_COOKIE, self._cookies.session(principal), seconds=seconds)
        response.delete_cookie(SIGN_IN_COOKIE)
        return response

    async def _principal(self, code: str, verifier: str, client: aiohttp.ClientSession) -> Principal:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self._redirect_uri,
            "client_id": self._settings.door_client_id,
            "code_verifier": verifier,
        }
        if self._settings.door_client_secret is not None:
            form["client_secret"] = self._settings.door_client_secret.get_secret_value()
        endpoint = await self._endpoint("token_endpoint", client)
        answer = await _json_of(client.post(endpoint, data=form, timeout=TIMEOUT))
        token = answer.get("access_token")
        if not isinstance(token, str):
            raise NotSignedIn("The sign-in was refused.", hint="Open the page again.")
        return await run_in_threadpool(self._verifier.verify, token)

    async def _endpoint(self, name: str, client: aiohttp.ClientSession) -> str:
        if name not in self._endpoints:
            url = self._settings.issuer.rstrip("/") + DISCOVERY_PATH
            self._endpoints = await _json_of(client.get(url, timeout=TIMEOUT))
        endpoint = self._endpoints.get(name)
        if not isinstance(endpoint, str):
            raise Upstream("The sign-in service does not say where to sign in.")
        return endpoint

    @property
    def _redirect_uri(self) -> str:
        return self._settings.public_url + CALLBACK_PATH

    def _set(self, response: Response, name: str, value: str, *, seconds: int) -> None:
        secure = self._settings.public_url.startswith("https:")
        response.set_cookie(name, value, max_age=seconds, httponly=True, secure=secure, samesite="lax", path="/")


def _own_page(path: str) -> str:
    """Return the path if it leads nowhere but to a page of this door, else the first page."""
    return path if path.startswith("/") and not path.startswith(("//", "/\\")) and path.isprintable() else "/"


async def _json_of(asking: Any) -> dict[str, Any]:
    try:
        async with asking as response:
            answer = await response.json(content_type=None)
    except (aiohttp.ClientError, TimeoutError, ValueError) as error:
        raise Upstream("The sign-in service does not answer.", hint="Try again in a moment.") from error
    return answer if isinstance(answer, dict) else {}


def _now() -> float:
    import time

    return time.time()
