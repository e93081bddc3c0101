"""What a call costs: prices in force at a moment, by tier, applied to the tokens that were used."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple


@dataclass(frozen=True, slots=True)
class TokenUsage:
    """Tokens as Inspect counts them: `input_tokens` has neither what was read from a cache nor what was written."""

    input_tokens: int = 0
    output_tokens: int = 0
    input_tokens_cache_read: int = 0
    input_tokens_cache_write: int = 0
    input_tokens_cache_write_1h: int = 0  # part of input_tokens_cache_write: kept for an hour, which is dearer
    reasoning_tokens: int = 0  # part of output_tokens

    @property
    def all_input_tokens(self) -> int:
        return self.input_tokens + self.input_tokens_cache_read + self.input_tokens_cache_write

    @property
    def total_tokens(self) -> int:
        return self.all_input_tokens + self.output_tokens


class Price(NamedTuple):
    """US dollars per million tokens from a moment on, for calls with at least `from_input_tokens`."""

    effective_at: datetime
    from_input_tokens: int
    input_usd: Decimal | None
    output_usd: Decimal | None
    cache_read_usd: Decimal | None = None
    cache_write_usd: Decimal | None = None
    cache_write_1h_usd: Decimal | None = None


def price_at(prices: Sequence[Price], moment: datetime, input_tokens: int) -> Price | None:
    """Return the price in force, or None if there was none yet. A tier's price holds for all tokens of a call."""
    in_force: Price | None = None
    for price in prices:
        if price.effective_at > moment or price.from_input_tokens > input_tokens:
            continue
        if in_force is None or price[:2] > in_force[:2]:
            in_force = price
    return in_force


def cost_usd(price: Price, usage: TokenUsage) -> Decimal | None:
    """Return what the tokens cost, or None where the price of some that were used is unknown.

    Where reading from or writing to a cache has no price of its own, it costs what input does.
    """
    cache_read = price.input_usd if price.cache_read_usd is None else price.cache_read_usd
    cache_write = price.input_usd if price.cache_write_usd is None else price.cache_write_usd
    cache_write_1h = cache_write if price.cache_write_1h_usd is None else price.cache_write_1h_usd
    millionths = Decimal(0)
    for tokens, usd in (
        (usage.input_tokens, price.input_usd),
        (usage.output_tokens, price.output_usd),
        (usage.input_tokens_cache_read, cache_read),
        (usage.input_tokens_cache_write - usage.input_tokens_cache_write_1h, cache_write),
        (usage.input_tokens_cache_write_1h, cache_write_1h),
    ):
        if tokens:
            if usd is None:
                return None
            millionths += tokens * usd
    return millionths.scaleb(-6)
