"""Registered models in Postgres: added, changed, activated, deactivated; the proxies hear of it by themselves."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime

from psycopg import Connection
from psycopg.rows import DictRow

from hawk.errors import Conflict, NotFound, UserError
from hawk.model_registry.contracts import AddModelRequest, ModelResponse, PriceBody, UpdateModelRequest
from hawk.model_registry.price_list import listed_model
from hawk.model_registry.prices import Price
from hawk.permissions import is_known_group

BY_HAND = "by hand"
_PRICE_COLUMNS = ("input_usd", "output_usd", "cache_read_usd", "cache_write_usd", "cache_write_1h_usd")

_MODELS = """
select model_group.model_name, model_group.model_group, model.provider_model, coalesce(model.lab, '') as lab,
    coalesce(model.is_active, true) as is_active, model.context_tokens, model.output_tokens,
    coalesce(model.note, '') as note, model.changed_by, model.changed_at
from ops.model_group left join ops.model using (model_name)
where %(name)s::text is null or model_name = %(name)s
order by model_name
"""
_PRICES = """
select * from ops.model_price where %(name)s::text is null or model_name = %(name)s
order by model_name, effective_at, from_input_tokens
"""


def registered_models(connection: Connection[DictRow], name: str | None = None) -> list[ModelResponse]:
    """Return all models with their prices, or the one of that name, ordered by name."""
    prices: dict[str, list[PriceBody]] = {}
    for row in connection.execute(_PRICES, {"name": name}):
        prices.setdefault(row["model_name"], []).append(PriceBody.model_validate(row))
    rows = connection.execute(_MODELS, {"name": name}).fetchall()
    return [ModelResponse(**row, prices=prices.get(row["model_name"], [])) for row in rows]


def registered_model(connection: Connection[DictRow], name: str) -> ModelResponse:
    """Return a model. Raises NotFound."""
    found = registered_models(connection, name)
    if not found:
        raise NotFound(f"No model {name!r} is registered.", hint="hawk models list --all shows all.", value=name)
    return found[0]


def add_model(connection: Connection[DictRow], request: AddModelRequest, *, changed_by: str) -> ModelResponse:
    """Register a model, with the price list's prices unless others are given. Raises Conflict, UserError."""
    _check_group(request.model_group)
    inserted = connection.execute(
        "insert into ops.model_group (model_name, model_group) values (%s, %s) on conflict do nothing returning 1",
        [request.model_name, request.model_group],
    ).fetchone()
    if inserted is None:
        raise Conflict(
            f"The model {request.model_name!r} is registered already.",
            hint="Change it: hawk models update.",
            value=request.model_name,
        )
    listed = listed_model(request.model_name, provider_model=request.provider_model)
    connection.execute(
        """
        insert into ops.model
            (model_name, provider_model, lab, context_tokens, output_tokens, note, changed_by, changed_at)
        values (%s, %s, %s, %s, %s, %s, %s, now())
        """,
        [
            request.model_name,
            request.provider_model,
            request.lab,
            request.context_tokens or (listed.context_tokens if listed else None),
            request.output_tokens,
            request.note,
            changed_by,
        ],
    )
    if request.prices is not None:
        _add_prices(connection, request.model_name, request.prices)
    else:
        take_listed_prices(connection, request.model_name, provider_model=request.provider_model)
    return registered_model(connection, request.model_name)


def update_model(
    connection: Connection[DictRow], name: str, request: UpdateModelRequest, *, changed_by: str
) -> ModelResponse:
    """Change what is set. Raises NotFound, UserError."""
    current = registered_model(connection, name)
    if request.model_group is not None:
        _check_group(request.model_group)
        connection.execute(
            "update ops.model_group set model_group = %s where model_name = %s", [request.model_group, name]
        )
    said = request.model_dump(exclude_unset=True, exclude={"model_group", "prices", "take_listed_prices"})
    merged = {
        column: said.get(column, getattr(current, column))
        for column in ("provider_model", "lab", "context_tokens", "output_tokens", "note")
    }
    connection.execute(
        """
        insert into ops.model
            (model_name, provider_model, lab, context_tokens, output_tokens, note, changed_by, changed_at)
        values (%(name)s, %(provider_model)s, %(lab)s, %(context_tokens)s, %(output_tokens)s, %(note)s, %(by)s, now())
        on conflict (model_name) do update set
            provider_model = excluded.provider_model, lab = excluded.lab, context_tokens = excluded.context_tokens,
            output_tokens = excluded.output_tokens, note = excluded.note,
            changed_by = excluded.changed_by, changed_at = excluded.changed_at
        """,
        {**merged, "lab": merged["lab"] or "", "note": merged["note"] or "", "name": name, "by": changed_by},
    )
    if request.prices:
        _add_prices(connection, name, request.prices)
    if request.take_listed_prices and not take_listed_prices(connection, name, provider_model=merged["provider_model"]):
        raise UserError(f"The price list does not know {name!r}.", hint="Give its prices by hand.", value=name)
    return registered_model(connection, name)


def set_active(connection: Connection[DictRow], name: str, *, is_active: bool, changed_by: str) -> ModelResponse:
    """Let a model be used, or no more; its group and history stay. Raises NotFound."""
    registered_model(connection, name)
    connection.execute(
        """
        insert into ops.model (model_name, is_active, changed_by, changed_at) values (%s, %s, %s, now())
        on conflict (model_name) do update set
            is_active = excluded.is_active, changed_by = excluded.changed_by, changed_at = excluded.changed_at
        """,
        [name, is_active, changed_by],
    )
    return registered_model(connection, name)


def take_listed_prices(connection: Connection[DictRow], name: str, *, provider_model: str | None = None) -> bool:
    """Record what the price list says where that is new. Returns whether it knows the model."""
    listed = listed_model(name, provider_model=provider_model)
    if listed is None:
        return False
    rows = connection.execute("select * from ops.model_price where model_name = %s", [name]).fetchall()
    recorded = [Price(*(row[column] for column in Price._fields)) for row in rows]
    new = prices_to_record(recorded, listed.prices, now=datetime.now(UTC))
    _add_prices(connection, name, [PriceBody(**price._asdict(), source=listed.source) for price in new])
    return True


def prices_to_record(recorded: Sequence[Price], listed: Sequence[Price], *, now: datetime) -> list[Price]:
    """Return the listed prices that are to be added: all at first, then what has changed, in force from now on."""
    if not recorded:
        return list(listed)
    known = {price[:2] for price in recorded}
    coming = [price for price in listed if price.effective_at > now and price[:2] not in known]
    listed_now, recorded_now = _in_force(listed, now), _in_force(recorded, now)
    if {price[1:] for price in listed_now} == {price[1:] for price in recorded_now}:
        return coming
    return [price._replace(effective_at=now) for price in listed_now] + coming


def _in_force(prices: Sequence[Price], now: datetime) -> list[Price]:
    """Return the tiers of the newest price that is in force."""
    newest = max((price.effective_at for price in prices if price.effective_at <= now), default=None)
    return [price for price in prices if price.effective_at == newest]


def _add_prices(connection: Connection[DictRow], name: str, prices: Iterable[PriceBody]) -> None:
    now = datetime.now(UTC)
    connection.cursor().executemany(
        """
        insert into ops.model_price (
            model_name, effective_at, from_input_tokens, input_usd, output_usd, cache_read_usd, cache_write_usd,
            cache_write_1h_usd, source, recorded_at
        )
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, now())
        on conflict (model_name, effective_at, from_input_tokens) do update set
            input_usd = excluded.input_usd, output_usd = excluded.output_usd,
            cache_read_usd = excluded.cache_read_usd, cache_write_usd = excluded.cache_write_usd,
            cache_write_1h_usd = excluded.cache_write_1h_usd, source = excluded.source,
            recorded_at = excluded.recorded_at
        """,
        [
            [
                name,
                price.effective_at or now,
                price.from_input_tokens,
                *(getattr(price, column) for column in _PRICE_COLUMNS),
                price.source or BY_HAND,
            ]
            for price in prices
        ],
    )


def _check_group(group: str) -> None:
    if not is_known_group(group):
        raise UserError(f"{group!r} cannot be the group of a model.", hint="Use model-access-NAME.", value=group)
