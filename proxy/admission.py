"""Decides over calls: who calls, which model, may they, where does it go."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import lru_cache

from hawk.auth import Principal
from hawk.model_registry.prices import TokenUsage, cost_usd, price_at
from hawk.naming import EPOCH_HEADER, EVAL_ID_HEADER, SAMPLE_ID_HEADER, SAMPLE_UUID_HEADER, TASK_NAME_HEADER
from hawk.permissions import UNRESOLVED_GROUP, missing_groups
from hawk.settings import ProxySettings
from proxy.callers import Callers
from proxy.calls import NOTHING, Call, CallerFacts, Receive, Scope
from proxy.headers import client_token, upstream_query
from proxy.paths import FREE_OPERATIONS
from proxy.providers import Provider
from proxy.refusals import ClientGone, Reason, Refusal
from proxy.registered import RegisteredModel
from proxy.registry import Registry
from proxy.request_body import Body, BodyFacts, BodyPart, body_facts, facts_of_named, with_model

BYTES_PER_TOKEN = 4  # of JSON; a guess that is on the high side for prose, and that only reserves
MAX_FACT_CHARACTERS = 512
MAX_EPOCH = 2**31 - 1

_EVAL_ID = EVAL_ID_HEADER.encode()
_TASK_NAME = TASK_NAME_HEADER.encode()
_SAMPLE_UUID = SAMPLE_UUID_HEADER.encode()
_SAMPLE_ID = SAMPLE_ID_HEADER.encode()
_EPOCH = EPOCH_HEADER.encode()


@dataclass(frozen=True, slots=True)
class Admitted:
    """A call that may go on: the path at the provider, and the body in parts."""

    path: str
    body: list[BodyPart]
    size_bytes: int


class Admission:
    """Checks are ordered so that a stranger learns nothing and uploads nothing."""

    def __init__(self, settings: ProxySettings, callers: Callers, registry: Registry) -> None:
        self._callers = callers
        self._registry = registry
        self._max_request_bytes = settings.max_request_bytes
        self._reserved_output_tokens = settings.reserved_output_tokens

    async def admit(self, call: Call, path: str, scope: Scope, receive: Receive) -> Admitted:
        """Return where the call goes. Raises Refusal with the reason, or ClientGone."""
        provider = call.provider
        headers = dict(scope["headers"])
        query = scope["query_string"]
        call.principal = await self._callers.principal(client_token(headers, query))
        target = provider.target(path)
        if target is None or scope["method"] != "POST":
            raise Refusal(
                Reason.UNKNOWN_PATH, f"The proxy does not forward {scope['method']} {path[:200]} to {provider.name}."
            )
        if not provider.has_key:
            raise Refusal(Reason.UNAVAILABLE, f"The proxy has no key for {provider.name}. Ask an administrator.")
        call.operation = target.operation
        body = await self._body(headers, receive)
        call.request_bytes = len(body)
        said = body_facts(body) if target.model is None else facts_of_named(provider.kind, target.model, body)
        call.wanted_model = said.models[0]
        models = [await self._model(provider, model) for model in said.models]
        _require_use(call.principal, said.models, tuple(model.group for model in models))
        call.model = model = models[0]
        call.provider_model = model.provider_model or said.models[0]
        if len(models) > 1 and any(other.provider_model for other in models):
            raise Refusal(Reason.BAD_REQUEST, "A model that has another name at its provider cannot have fallbacks.")
        call.facts = _facts(headers)
        call.priority = self._registry.now.priorities.get(call.eval_set_id, "medium")
        self._reserve(call, said)
        kept = upstream_query(query)
        return Admitted(
            path=f"{provider.base_path}{target.path(model.provider_model)}{'?' if kept else ''}{kept}",
            body=with_model(body, model.provider_model) if target.model is None and model.provider_model else [body],
            size_bytes=len(body),
        )

    async def _body(self, headers: Mapping[bytes, bytes], receive: Receive) -> Body:
        if headers.get(b"content-encoding", b"identity") != b"identity":
            raise Refusal(Reason.ENCODED, "Send the request body without Content-Encoding.")
        declared = headers.get(b"content-length", b"0")
        if not declared.isdigit() or int(declared) > self._max_request_bytes:
            raise self._too_large()
        message = await receive()
        if message["type"] == "http.request" and not message.get("more_body"):
            return bytes(message.get("body", b""))
        body = bytearray()  # grows where it lies, so that a body is in memory once, and no piece of it stays behind
        while True:
            if message["type"] == "http.disconnect":
                raise ClientGone
            body += message.get("body", b"")
            if len(body) > self._max_request_bytes:
                raise self._too_large()
            if not message.get("more_body"):
                return body
            message = await receive()

    def _too_large(self) -> Refusal:
        return Refusal(Reason.TOO_LARGE, f"The request body is over {self._max_request_bytes} bytes.")

    async def _model(self, provider: Provider, name: str) -> RegisteredModel:
        model = await self._registry.model(provider.registered_names(name))
        if model is None and not self._registry.is_known:
            raise Refusal(Reason.UNAVAILABLE, "The proxy does not know any model yet; its database does not answer.")
        if model is None or not model.group or model.group == UNRESOLVED_GROUP:
            raise Refusal(Reason.UNKNOWN_MODEL, f"The model `{name[:200]}` does not exist or nobody has registered it.")
        if not model.is_active:
            raise Refusal(Reason.UNKNOWN_MODEL, f"The model `{name[:200]}` was deactivated. Take another.")
        return model

    def _reserve(self, call: Call, said: BodyFacts) -> None:
        """Note the most that the call may use, as far as one can know before it is made."""
        if call.operation in FREE_OPERATIONS:
            return
        model = call.model
        assert model is not None
        input_tokens = max(call.request_bytes // BYTES_PER_TOKEN, 1)
        if model.context_tokens:
            input_tokens = min(input_tokens, model.context_tokens)
        is_embedding = call.operation in ("embeddings", "embedContent")
        most = said.output_tokens or model.output_tokens or self._reserved_output_tokens
        reserve = TokenUsage(input_tokens=input_tokens, output_tokens=0 if is_embedding else most)
        call.reserved_tokens = reserve.total_tokens
        if model.prices:
            call.price = price_at(model.prices, datetime.fromtimestamp(call.started_at, UTC), input_tokens)
            call.reserved_usd = (call.price and cost_usd(call.price, reserve)) or NOTHING


def _require_use(principal: Principal, models: tuple[str, ...], groups: tuple[str, ...]) -> None:
    missing = _missing_groups(principal, groups)
    if missing:
        raise Refusal(
            Reason.NOT_ALLOWED,
            f"You may not use {', '.join(models)[:400]}: you lack {', '.join(missing)}. Ask an administrator.",
        )


# Principals are remembered by Callers and never change, so what they lack can be remembered, too.
@lru_cache(maxsize=4096)
def _missing_groups(principal: Principal, groups: tuple[str, ...]) -> tuple[str, ...]:
    return tuple(missing_groups(principal, groups))


def _facts(headers: Mapping[bytes, bytes]) -> CallerFacts:
    if _EVAL_ID not in headers and _SAMPLE_UUID not in headers:
        return CallerFacts()
    epoch = headers.get(_EPOCH, b"")
    return CallerFacts(
        eval_id=_fact(headers, _EVAL_ID),
        task_name=_fact(headers, _TASK_NAME),
        sample_uuid=_fact(headers, _SAMPLE_UUID),
        sample_id=_fact(headers, _SAMPLE_ID),
        epoch=int(epoch) if epoch.isdigit() and len(epoch) < 11 and int(epoch) <= MAX_EPOCH else None,
    )


def _fact(headers: Mapping[bytes, bytes], name: bytes) -> str:
    text = headers.get(name, b"").decode("latin-1")
    if not text.isascii() or not text.isprintable():
        text = "".join(character if "\x20" <= character <= "\x7e" else "?" for character in text)
    return text[:MAX_FACT_CHARACTERS]
