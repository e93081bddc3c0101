"""OpenTelemetry traces of calls, where a collector is set: one span a call, by the conventions for generative AI."""

import logging
from typing import TYPE_CHECKING, Any

from hawk.errors import UserError
from proxy.calls import Call, Scope

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import TracerProvider

SERVICE_NAME = "hawk-proxy"
NANOSECONDS = 1_000_000_000

logger = logging.getLogger(__name__)


class Tracing:
    """Records spans after calls have ended, never prompts or answers; does nothing without an endpoint."""

    def __init__(self, endpoint: str | None) -> None:
        """Raises UserError where an endpoint is set and OpenTelemetry is not installed."""
        self._provider = _provider(endpoint) if endpoint else None

    def record(self, call: Call, scope: Scope) -> None:
        """Record a call that has ended, as a part of the caller's trace where it has one."""
        if self._provider is None:
            return
        from opentelemetry.trace import SpanKind, Status, StatusCode
        from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

        headers = {name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]}
        span = self._provider.get_tracer(SERVICE_NAME).start_span(
            f"{call.operation or 'call'} {call.wanted_model[:200]}".strip(),
            context=TraceContextTextMapPropagator().extract(headers),
            kind=SpanKind.CLIENT,
            attributes=_attributes(call),
            start_time=int(call.started_at * NANOSECONDS),
        )
        if call.status >= 400 or call.state in ("failed", "broken"):
            span.set_status(Status(StatusCode.ERROR, call.outcome))
        span.end(int((call.started_at + (call.total_seconds or 0.0)) * NANOSECONDS))

    def stop(self) -> None:
        """Send what is left."""
        if self._provider is not None:
            self._provider.shutdown()


def _provider(endpoint: str) -> "TracerProvider":
    try:
        from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter
        from opentelemetry.sdk.resources import Resource
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import BatchSpanProcessor
    except ImportError as error:
        raise UserError(
            "HAWK_OTLP_ENDPOINT is set, but OpenTelemetry is not installed.",
            hint="Install hawk-dagster[proxy,tracing].",
        ) from error
    provider = TracerProvider(resource=Resource.create({"service.name": SERVICE_NAME}))
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter(endpoint=endpoint)))
    return provider


def _attributes(call: Call) -> dict[str, Any]:
    facts = {
        "gen_ai.provider.name": call.provider.name,
        "gen_ai.request.model": call.wanted_model[:200],
        "gen_ai.response.model": call.provider_model,
        "gen_ai.operation.name": call.operation,
        "http.response.status_code": call.status,
        "server.address": call.provider.origin.host,
        "hawk.request_id": call.request_id,
        "hawk.eval_set_id": call.eval_set_id,
        "hawk.eval_id": call.facts.eval_id,
        "hawk.sample_uuid": call.facts.sample_uuid,
        "hawk.waited_seconds": call.waited_seconds,
        "hawk.retry_count": call.retry_count,
    }
    if call.usage is not None:
        facts["gen_ai.usage.input_tokens"] = call.usage.all_input_tokens
        facts["gen_ai.usage.output_tokens"] = call.usage.output_tokens
    return {name: value for name, value in facts.items() if value not in ("", None)}
