"""Which providers there are: their path at the proxy, their address, and how they take a key."""

import logging
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from urllib.parse import urlsplit

from pydantic import SecretStr

from hawk.errors import UserError
from hawk.settings import ProxySettings
from proxy.paths import ProviderKind, Target, VertexPlace, target_of
from proxy.refusals import Dialect
from proxy.registered import ProviderRow
from proxy.service_account import ServiceAccount
from proxy.upstream_client import Origin, origin_of

# Base URLs to which `/v1/chat/completions` is added.
COMPATIBLE_UPSTREAMS = {
    "cerebras": "https://api.cerebras.ai",
    "deepseek": "https://api.deepseek.com",
    "fireworks": "https://api.fireworks.ai/inference",
    "grok": "https://api.x.ai",
    "groq": "https://api.groq.com/openai",
    "hf-inference-providers": "https://router.huggingface.co",
    "mistral": "https://api.mistral.ai",
    "moonshot": "https://api.moonshot.ai",
    "nvidia": "https://integrate.api.nvidia.com",
    "openrouter": "https://openrouter.ai/api",
    "perplexity": "https://api.perplexity.ai",
    "sambanova": "https://api.sambanova.ai",
    "together": "https://api.together.xyz",
    "xai": "https://api.x.ai",
}
NAMES_ITSELF = frozenset({"perplexity"})  # in the names of its own models: Inspect calls perplexity/sonar just that
DIALECT_OF_KIND: Mapping[ProviderKind, Dialect] = {
    "openai": "openai",
    "azure": "openai",
    "anthropic": "anthropic",
    "google": "google",
    "vertex": "google",
}
_REGISTRABLE: Mapping[str, ProviderKind] = {
    "openai": "openai",
    "anthropic": "anthropic",
    "google": "google",
    "azure": "azure",
}
_PROVIDER_NAME = re.compile(r"[a-z0-9][a-z0-9-]*")
_RIM_PATHS = frozenset({"admin", "health", "metrics"})

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class Provider:
    """A provider as the proxy knows it: `/{name}/…` here is `{upstream}/…` there."""

    name: str
    kind: ProviderKind
    upstream: str
    origin: Origin
    needs_key: bool = True
    key_line: bytes = field(default=b"", repr=False)  # a header of HTTP/1.1
    service_account: ServiceAccount | None = field(default=None, repr=False)
    place: VertexPlace | None = None

    @property
    def dialect(self) -> Dialect:
        return DIALECT_OF_KIND[self.kind]

    @property
    def has_key(self) -> bool:
        return bool(self.key_line) or self.service_account is not None or not self.needs_key

    @cached_property
    def base_path(self) -> str:
        return urlsplit(self.upstream).path

    @cached_property
    def host_header(self) -> bytes:
        return self.origin.host_header

    def target(self, path: str) -> Target | None:
        """Return where the rest of a path leads, or None if it is not one of those that are let through."""
        return target_of(self.kind, path, place=self.place)

    def registered_names(self, model: str) -> tuple[str, ...]:
        """Return the names that the registry may know a model by, as Inspect names it."""
        if self.kind == "vertex":
            return (f"google/vertex/{model}", f"vertex/{model}")
        if self.kind == "azure":
            return (f"openai/azure/{model}", f"azureai/{model}")
        if self.name in NAMES_ITSELF and model.startswith(f"{self.name}/"):
            return (model,)
        if self.kind == "openai" and self.name != "openai":
            return (f"{self.name}/{model}", f"openai-api/{self.name}/{model}")
        return (f"{self.name}/{model}",)


def providers_of(settings: ProxySettings) -> dict[str, Provider]:
    """Return the providers of the settings by name. Raises UserError for an upstream that is no http(s) URL."""
    upstreams = COMPATIBLE_UPSTREAMS | settings.provider_upstreams
    unknown = set(settings.provider_keys) - set(upstreams)
    if unknown:
        raise UserError(
            f"HAWK_PROVIDER_KEYS has keys of unknown providers: {', '.join(sorted(unknown))}.",
            hint="Give their base URLs in HAWK_PROVIDER_UPSTREAMS.",
        )
    providers = [
        provider_of("openai", "openai", settings.openai_upstream, settings.openai_api_key),
        provider_of("anthropic", "anthropic", settings.anthropic_upstream, settings.anthropic_api_key),
        provider_of("google", "google", settings.google_upstream, settings.google_api_key),
        _vertex(settings),
        *(
            provider_of(
                name,
                "openai",
                upstream,
                settings.provider_keys.get(name),
                needs_key=name not in settings.provider_upstreams,
            )
            for name, upstream in upstreams.items()
        ),
    ]
    if settings.azure_upstream:
        providers.append(provider_of("azure", "azure", settings.azure_upstream, settings.azure_api_key))
    return {provider.name: provider for provider in providers}


def registered_provider(row: ProviderRow, key: SecretStr | None, *, allowed: frozenset[str]) -> Provider:
    """Return the provider that a row describes. Raises UserError where it may not be called."""
    kind = _REGISTRABLE.get(row.dialect)
    if kind is None:
        raise UserError(f"The provider {row.name} has the unknown dialect {row.dialect!r}.", value=row.dialect)
    provider = provider_of(row.name, kind, row.upstream, key, needs_key=row.key_reference != "none")
    if provider.origin.host not in allowed:
        raise UserError(
            f"The host {provider.origin.host!r} of the provider {row.name} is not one that the proxy may call.",
            hint="Add it to HAWK_ALLOWED_UPSTREAM_HOSTS of the proxy.",
            value=provider.origin.host,
        )
    return provider


def allowed_hosts(settings: ProxySettings) -> frozenset[str]:
    """Return the hosts that calls may go to: those of the settings, and of the providers that we know."""
    known = {provider.origin.host for provider in providers_of(settings).values()}
    return frozenset(known | {host.lower() for host in settings.allowed_upstream_hosts})


def provider_of(
    name: str, kind: ProviderKind, upstream: str, api_key: SecretStr | None, *, needs_key: bool = True
) -> Provider:
    """Return a provider. Raises UserError for a name or base URL that cannot be one."""
    if not _PROVIDER_NAME.fullmatch(name) or name in _RIM_PATHS:
        raise UserError(f"{name!r} cannot be a provider's name.", hint="Use a-z, 0-9 and '-'.", value=name)
    parts = urlsplit(upstream)
    is_base_url = parts.scheme in ("http", "https") and parts.hostname and upstream.isascii()
    if not is_base_url or parts.query or parts.fragment or parts.username or re.search(r"[\s\x00-\x1f]", upstream):
        raise UserError(
            f"The upstream of {name}, {upstream!r}, is not a base URL.",
            hint="Use https://host or https://host/path.",
            value=upstream,
        )
    upstream = upstream.rstrip("/")
    try:
        origin = origin_of(upstream)
    except ValueError as error:
        raise UserError(f"The upstream of {name}, {upstream!r}, has no port: {error}.", value=upstream) from error
    return Provider(name, kind, upstream, origin, needs_key, _key_line(kind, api_key))


def _vertex(settings: ProxySettings) -> Provider:
    provider = provider_of("vertex", "vertex", settings.vertex_upstream, settings.vertex_api_key)
    place = None
    if settings.vertex_project and settings.vertex_location:
        place = VertexPlace(settings.vertex_project, settings.vertex_location)
    account = settings.vertex_service_account
    if account is not None and place is None:
        raise UserError(
            "HAWK_VERTEX_SERVICE_ACCOUNT needs to know whose calls it pays.",
            hint="Set HAWK_VERTEX_PROJECT and HAWK_VERTEX_LOCATION.",
        )
    return Provider(
        name=provider.name,
        kind=provider.kind,
        upstream=provider.upstream,
        origin=provider.origin,
        key_line=provider.key_line,
        service_account=ServiceAccount(account) if account else None,
        place=place,
    )


def _key_line(kind: ProviderKind, api_key: SecretStr | None) -> bytes:
    if api_key is None or not api_key.get_secret_value().strip():
        return b""
    key = api_key.get_secret_value().strip()
    if not key.isascii() or not key.isprintable():
        raise UserError("The key of a provider has characters that no header can hold.", hint="Give it anew.")
    match kind:
        case "openai":
            return b"authorization: Bearer " + key.encode() + b"\r\n"
        case "anthropic":
            return b"x-api-key: " + key.encode() + b"\r\n"
        case "azure":
            return b"api-key: " + key.encode() + b"\r\n"
        case "google" | "vertex":
            return b"x-goog-api-key: " + key.encode() + b"\r\n"
