"""What the proxy answers itself: health, metrics, and an administrator's question which models a provider has."""

import json
import secrets
from typing import Any
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from hawk.settings import ProxySettings
from proxy.callers import Callers
from proxy.headers import client_token
from proxy.metrics import CONTENT_TYPE, Metrics
from proxy.paths import GOOGLE_VERSION
from proxy.provider_keys import Providers
from proxy.providers import Provider
from proxy.refusals import Refusal
from proxy.registry import Registry
from proxy.upstream_client import UpstreamClient
from proxy.upstream_connection import UpstreamFailed

LOOPBACK = frozenset({"127.0.0.1", "::1"})
MAX_LISTED = 5000


class Rim:
    """The routes that are no model calls."""

    def __init__(
        self, settings: ProxySettings, callers: Callers, registry: Registry, providers: Providers, metrics: Metrics
    ) -> None:
        self._metrics_token = settings.metrics_token
        self._callers = callers
        self._registry = registry
        self._providers = providers
        self._metrics = metrics
        self.client: UpstreamClient | None = None  # once the loop runs

    def routes(self) -> list[Route]:
        return [
            Route("/health/live", self._live),
            Route("/health/ready", self._ready),
            Route("/metrics", self._scrape),
            Route("/admin/providers/{name}/models", self._models),
        ]

    async def _live(self, request: Request) -> Response:
        return JSONResponse({"status": "ok"})

    async def _ready(self, request: Request) -> Response:
        is_ready = self._registry.is_known
        checks = {"registry": "ok" if is_ready else "never read"}
        return JSONResponse(
            {"status": "ok" if is_ready else "unavailable", "checks": checks}, status_code=200 if is_ready else 503
        )

    async def _scrape(self, request: Request) -> Response:
        if self._metrics_token is None:
            is_allowed = request.client is not None and request.client.host in LOOPBACK
        else:
            given = request.headers.get("authorization", "").removeprefix("Bearer ").encode()
            is_allowed = secrets.compare_digest(given, self._metrics_token.get_secret_value().encode())
        if not is_allowed:
            return JSONResponse({"error": "Not for you; see HAWK_METRICS_TOKEN."}, status_code=403)
        return Response(self._metrics.text(), media_type=CONTENT_TYPE)

    async def _models(self, request: Request) -> Response:
        try:
            principal = await self._callers.principal(client_token(dict(request.scope["headers"]), b""))
        except Refusal as refusal:
            return JSONResponse({"error": refusal.message}, status_code=refusal.status)
        if not principal.is_admin:
            return JSONResponse({"error": "Only administrators may ask this."}, status_code=403)
        provider = self._providers.now.get(request.path_params["name"])
        if provider is None or not provider.has_key:
            return JSONResponse({"error": "There is no such provider, or the proxy has no key for it."}, 404)
        try:
            return JSONResponse({"models": await self._listed(provider)})
        except UpstreamFailed as error:
            return JSONResponse({"error": f"{provider.name} {error.failure.value}."}, status_code=502)
        except ValueError as error:
            return JSONResponse({"error": f"{provider.name} did not list its models: {error}"}, status_code=502)

    async def _listed(self, provider: Provider) -> list[str]:
        """Return the provider's names of its models. Raises UpstreamFailed, or ValueError with the status."""
        assert self.client is not None
        head = b"GET %b HTTP/1.1\r\nhost: %b\r\naccept: application/json\r\n%b%b\r\n" % (
            _listing_path(provider).encode("latin-1"),
            provider.host_header,
            provider.key_line,
            b"anthropic-version: 2023-06-01\r\n" if provider.kind == "anthropic" else b"",
        )
        answer = await self.client.ask(provider.origin, head)
        if answer.status != 200:
            raise ValueError(f"HTTP {answer.status}")
        return _names(json.loads(answer.body))[:MAX_LISTED]


def _listing_path(provider: Provider) -> str:
    base = urlsplit(provider.upstream).path
    if provider.kind == "google":
        return f"{base}/{GOOGLE_VERSION}/models?pageSize=1000"
    if provider.kind == "anthropic":
        return f"{base}/v1/models?limit=1000"
    return f"{base}/v1/models"


def _names(listing: Any) -> list[str]:
    """Return the names in any provider's list: {data: [{id}]}, {models: [{name}]}, or a bare list."""
    rows = listing.get("data", listing.get("models")) if isinstance(listing, dict) else listing
    if not isinstance(rows, list):
        raise ValueError("the answer is no list")  # noqa: TRY004  # of what JSON it is, is no matter of types
    names = [str(row.get("id") or row.get("name") or "") for row in rows if isinstance(row, dict)]
    return sorted({name.removeprefix("models/") for name in names} - {""})
