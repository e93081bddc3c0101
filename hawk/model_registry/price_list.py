"""Prices of models as the package genai-prices lists them, which comes with its list and asks nobody for one."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

from hawk.model_registry.prices import Price

ALWAYS = datetime(2020, 1, 1, tzinfo=UTC)  # of prices whose beginning the list does not know
# Names of providers here and there.
_PROVIDER_IDS = {
    "azureai": "azure",
    "bedrock": "aws",
    "grok": "x-ai",
    "hf-inference-providers": "huggingface_together",
    "moonshot": "moonshotai",
    "vertex": "google",
    "xai": "x-ai",
}
_SERVICES = frozenset({("openai", "azure"), ("google", "vertex")})


@dataclass(frozen=True)
class ListedModel:
    """What the list says of a model."""

    prices: tuple[Price, ...]
    context_tokens: int | None
    source: str


def listed_model(model_name: str, *, provider_model: str | None = None) -> ListedModel | None:
    """Return what the list says of a model, named as Inspect names it, or None where it does not know it."""
    import genai_prices
    from genai_prices.data_snapshot import get_snapshot

    provider, name = _provider_and_name(model_name)
    try:
        _, found = get_snapshot().find_provider_model(
            provider_model or name, None, _PROVIDER_IDS.get(provider, provider), None
        )
    except LookupError:
        return None
    return ListedModel(
        prices=tuple(_prices(found.prices)),
        context_tokens=found.context_window,
        source=f"genai-prices {genai_prices.__version__}",
    )


def _provider_and_name(model_name: str) -> tuple[str, str]:
    """Return who serves a model, and what it is called there: openai-api/groq/llama is groq's llama."""
    provider, *rest = model_name.removeprefix("openai-api/").split("/")
    if len(rest) > 1 and (provider, rest[0]) in _SERVICES:
        provider, *rest = rest
    return provider, "/".join(rest)


def _prices(listed: Any) -> Iterator[Price]:
    """Yield rows by beginning and tier. Of prices by the time of day the dearest counts: a budget must hold."""
    by_start: dict[datetime, Any] = {}
    for conditional in listed if isinstance(listed, list) else [None]:
        prices = conditional.prices if conditional is not None else listed
        start = getattr(conditional and conditional.constraint, "start_date", None)
        moment = datetime(start.year, start.month, start.day, tzinfo=UTC) if start else ALWAYS
        if moment not in by_start or _base(prices.input_mtok) > _base(by_start[moment].input_mtok):
            by_start[moment] = prices
    for moment, prices in sorted(by_start.items(), key=lambda item: item[0]):
        for tokens in sorted({0, *_thresholds(prices)}):
            yield Price(
                effective_at=moment,
                from_input_tokens=tokens,
                input_usd=_at(prices.input_mtok, tokens),
                output_usd=_at(prices.output_mtok, tokens),
                cache_read_usd=_at(prices.cache_read_mtok, tokens),
                cache_write_usd=_at(prices.cache_write_mtok, tokens),
                cache_write_1h_usd=_at(getattr(prices, "cache_write_1h_mtok", None), tokens),
            )


def _thresholds(prices: Any) -> set[int]:
    tiered = (prices.input_mtok, prices.output_mtok, prices.cache_read_mtok, prices.cache_write_mtok)
    return {tier.start + 1 for price in tiered for tier in getattr(price, "tiers", ())}


def _at(price: Any, tokens: int) -> Decimal | None:
    """Return a price for so many input tokens; a tier begins above its start."""
    if price is None or isinstance(price, Decimal):
        return price
    found: Decimal = price.base
    for tier in price.tiers:
        if tokens > tier.start:
            found = tier.price
    return found


def _base(price: Any) -> Decimal:
    found = _at(price, 0)
    return Decimal(0) if found is None else found
