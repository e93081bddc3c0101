"""Signing in at an OIDC issuer: authorization code with PKCE through a browser, or a device code; and refreshing."""

import base64
import hashlib
import html
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from http.server import BaseHTTPRequestHandler, HTTPServer
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import httpx

from hawk.cli.token_store import StoredTokens
from hawk.errors import NotSignedIn, Upstream, UserError

CALLBACK_PATH = "/callback"
SIGN_IN_SECONDS = 300
TIMEOUT_SECONDS = 15.0
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
DEFAULT_LIFETIME_SECONDS = 300


class OidcClient:
    """A public client of one issuer. Every method raises Upstream where the issuer does not answer."""

    def __init__(
        self,
        issuer: str,
        client_id: str,
        scopes: list[str],
        *,
        login_hint: str | None = None,
        callback_port: int | None = None,
    ) -> None:
        self._issuer = issuer.rstrip("/")
        self._client_id = client_id
        self._scope = " ".join(scopes)
        self._hint = {"login_hint": login_hint} if login_hint else {}
        self._callback_port = callback_port or 0  # 0: any that is free
        self._discovered: dict[str, Any] | None = None

    def sign_in_with_browser(
        self,
        show: Callable[[str], None],
        *,
        read_pasted: Callable[[], str] | None = None,
        wait_seconds: float = SIGN_IN_SECONDS,
    ) -> StoredTokens:
        """Give `show` the URL to open, wait until the browser comes back to this machine, and return the tokens.

        A browser of another machine cannot come back; then the address that it ends on may come by `read_pasted`.
        """
        verifier, state = secrets.token_urlsafe(48), secrets.token_urlsafe(24)
        with _Callback(state, self._callback_port) as callback:
            query = {
                "response_type": "code",
                "client_id": self._client_id,
                "redirect_uri": callback.url,
                "scope": self._scope,
                "state": state,
                "code_challenge": _challenge_of(verifier),
                "code_challenge_method": "S256",
                **self._hint,
            }
            show(f"{self._endpoint('authorization_endpoint')}?{urlencode(query)}")
            if read_pasted is not None:
                # A thread that nobody waits for, as one cannot call off what reads a terminal.
                threading.Thread(target=callback.take_pasted, args=(read_pasted,), daemon=True).start()
            code = callback.wait(wait_seconds, issuer=self._issuer)
            form = {"grant_type": "authorization_code", "code": code, "redirect_uri": callback.url}
            return self._tokens({**form, "code_verifier": verifier})

    def sign_in_with_device(self, show: Callable[[str, str], None]) -> StoredTokens:
        """Give `show` a URL and the code to type there, wait for the approval, and return the tokens."""
        answer = self._post("device_authorization_endpoint", {"scope": self._scope, **self._hint})
        if "device_code" not in answer:
            raise _refused(answer)
        show(str(answer.get("verification_uri_complete") or answer["verification_uri"]), str(answer["user_code"]))
        interval = float(answer.get("interval", 5))
        ends_at = time.monotonic() + float(answer.get("expires_in", SIGN_IN_SECONDS))
        while time.monotonic() < ends_at:
            form = {"grant_type": DEVICE_GRANT, "device_code": answer["device_code"]}
            tokens = self._post("token_endpoint", form)
            if "access_token" in tokens:
                return self._stored(tokens, old_refresh_token=None)
            if tokens.get("error") not in {"authorization_pending", "slow_down"}:
                raise _refused(tokens)
            interval += 5 if tokens["error"] == "slow_down" else 0  # RFC 8628 section 3.5
            time.sleep(interval)
        raise NotSignedIn("Nobody approved the sign-in in time.", hint="Begin again: hawk login --device.")

    def refresh(self, refresh_token: str) -> StoredTokens:
        """Return new tokens for a refresh token. Raises NotSignedIn if it does not hold any more."""
        form = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return self._tokens(form, old_refresh_token=refresh_token)

    def _tokens(self, form: Mapping[str, str], *, old_refresh_token: str | None = None) -> StoredTokens:
        answer = self._post("token_endpoint", form)
        if "access_token" not in answer:
            raise _refused(answer)
        return self._stored(answer, old_refresh_token=old_refresh_token)

    def _stored(self, answer: Mapping[str, Any], *, old_refresh_token: str | None) -> StoredTokens:
        return StoredTokens(
            access_token=answer["access_token"],
            # An issuer that does not rotate leaves it out (RFC 6749 section 6).
            refresh_token=answer.get("refresh_token") or old_refresh_token,
            expires_at=time.time() + float(answer.get("expires_in", DEFAULT_LIFETIME_SECONDS)),
            issuer=self._issuer,
            client_id=self._client_id,
        )

    def _post(self, endpoint: str, form: Mapping[str, str]) -> dict[str, Any]:
        url, data = self._endpoint(endpoint), {**form, "client_id": self._client_id}
        return _json_of(lambda: httpx.post(url, data=data, timeout=TIMEOUT_SECONDS))

    def _endpoint(self, name: str) -> str:
        if self._discovered is None:
            url = f"{self._issuer}/.well-known/openid-configuration"
            self._discovered = _json_of(lambda: httpx.get(url, timeout=TIMEOUT_SECONDS))
        endpoint = self._discovered.get(name)
        if not isinstance(endpoint, str):
            raise Upstream(f"The sign-in service has no {name}.", hint="Try the other way: with or without --device.")
        return endpoint


class _Callback:
    """A server on loopback that takes the one request with which the browser comes back (RFC 8252 section 7.3)."""

    def __init__(self, state: str, port: int) -> None:
        self._state = state
        self._answer: dict[str, str] | None = None
        self._arrived = threading.Event()
        try:
            self._server = HTTPServer(("127.0.0.1", port), self._handler())
        except OSError as error:
            raise UserError(
                f"Port {port} of this machine, to which the sign-in service sends the browser back, is taken.",
                hint="End what listens there (another hawk login?), and begin again.",
                value=port,
            ) from error
        self.url = f"http://127.0.0.1:{self._server.server_port}{CALLBACK_PATH}"

    def __enter__(self) -> "_Callback":
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._server.server_close()

    def wait(self, seconds: float, *, issuer: str) -> str:
        """Return the authorization code. Raises NotSignedIn where the person refused, or did not come."""
        if not self._arrived.wait(seconds) or self._answer is None:
            raise NotSignedIn("Nobody signed in in time.", hint="Begin again: hawk login, or hawk login --device.")
        if "code" not in self._answer:
            raise _refused(self._answer)
        if self._answer.get("iss", issuer).rstrip("/") != issuer:  # RFC 9207: another issuer's code
            raise NotSignedIn("Another sign-in service answered.", hint="Begin again: hawk login.")
        return self._answer["code"]

    def take(self, query: dict[str, str]) -> str:
        """Keep the answer if it is to our question, and return what to tell the person."""
        if not secrets.compare_digest(query.get("state", "").encode(), self._state.encode()):
            return "This sign-in was not begun here."
        self._answer = query
        self._arrived.set()
        return "Signed in. You can close this page." if "code" in query else "The sign-in was refused."

    def take_pasted(self, read: Callable[[], str]) -> None:
        """Take addresses that are pasted, until one is the answer or there are no more."""
        while (text := read()) and not self._arrived.is_set():
            self.take(_query_of(urlsplit(text.strip()).query))

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        callback = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                parts = urlsplit(self.path)
                if parts.path != CALLBACK_PATH:
                    self.send_error(404)
                    return
                said = html.escape(callback.take(_query_of(parts.query)))
                page = f"<!doctype html><title>Hawk</title><p>{said}</p>".encode()
                self.send_response(200)
                self.send_header("content-type", "text/html; charset=utf-8")
                self.send_header("content-length", str(len(page)))
                self.end_headers()
                self.wfile.write(page)

            def log_message(self, format: str, *arguments: object) -> None:
                """Say nothing: the request line has the code in it."""

        return Handler


def _query_of(text: str) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(text).items()}


def _challenge_of(verifier: str) -> str:
    return base64.urlsafe_b64encode(hashlib.sha256(verifier.encode()).digest()).rstrip(b"=").decode()


def _json_of(ask: Callable[[], httpx.Response]) -> dict[str, Any]:
    try:
        response = ask()
        answer = response.json()
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        raise Upstream("The sign-in service does not answer.", hint="Try again in a moment.") from error
    if not isinstance(answer, dict) or response.status_code >= 500:
        raise Upstream("The sign-in service failed.", hint="Try again in a moment.", value=response.status_code)
    return answer


def _refused(answer: Mapping[str, Any]) -> NotSignedIn:
    reason = str(answer.get("error_description") or answer.get("error") or "no reason given")
    return NotSignedIn(f"The sign-in was refused: {reason}", hint="Begin again: hawk login.")
