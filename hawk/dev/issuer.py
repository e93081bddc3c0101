"""A small OIDC issuer for the embedded stack: `python -m hawk.dev.issuer`.

It speaks what Hawk's programs need of a real one: discovery, authorization code with PKCE, device flow, rotated
refresh tokens, client credentials. There are no passwords, so it belongs on loopback only.
"""

import base64
import html
import ipaddress
import secrets
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import uvicorn
from starlette.applications import Starlette
from starlette.middleware import Middleware
from starlette.middleware.trustedhost import TrustedHostMiddleware
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.routing import Route

from hawk.dev.issuer_flows import (
    LIFETIME_SECONDS,
    LOOPBACK_HOSTS,
    POLL_SECONDS,
    SERVICE_CLIENT,
    Flows,
    OAuthError,
    authorization_request,
    public_client,
)
from hawk.dev.issuer_tokens import ACCOUNTS, DEFAULT_ACCOUNT, Grant, RefreshTokens, TokenMint
from hawk.settings import IssuerSettings

MAX_FORM_BYTES = 64 * 1024
DEVICE_GRANT = "urn:ietf:params:oauth:grant-type:device_code"
_NO_STORE = {"cache-control": "no-store"}
_PAGE_HEADERS = _NO_STORE | {
    "content-security-policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "x-frame-options": "DENY",
    "referrer-policy": "no-referrer",
}

Form = Mapping[str, str]


class Issuer:
    """The issuer's endpoints; each takes a request and answers it."""

    def __init__(self, settings: IssuerSettings) -> None:
        self._settings = settings
        self._mint = TokenMint(settings)
        self._refresh_tokens = RefreshTokens(
            settings.home / "dev" / "issuer-refresh.sqlite", lifetime_seconds=settings.refresh_token_seconds
        )
        self._flows = Flows()
        self._approves_by_itself = settings.issuer_auto_approve and _is_loopback(settings.issuer_host)

    def routes(self) -> list[Route]:
        return [
            Route("/.well-known/openid-configuration", self.discovery),
            Route("/jwks", self.keys),
            Route("/authorize", self.sign_in_page),
            Route("/authorize", self.sign_in, methods=["POST"]),
            Route("/device_authorization", self.device_authorization, methods=["POST"]),
            Route("/device", self.device_page),
            Route("/device", self.approve_device, methods=["POST"]),
            Route("/token", self.token, methods=["POST"]),
            Route("/revoke", self.revoke, methods=["POST"]),
            Route("/userinfo", self.user_info, methods=["GET", "POST"]),
            Route("/health/live", self.health),
        ]

    async def discovery(self, request: Request) -> Response:
        url = self._settings.issuer_url
        return JSONResponse(
            {
                "issuer": url,
                "authorization_endpoint": f"{url}/authorize",
                "device_authorization_endpoint": f"{url}/device_authorization",
                "token_endpoint": f"{url}/token",
                "revocation_endpoint": f"{url}/revoke",
                "userinfo_endpoint": f"{url}/userinfo",
                "jwks_uri": f"{url}/jwks",
                "response_types_supported": ["code"],
                "grant_types_supported": ["authorization_code", "refresh_token", "client_credentials", DEVICE_GRANT],
                "code_challenge_methods_supported": ["S256"],
                "subject_types_supported": ["public"],
                "id_token_signing_alg_values_supported": ["RS256"],
                "token_endpoint_auth_methods_supported": ["none", "client_secret_basic", "client_secret_post"],
                "scopes_supported": ["openid", "email", "profile", "offline_access"],
                "claims_supported": ["sub", "email", "permissions"],
            }
        )

    async def keys(self, request: Request) -> Response:
        return JSONResponse(self._mint.key_set())

    async def health(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def sign_in_page(self, request: Request) -> Response:
        asked = authorization_request(request.query_params)
        handle = self._flows.begin(asked)
        first = asked.login_hint if asked.login_hint in ACCOUNTS else DEFAULT_ACCOUNT
        return _choice_page(f"{asked.client_id} asks who you are", "/authorize", {"handle": handle}, first)

    async def sign_in(self, request: Request) -> Response:
        _refuse_other_sites(request)
        form = await _form(request)
        account = _account(form.get("account"))
        asked, code = self._flows.approve(form.get("handle", ""), account)
        query = {"code": code, "iss": self._settings.issuer_url} | ({"state": asked.state} if asked.state else {})
        return RedirectResponse(f"{asked.redirect_uri}?{urlencode(query)}", status_code=303, headers=_NO_STORE)

    async def device_authorization(self, request: Request) -> Response:
        _refuse_other_sites(request)
        form = await _form(request)
        account = _account(form.get("login_hint") or DEFAULT_ACCOUNT) if self._approves_by_itself else None
        device_code, sign_in = self._flows.begin_device(
            client_id=public_client(form.get("client_id", "")), scope=form.get("scope", "openid"), account=account
        )
        url = f"{self._settings.issuer_url}/device"
        return JSONResponse(
            {
                "device_code": device_code,
                "user_code": sign_in.user_code,
                "verification_uri": url,
                "verification_uri_complete": f"{url}?{urlencode({'user_code': sign_in.user_code})}",
                "expires_in": LIFETIME_SECONDS,
                "interval": POLL_SECONDS,
            },
            headers=_NO_STORE,
        )

    async def device_page(self, request: Request) -> Response:
        code = request.query_params.get("user_code", "")
        return _choice_page("A program asks who you are", "/device", {"user_code": code}, DEFAULT_ACCOUNT)

    async def approve_device(self, request: Request) -> Response:
        _refuse_other_sites(request)
        form = await _form(request)
        sign_in = self._flows.device(form.get("user_code", ""))
        if form.get("account") == "":
            sign_in.is_denied = True
            return _page("Refused", "<p>The program was refused. You can close this page.</p>")
        sign_in.account = _account(form.get("account"))
        return _page("Signed in", f"<p>Signed in as {html.escape(sign_in.account)}. You can close this page.</p>")

    async def token(self, request: Request) -> Response:
        form = await _form(request)
        match form.get("grant_type"):
            case "authorization_code":
                grant = self._flows.redeem(
                    form.get("code", ""),
                    client_id=public_client(form.get("client_id", "")),
                    redirect_uri=form.get("redirect_uri", ""),
                    verifier=form.get("code_verifier", ""),
                )
            case "urn:ietf:params:oauth:grant-type:device_code":
                client_id = public_client(form.get("client_id", ""))
                grant = self._flows.poll_device(form.get("device_code", ""), client_id=client_id)
            case "refresh_token":
                return self._refreshed(form)
            case "client_credentials":
                return self._service_tokens(request, form)
            case grant_type:
                raise OAuthError("unsupported_grant_type", f"grant_type {grant_type!r} is not supported.")
        return self._tokens(grant, self._refresh_tokens.issue(grant))

    async def revoke(self, request: Request) -> Response:
        self._refresh_tokens.revoke((await _form(request)).get("token", ""))
        return Response(headers=_NO_STORE)

    async def user_info(self, request: Request) -> Response:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        account = self._mint.account_of(token.strip()) if scheme.lower() == "bearer" else None
        if account is None:
            raise OAuthError("invalid_token", "The access token does not hold.", status=401)
        return JSONResponse(
            {"sub": account.name, "email": account.email, "permissions": list(account.permissions)}, headers=_NO_STORE
        )

    def _refreshed(self, form: Form) -> Response:
        rotated = self._refresh_tokens.rotate(
            form.get("refresh_token", ""), client_id=public_client(form.get("client_id", ""))
        )
        if rotated is None or rotated[0].account not in ACCOUNTS:
            raise OAuthError("invalid_grant", "The refresh token is unknown, used or too old. Sign in again.")
        return self._tokens(*rotated)

    def _service_tokens(self, request: Request, form: Form) -> Response:
        client_id, secret = _client_credentials(request, form)
        expected = self._settings.issuer_service_secret
        known = expected.get_secret_value() if expected is not None and client_id == SERVICE_CLIENT else None
        if known is None or not secrets.compare_digest(secret.encode(), known.encode()):
            raise OAuthError("invalid_client", "The client is unknown or its secret is wrong.", status=401)
        token = self._mint.service_token(client_id, form.get("scope", ""))
        return self._token_response({"access_token": token})

    def _tokens(self, grant: Grant, refresh_token: str) -> Response:
        access_token = self._mint.access_token(grant)
        body: dict[str, Any] = {"access_token": access_token, "refresh_token": refresh_token, "scope": grant.scope}
        if "openid" in grant.scope.split():
            body["id_token"] = self._mint.id_token(grant, access_token)
        return self._token_response(body)

    def _token_response(self, body: dict[str, Any]) -> Response:
        return JSONResponse(
            {"token_type": "Bearer", "expires_in": self._settings.access_token_seconds, **body}, headers=_NO_STORE
        )


def create_app(settings: IssuerSettings) -> Starlette:
    """Return the issuer as an ASGI app that answers to its own host names only."""
    # Against DNS rebinding: a page elsewhere must not talk to us under a name of its own.
    hosts = LOOPBACK_HOSTS | {settings.issuer_host, urlsplit(settings.issuer_url).hostname or ""}
    return Starlette(
        routes=Issuer(settings).routes(),
        middleware=[Middleware(TrustedHostMiddleware, allowed_hosts=sorted(hosts - {"", "::1"}), www_redirect=False)],
        exception_handlers={OAuthError: _oauth_error},
    )


def main() -> None:
    """Serve until SIGTERM."""
    settings = IssuerSettings()
    uvicorn.run(create_app(settings), host=settings.issuer_host, port=settings.issuer_port, log_level="warning")


async def _oauth_error(request: Request, error: Exception) -> Response:
    if not isinstance(error, OAuthError):
        raise error
    headers = dict(_NO_STORE)
    if error.status == 401:
        headers["www-authenticate"] = "Bearer" if request.url.path == "/userinfo" else "Basic"
    return JSONResponse(
        {"error": error.error, "error_description": error.description}, status_code=error.status, headers=headers
    )


def _refuse_other_sites(request: Request) -> None:
    # Browsers say where a form was posted from; programs say nothing.
    if request.headers.get("sec-fetch-site", "same-origin") not in ("same-origin", "none"):
        raise OAuthError("access_denied", "Another site sent this form.", status=403)


async def _form(request: Request) -> Form:
    body = b""
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_FORM_BYTES:
            raise OAuthError("invalid_request", f"The form is over {MAX_FORM_BYTES} bytes.", status=413)
    if not request.headers.get("content-type", "").startswith("application/x-www-form-urlencoded"):
        raise OAuthError("invalid_request", "Send application/x-www-form-urlencoded.")
    try:
        pairs = parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=50)
    except ValueError as error:
        raise OAuthError("invalid_request", "The form cannot be read.") from error
    form = dict(pairs)
    if len(form) != len(pairs):
        raise OAuthError("invalid_request", "A field is there twice.")
    return form


def _account(name: str | None) -> str:
    if name not in ACCOUNTS:
        raise OAuthError("access_denied", f"There is no {name!r}; choose one of {', '.join(ACCOUNTS)}.")
    return name


def _client_credentials(request: Request, form: Form) -> tuple[str, str]:
    scheme, _, encoded = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "basic":
        return form.get("client_id", ""), form.get("client_secret", "")
    try:
        client_id, _, secret = base64.b64decode(encoded, validate=True).decode().partition(":")
    except ValueError as error:
        raise OAuthError("invalid_client", "The Basic credentials cannot be read.", status=401) from error
    return client_id, secret


def _choice_page(title: str, action: str, hidden: Form, first: str) -> HTMLResponse:
    fields = "".join(
        f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
        for name, value in hidden.items()
    )
    if action == "/device":
        code = html.escape(hidden["user_code"])
        fields = f'<p><label>Code <input name="user_code" value="{code}" autocomplete="off"></label></p>'
    names = sorted(ACCOUNTS, key=lambda name: (name != first, list(ACCOUNTS).index(name)))
    buttons = "".join(
        f'<p><button name="account" value="{html.escape(name)}">{html.escape(name)}</button> '
        f"{html.escape(ACCOUNTS[name].description)}</p>"
        for name in names
    )
    if action == "/device":
        buttons += '<p><button name="account" value="">Refuse</button></p>'
    return _page(title, f'<form method="post" action="{action}">{fields}{buttons}</form>')


def _page(title: str, body: str) -> HTMLResponse:
    text = html.escape(title)
    return HTMLResponse(
        f"<!doctype html><html lang=en><meta charset=utf-8><title>{text}</title>"
        "<style>body{font:16px system-ui;max-width:32rem;margin:4rem auto}button{font:inherit;min-width:9rem}</style>"
        f"<h1>{text}</h1>{body}</html>",
        headers=_PAGE_HEADERS,
    )


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


if __name__ == "__main__":
    main()
