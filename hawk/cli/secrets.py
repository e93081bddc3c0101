"""`hawk secrets`: keys of model providers, which only the proxy reads."""

import sys

import click

from hawk.cli import output
from hawk.cli.arguments import JSON
from hawk.cli.output import Table


@click.group(epilog="Example: hawk secrets list")
def secrets() -> None:
    """Keep the keys of model providers (administrators). Secrets of your own eval sets go with their launch."""


@secrets.command(name="set", epilog="Example: hawk secrets set openrouter < key.txt")
@click.argument("provider")
@JSON
def set_(*, provider: str, as_json: bool) -> None:
    """Store the key of PROVIDER, read from standard input; it is encrypted, and nobody can read it back."""
    from hawk.cli.session import open_session
    from hawk.errors import UserError
    from hawk.model_registry.contracts import ProviderKeyResponse

    if sys.stdin.isatty():
        output.note(f"Paste the key of {provider}, then press Enter and Ctrl-D.")
    key = sys.stdin.read().strip()
    if not key:
        raise UserError(
            "No key came on standard input.", hint=f"Write: hawk secrets set {provider} < FILE.", field="key"
        )
    client = open_session().client
    answer = client.ask(ProviderKeyResponse, "PUT", f"/admin/provider-keys/{_path(provider)}", body={"key": key})
    if as_json:
        output.say_json(answer)
        return
    output.say(f"The key of {answer.provider} is stored; the proxy uses it within seconds.")


@secrets.command(epilog="Example: hawk secrets remove openrouter")
@click.argument("provider")
@JSON
def remove(*, provider: str, as_json: bool) -> None:
    """Forget the stored key of PROVIDER."""
    from hawk.cli.session import open_session
    from hawk.model_registry.contracts import ProviderKeyResponse

    answer = open_session().client.ask(ProviderKeyResponse, "DELETE", f"/admin/provider-keys/{_path(provider)}")
    if as_json:
        output.say_json(answer)
        return
    output.say(f"The key of {answer.provider} is forgotten.")


@secrets.command(name="list", epilog="Example: hawk secrets list")
@JSON
def list_(*, as_json: bool) -> None:
    """List the providers that have a stored key, and where the keys of registered ones are; never a key."""
    from hawk.cli.session import open_session
    from hawk.model_registry.contracts import ProviderListResponse

    answer = open_session().client.ask(ProviderListResponse, "GET", "/admin/providers")
    if as_json:
        output.say_json(answer)
        return
    references = {entry.provider: entry.key_reference for entry in answer.providers}
    names = sorted({*answer.stored_keys, *references})
    rows = [(name, references.get(name), "stored" if name in answer.stored_keys else None) for name in names]
    output.say(Table(("provider", "key", "state"), rows))


def _path(name: str) -> str:
    from urllib.parse import quote

    return quote(name, safe="")
