"""The proxy as an ASGI app: model calls on a path of their own, everything else at the rim."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from starlette.applications import Starlette

from hawk.auth import TokenVerifier
from hawk.settings import ProxySettings
from proxy.admission import Admission
from proxy.budgets import Budgets
from proxy.callers import Callers
from proxy.calls import Call, Receive, Scope, Send
from proxy.forward import REQUEST_ID_HEADER, Forwarder
from proxy.hang_up import HangUp
from proxy.ledger import Ledger, new_worker_id
from proxy.ledger_copier import LedgerCopier
from proxy.limits import Limits
from proxy.log_lines import CallLog
from proxy.metrics import Metrics
from proxy.provider_keys import Providers
from proxy.provider_limits import ProviderLimits
from proxy.providers import Provider
from proxy.refusals import BrokenAnswer, ClientGone, Reason, Refusal, refusal_body
from proxy.registered import Registered
from proxy.registry import Registry
from proxy.rim import Rim
from proxy.tracing import Tracing
from proxy.upstream_client import UpstreamClient
from proxy.workers import Workers

CLIENT_CLOSED_REQUEST = 499  # as nginx logs it; nobody is there to be sent it

logger = logging.getLogger(__name__)


class Proxy:
    """Answers `/{provider}/…` by the provider, and the rest itself."""

    def __init__(self, settings: ProxySettings) -> None:
        """Raises UserError for settings that make no sense."""
        self._settings = settings
        self._providers = Providers(settings)
        self._registry = Registry(settings, self._registry_changed)
        self._callers = Callers(TokenVerifier(settings))
        self._admission = Admission(settings, self._callers, self._registry)
        self._share_limits = settings.share_limits or settings.proxy_workers > 1
        self._limits = Limits(settings.limit_wait_seconds, is_shared=self._share_limits)
        self._budgets = Budgets()
        self._provider_limits = ProviderLimits()
        self._metrics = Metrics(settings)
        self._call_log = CallLog(is_on=settings.log_calls)
        self._tracing = Tracing(settings.otlp_endpoint)
        self._rim = Rim(settings, self._callers, self._registry, self._providers, self._metrics)
        self._app = Starlette(routes=self._rim.routes(), lifespan=self._lifespan)
        self._forwarder: Forwarder
        self._ledger: Ledger

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            path = scope["raw_path"].decode("latin-1")
            name, _, rest = path[1:].partition("/")
            provider = self._providers.now.get(name)
            if provider is not None:
                await self._call(provider, f"/{rest}", scope, receive, send)
                return
        await self._app(scope, receive, send)

    async def _call(self, provider: Provider, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        call = Call(provider=provider)
        try:
            await self._answer(call, path, scope, receive, send)
        except Refusal as refusal:
            await _send_refusal(call, refusal, send)
        except ClientGone:
            call.outcome = "client gone"
            call.status = call.status or CLIENT_CLOSED_REQUEST
        except BrokenAnswer as error:
            # Returning without an end of the body makes the server close the connection.
            call.outcome = f"broken answer ({error})"
        except BaseException:
            call.outcome = "failed"
            raise
        finally:
            call.total_seconds = time.monotonic() - call.began_at
            self._metrics.count(call)
            self._call_log.write(call)
            self._tracing.record(call, scope)

    async def _answer(self, call: Call, path: str, scope: Scope, receive: Receive, send: Send) -> None:
        admitted = await self._admission.admit(call, path, scope, receive)
        self._budgets.check(call)
        with HangUp(receive):
            grant = await self._limits.enter(call)
            try:
                if grant.gates:
                    call.waited_seconds = time.monotonic() - call.began_at
                    self._budgets.check(call)  # others may have spent meanwhile
                self._ledger.open(call)
                try:
                    last_messages = await self._forwarder.forward(call, admitted, scope, send)
                except asyncio.CancelledError:
                    call.state = "client_gone"
                    raise
                except BaseException:
                    call.state = "failed" if call.state == "open" else call.state
                    raise
                finally:
                    self._end(call)
            finally:
                self._limits.leave(grant, used_tokens=_used_tokens(call))
        # Once it has the whole answer, the server calls it a disconnect too; so it comes after nobody watches.
        for message in last_messages:
            await send(message)

    def _end(self, call: Call) -> None:
        if call.usage_state == "pending":
            call.usage_state = "missing"
        call.total_seconds = time.monotonic() - call.began_at
        self._ledger.close(call)

    async def _registry_changed(self, registered: Registered) -> None:
        self._limits.replace(registered)
        self._budgets.replace(registered)
        await self._providers.replace(registered)

    @asynccontextmanager
    async def _lifespan(self, app: Starlette) -> AsyncIterator[None]:
        worker_id = new_worker_id()
        client = UpstreamClient(self._settings)
        self._rim.client = client
        self._forwarder = Forwarder(self._settings, client, self._provider_limits)
        self._ledger = Ledger(self._settings.ledger_path, worker_id, self._budgets)
        workers = Workers(worker_id, self._limits, share_limits=self._share_limits)
        copier = LedgerCopier(self._settings, self._ledger, self._budgets, self._provider_limits, workers)
        self._metrics.watch(worker_id, self._ledger, self._limits, copier)
        await self._registry.start()
        await copier.start()
        self._providers.start()
        try:
            yield
        finally:
            self._providers.stop()
            await self._registry.stop()
            await copier.stop()
            self._ledger.finish()
            self._metrics.stop()
            self._call_log.flush()
            self._tracing.stop()
            client.close()


def create_app(settings: ProxySettings) -> Proxy:
    """Return the proxy as an ASGI app. Raises UserError for settings that make no sense."""
    return Proxy(settings)


def _used_tokens(call: Call) -> int | None:
    """Return what counts against a minute's tokens, None where nobody knows; `pending` was never forwarded."""
    if call.usage_state in ("none", "pending"):
        return 0
    return call.usage.total_tokens if call.usage else None


async def _send_refusal(call: Call, refusal: Refusal, send: Send) -> None:
    call.status = refusal.status
    call.outcome = f"refused ({refusal.reason.name.lower()})"
    body = refusal_body(call.provider.dialect, refusal, request_id=call.request_id)
    headers = [
        (b"content-type", b"application/json"),
        (b"content-length", str(len(body)).encode()),
        (REQUEST_ID_HEADER, call.request_id.encode()),
    ]
    if refusal.retry_after_seconds is not None:
        headers.append((b"retry-after", b"%d" % max(round(refusal.retry_after_seconds), 1)))
    if refusal.reason is Reason.NOT_SIGNED_IN:
        headers.append((b"www-authenticate", b"Bearer"))
    if refusal.reason in (Reason.TOO_LARGE, Reason.NOT_SIGNED_IN):
        headers.append((b"connection", b"close"))  # the rest of the body is not read
    await send({"type": "http.response.start", "status": refusal.status, "headers": headers})
    await send({"type": "http.response.body", "body": body})
