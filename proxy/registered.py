"""What the proxy goes by, as last read from Postgres: models, providers, limits, budgets; replaced, never changed."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from types import MappingProxyType
from typing import Literal

from hawk.model_registry.prices import Price

Priority = Literal["high", "medium", "low"]
LimitScope = tuple[Literal["model", "group"], str]
BudgetScope = tuple[str, str, str]  # eval_set | user | team, its name, total | month | day

_NOTHING: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class RegisteredModel:
    """A model that has a group; `provider_model` is its name at the provider where that is another."""

    name: str
    group: str
    provider_model: str | None = None
    is_active: bool = True
    context_tokens: int | None = None
    output_tokens: int | None = None
    prices: tuple[Price, ...] = ()


@dataclass(frozen=True, slots=True)
class ProviderRow:
    """A provider that an administrator registered, or changed."""

    name: str
    dialect: str
    upstream: str
    key_reference: str
    is_active: bool


@dataclass(frozen=True, slots=True)
class UsageLimit:
    """What all callers of a model or group together may do; None: as much as they like."""

    concurrency: int | None = None
    requests_per_minute: int | None = None
    tokens_per_minute: int | None = None


@dataclass(frozen=True, slots=True)
class Registered:
    """One reading of the registry."""

    models: Mapping[str, RegisteredModel] = field(default_factory=dict)
    provider_rows: tuple[ProviderRow, ...] = ()
    stored_keys: Mapping[str, bytes] = field(default_factory=dict, repr=False)
    limits: Mapping[LimitScope, UsageLimit] = field(default_factory=dict)
    budgets: Mapping[BudgetScope, Decimal] = field(default_factory=dict)
    teams_of_user: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    priorities: Mapping[str, str] = _NOTHING  # of eval sets that are active
