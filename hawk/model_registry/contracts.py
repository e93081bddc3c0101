"""Bodies of requests and answers about models and their use, for the API and its clients."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, SecretStr

NAME_PATTERN = r"^[A-Za-z0-9][A-Za-z0-9._:@/-]*$"
ModelName = Annotated[
    str, Field(pattern=NAME_PATTERN, max_length=200, description="As Inspect names it: openai/gpt-4o-mini.")
]
GroupName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=200)]
ProviderName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9-]*$", max_length=60)]
Usd = Annotated[Decimal, Field(ge=0, le=1_000_000, description="US dollars per million tokens.")]
LimitKind = Literal["model", "group"]
BudgetKind = Literal["eval_set", "user", "team"]
Period = Literal["total", "month", "day"]


class _Request(BaseModel):
    model_config = ConfigDict(extra="forbid")


class _Answer(BaseModel):
    model_config = ConfigDict(extra="ignore")


class PriceBody(_Answer):
    """A price from a moment on, for calls with at least so many input tokens."""

    effective_at: datetime | None = Field(default=None, description="Unset: from now on.")
    from_input_tokens: int = Field(default=0, ge=0, le=100_000_000)
    input_usd: Usd | None = None
    output_usd: Usd | None = None
    cache_read_usd: Usd | None = None
    cache_write_usd: Usd | None = None
    cache_write_1h_usd: Usd | None = None
    source: str = ""


class AddModelRequest(_Request):
    """A model that people may use who hold its group."""

    model_name: ModelName
    model_group: GroupName
    provider_model: str | None = Field(default=None, pattern=NAME_PATTERN, max_length=200)
    lab: str = Field(default="", max_length=200)
    context_tokens: int | None = Field(default=None, ge=1)
    output_tokens: int | None = Field(default=None, ge=1)
    note: str = Field(default="", max_length=2000)
    prices: list[PriceBody] | None = Field(default=None, description="Unset: those of the price list, if it has any.")


class UpdateModelRequest(_Request):
    """What is to change; what is unset stays."""

    model_group: GroupName | None = None
    provider_model: str | None = Field(default=None, pattern=NAME_PATTERN, max_length=200)
    lab: str | None = Field(default=None, max_length=200)
    context_tokens: int | None = Field(default=None, ge=1)
    output_tokens: int | None = Field(default=None, ge=1)
    note: str | None = Field(default=None, max_length=2000)
    prices: list[PriceBody] | None = Field(default=None, description="Are added to those that there are.")
    take_listed_prices: bool = False


class ModelResponse(_Answer):
    """A registered model, for administrators."""

    model_name: str
    model_group: str
    provider_model: str | None = None
    lab: str = ""
    is_active: bool = True
    context_tokens: int | None = None
    output_tokens: int | None = None
    note: str = ""
    changed_by: str | None = None
    changed_at: datetime | None = None
    prices: list[PriceBody] = Field(default_factory=list)


class RegisteredModelsResponse(_Answer):
    models: list[ModelResponse]


class DiscoveredModel(_Answer):
    """A model that a provider offers, and whether it is registered."""

    provider_model: str
    model_name: str
    is_registered: bool


class DiscoveryResponse(_Answer):
    provider: str
    models: list[DiscoveredModel]


class SetProviderRequest(_Request):
    """A provider beside those that the proxy knows, or in the place of one."""

    dialect: Literal["openai", "anthropic", "google", "azure"]
    upstream: str = Field(max_length=500, description="https://host or https://host/path; the proxy must allow it.")
    key_reference: str = Field(max_length=600, description="env:NAME_API_KEY, secret:NAME, stored or none.")
    is_active: bool = True


class ProviderResponse(_Answer):
    provider: str
    dialect: str
    upstream: str
    key_reference: str
    is_active: bool
    has_stored_key: bool = False


class ProviderListResponse(_Answer):
    """Providers that were registered, and those for which a key is stored."""

    providers: list[ProviderResponse]
    stored_keys: list[str]


class SetProviderKeyRequest(_Request):
    key: SecretStr


class ProviderKeyResponse(_Answer):
    provider: str
    is_stored: bool


class SetLimitRequest(_Request):
    """What all callers together may do; null: as much as they like."""

    concurrency: int | None = Field(default=None, ge=0, le=1_000_000)
    requests_per_minute: int | None = Field(default=None, ge=0, le=100_000_000)
    tokens_per_minute: int | None = Field(default=None, ge=0, le=10**12)


class LimitResponse(_Answer):
    scope: LimitKind
    name: str
    concurrency: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


class SetBudgetRequest(_Request):
    limit_usd: Decimal = Field(ge=0, le=1_000_000_000)


class BudgetResponse(_Answer):
    scope: BudgetKind
    name: str
    period: Period
    limit_usd: Decimal
    spent_usd: Decimal = Decimal(0)


class SetTeamRequest(_Request):
    """Who belongs to a team, in place of those who did."""

    members: list[Annotated[str, Field(min_length=1, max_length=200)]] = Field(max_length=10_000)


class TeamResponse(_Answer):
    team: str
    members: list[str]


class UsageRow(_Answer):
    """What was used in one group of calls."""

    name: str = Field(description="The day, model, eval set or user that the row is of.")
    call_count: int
    missing_count: int = Field(description="Calls of which nobody knows how many tokens they used.")
    input_tokens: int
    output_tokens: int
    input_tokens_cache_read: int
    input_tokens_cache_write: int
    reasoning_tokens: int
    cost_usd: Decimal
    charged_usd: Decimal = Field(description="cost_usd, and what is reserved for calls whose use is not known.")


class UsageResponse(_Answer):
    by: str
    days: int
    rows: list[UsageRow]


class LiveModel(_Answer):
    """What goes through the proxies now."""

    model_name: str
    open_calls: int
    calls_last_minute: int
    tokens_last_minute: int
    refused_by_provider_last_minute: int = Field(description="Answers 429, 503 and 529.")
    waited_seconds: float = Field(description="Mean wait for a turn under a limit, of the last minute's calls.")


class LiveUsageResponse(_Answer):
    models: list[LiveModel]


class ProviderLimitResponse(_Answer):
    """What a provider last said of its own limits."""

    provider: str
    model_name: str
    observed_at: datetime
    http_status: int
    headers: dict[str, Any]


class UsageLimitsResponse(_Answer):
    """Limits and budgets that concern the caller, and what providers say of theirs."""

    limits: list[LimitResponse]
    budgets: list[BudgetResponse]
    provider_limits: list[ProviderLimitResponse]
