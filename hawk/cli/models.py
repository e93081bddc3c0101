"""`hawk models`: which models one may use; for administrators, which there are."""

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import click

from hawk.cli import output
from hawk.cli.arguments import JSON
from hawk.cli.output import Cell, Table

if TYPE_CHECKING:
    from hawk.cli.client import HawkClient
    from hawk.model_registry.contracts import ModelResponse

INCLUDE = click.option(
    "-i", "--include", multiple=True, metavar="REGEX", help="Only names in which one of these is found."
)
EXCLUDE = click.option(
    "-x", "--exclude", multiple=True, metavar="REGEX", help="No names in which one of these is found."
)
PRICE = click.option(
    "--price",
    "prices",
    metavar="IN,OUT[,READ[,WRITE]]",
    help="US dollars per million tokens of input, output, cache reads and cache writes, from now on.",
)


@click.group(invoke_without_command=True, epilog="Example: hawk models --include openai/")
@INCLUDE
@EXCLUDE
@JSON
@click.pass_context
def models(ctx: click.Context, *, include: tuple[str, ...], exclude: tuple[str, ...], as_json: bool) -> None:
    """List the models that you may use, named as configs and Inspect name them; or keep them, as an administrator."""
    if ctx.invoked_subcommand is None:
        _list_mine(include, exclude, as_json=as_json)


@models.command(name="list", epilog="Example: hawk models list --all")
@INCLUDE
@EXCLUDE
@click.option("--all", "show_all", is_flag=True, help="All that there are, with groups and prices (administrators).")
@JSON
def list_(*, include: tuple[str, ...], exclude: tuple[str, ...], show_all: bool, as_json: bool) -> None:
    """List models."""
    if not show_all:
        _list_mine(include, exclude, as_json=as_json)
        return
    from hawk.model_registry.contracts import RegisteredModelsResponse

    is_wanted = _filter(include, exclude)
    answer = _client().ask(RegisteredModelsResponse, "GET", "/admin/models")
    found = [model for model in answer.models if is_wanted(model.model_name)]
    if as_json:
        output.say_json({"models": [model.model_dump(mode="json") for model in found]})
        return
    columns = ("model", "group", "state", "at the provider", "in $/M", "out $/M", "context", "note")
    output.say(Table(columns, [_row(model) for model in found]))


@models.command(epilog="Example: hawk models add openai/gpt-4o-mini model-access-public")
@click.argument("name")
@click.argument("group")
@click.option("--provider-model", metavar="NAME", help="What the provider calls it, where that is another name.")
@click.option("--lab", default="", help="Who made it.")
@click.option("--context-tokens", type=click.IntRange(1), help="Most tokens that it reads.")
@click.option("--output-tokens", type=click.IntRange(1), help="Most tokens of one answer.")
@click.option("--note", default="", help="A line for other administrators.")
@PRICE
@JSON
def add(*, name: str, group: str, prices: str | None, as_json: bool, **facts: Any) -> None:
    """Register the model NAME (openai/gpt-4o-mini) for those who hold GROUP.

    Its prices are those of the price list that Hawk comes with, unless --price says others.
    """
    body = {"model_name": name, "model_group": group, **facts, **_price_body(prices)}
    _change("POST", "/admin/models", body, as_json=as_json)


@models.command(epilog="Example: hawk models update openai/fast --provider-model gpt-4o-mini-2024-07-18")
@click.argument("name")
@click.option("--group", "model_group", metavar="GROUP", help="Who may use it from now on.")
@click.option("--provider-model", metavar="NAME", help="What the provider calls it; '' for its own name.")
@click.option("--lab", help="Who made it.")
@click.option("--context-tokens", type=click.IntRange(1), help="Most tokens that it reads.")
@click.option("--output-tokens", type=click.IntRange(1), help="Most tokens of one answer.")
@click.option("--note", help="A line for other administrators.")
@click.option("--listed-prices", "take_listed_prices", is_flag=True, help="Take what the price list has changed.")
@PRICE
@JSON
def update(*, name: str, prices: str | None, as_json: bool, take_listed_prices: bool, **facts: Any) -> None:
    """Change what is given of the model NAME; the rest stays."""
    body = {key: value for key, value in facts.items() if value is not None} | _price_body(prices)
    if body.get("provider_model") == "":
        body["provider_model"] = None
    if take_listed_prices:
        body["take_listed_prices"] = True
    if not body:
        from hawk.errors import UserError

        raise UserError("Nothing is to be changed.", hint="See hawk models update --help.")
    _change("PATCH", f"/admin/models/{_path(name)}", body, as_json=as_json)


@models.command(epilog="Example: hawk models deactivate openai/gpt-4")
@click.argument("name")
@JSON
def deactivate(*, name: str, as_json: bool) -> None:
    """Let the model NAME be used no more; what it has made stays."""
    _change("POST", f"/admin/models/{_path(name)}/deactivate", None, as_json=as_json)


@models.command(epilog="Example: hawk models activate openai/gpt-4")
@click.argument("name")
@JSON
def activate(*, name: str, as_json: bool) -> None:
    """Let the model NAME be used again."""
    _change("POST", f"/admin/models/{_path(name)}/activate", None, as_json=as_json)


@models.command(epilog="Example: hawk models discover openrouter")
@click.argument("provider")
@JSON
def discover(*, provider: str, as_json: bool) -> None:
    """Ask PROVIDER, through the proxy, which models it offers."""
    from hawk.model_registry.contracts import DiscoveryResponse

    answer = _client().ask(DiscoveryResponse, "GET", f"/admin/providers/{_path(provider)}/models")
    if as_json:
        output.say_json(answer)
        return
    rows = [(model.model_name, "registered" if model.is_registered else None) for model in answer.models]
    output.say(Table(("model", "state"), rows))


@models.command(epilog="Example: hawk models provider gpu --upstream http://gpu.internal:8000 --key none")
@click.argument("name")
@click.option("--upstream", required=True, metavar="URL", help="Where it is; the proxy must allow the host.")
@click.option("--dialect", type=click.Choice(("openai", "anthropic", "google", "azure")), default="openai")
@click.option("--key", "key_reference", default="stored", metavar="REFERENCE", help="env:NAME_API_KEY, secret:NAME, …")
@click.option("--inactive", is_flag=True, help="Do not use it.")
@JSON
def provider(*, name: str, inactive: bool, as_json: bool, **facts: Any) -> None:
    """Register the provider NAME, whose models are then NAME/model, or change it."""
    from hawk.model_registry.contracts import ProviderResponse

    body = {**facts, "is_active": not inactive}
    answer = _client().ask(ProviderResponse, "PUT", f"/admin/providers/{_path(name)}", body=body)
    if as_json:
        output.say_json(answer)
        return
    output.say(f"{answer.provider} is at {answer.upstream}.")


@models.command(epilog="Example: hawk models limit group model-access-public --concurrency 200")
@click.argument("scope", type=click.Choice(("model", "group")))
@click.argument("name")
@click.option("--concurrency", type=click.IntRange(0), help="Calls at once.")
@click.option("--requests-per-minute", type=click.IntRange(0))
@click.option("--tokens-per-minute", type=click.IntRange(0))
@click.option("--remove", is_flag=True, help="Take the limit away.")
@JSON
def limit(*, scope: str, name: str, remove: bool, as_json: bool, **numbers: int | None) -> None:
    """Limit what all callers of a model or group may do together; what is not given is unlimited."""
    from hawk.model_registry.contracts import LimitResponse

    method = "DELETE" if remove else "PUT"
    body = None if remove else numbers
    answer = _client().ask(LimitResponse, method, f"/admin/limits/{scope}/{_path(name)}", body=body)
    if as_json:
        output.say_json(answer)
        return
    output.say(f"The limit of {answer.scope} {answer.name} is {'gone' if remove else 'set'}.")


def _list_mine(include: tuple[str, ...], exclude: tuple[str, ...], *, as_json: bool) -> None:
    is_wanted = _filter(include, exclude)
    names = [name for name in _client().list_models().models if is_wanted(name)]
    if as_json:
        output.say_json({"models": names})
        return
    if not names:
        output.note("There is no such model that you may use.")
    output.say(*names)


def _client() -> "HawkClient":
    from hawk.cli.session import open_session

    return open_session().client


def _change(method: str, path: str, body: Mapping[str, Any] | None, *, as_json: bool) -> None:
    from hawk.model_registry.contracts import ModelResponse

    answer = _client().ask(ModelResponse, method, path, body=body)
    if as_json:
        output.say_json(answer)
        return
    output.say(f"{answer.model_name} ({answer.model_group}) is {'active' if answer.is_active else 'deactivated'}.")
    if not answer.prices:
        output.note("It has no price; what it costs is not known. Give one: hawk models update --price IN,OUT.")


def _row(model: "ModelResponse") -> tuple[str | Cell | int | None, ...]:
    newest = max((price.effective_at for price in model.prices if price.effective_at), default=None)
    price = next((price for price in model.prices if price.effective_at == newest), None)
    return (
        model.model_name,
        model.model_group,
        "active" if model.is_active else Cell("deactivated", "dim"),
        model.provider_model,
        str(price.input_usd) if price and price.input_usd is not None else None,
        str(price.output_usd) if price and price.output_usd is not None else None,
        model.context_tokens,
        model.note or None,
    )


def _price_body(text: str | None) -> dict[str, Any]:
    from decimal import Decimal, InvalidOperation

    from hawk.errors import UserError

    if text is None:
        return {}
    names = ("input_usd", "output_usd", "cache_read_usd", "cache_write_usd")
    parts = [part.strip() for part in text.split(",")]
    try:
        values = [str(Decimal(part)) for part in parts]
    except InvalidOperation:
        values = []
    if not 2 <= len(values) <= len(names):
        raise UserError(f"{text!r} is no price.", hint="Write dollars per million tokens: --price 0.15,0.60.")
    return {"prices": [dict(zip(names, values, strict=False))]}


def _filter(include: tuple[str, ...], exclude: tuple[str, ...]) -> Any:
    wanted, unwanted = [_pattern(text) for text in include], [_pattern(text) for text in exclude]

    def is_wanted(name: str) -> bool:
        is_included = not wanted or any(pattern.search(name) for pattern in wanted)
        return is_included and not any(pattern.search(name) for pattern in unwanted)

    return is_wanted


def _pattern(text: str) -> re.Pattern[str]:
    from hawk.errors import UserError

    try:
        return re.compile(text)
    except re.error as error:
        raise UserError(f"{text!r} is no regular expression: {error}.", hint="Escape . ( ) [ ] with \\.") from error


def _path(name: str) -> str:
    from urllib.parse import quote

    return quote(name, safe="/")
