"""`hawk login`, `hawk logout` and `hawk auth`: who the CLI is."""

import click

from hawk.cli import output
from hawk.cli.arguments import JSON


@click.command(epilog="Example: hawk login --device")
@click.option("--device", is_flag=True, help="Show a code to type on any other device, for machines without a browser.")
@click.option("--no-browser", is_flag=True, help="Print the address instead of opening a browser.")
@click.option("--login-hint", metavar="NAME", help="Whom the sign-in service should offer first.")
def login(*, device: bool, no_browser: bool, login_hint: str | None) -> None:
    """Sign in at the API's sign-in service; the token is kept in the keyring, else in a file only you can read.

    Where the browser is on another machine, paste the address that it ends on (it will not load there), or use
    --device.
    """
    import sys
    import webbrowser

    from hawk.cli.session import open_session

    def show_url(url: str) -> None:
        output.note("Sign in here:", f"  {url}")
        if not no_browser:
            webbrowser.open(url)

    def read_pasted() -> str:
        output.note("If that browser is on another machine, paste the address that it ends on:")
        return sys.stdin.readline()

    def show_code(url: str, code: str) -> None:
        output.note(f"Open {url} and confirm the code {code}.")

    session = open_session()
    oidc = session.oidc(login_hint=login_hint)
    tokens = (
        oidc.sign_in_with_device(show_code)
        if device
        else oidc.sign_in_with_browser(show_url, read_pasted=read_pasted if no_browser else None)
    )
    with session.tokens.lock():
        session.tokens.save(session.api_url, tokens)
    output.say(f"Signed in at {session.api_url}.")


@click.command(epilog="Example: hawk logout")
def logout() -> None:
    """Forget the sign-in at this API on this machine."""
    from hawk.cli.session import open_session

    session = open_session()
    with session.tokens.lock():
        session.tokens.forget(session.api_url)
    output.say(f"Signed out at {session.api_url}.")


@click.group(epilog='Example: curl -H "authorization: Bearer $(hawk auth access-token)" "$HAWK_API_URL/eval_sets"')
def auth() -> None:
    """Print what programs need to call the API."""


@auth.command(name="access-token", epilog='Example: curl -H "authorization: Bearer $(hawk auth access-token)" …')
@JSON
def access_token(*, as_json: bool) -> None:
    """Print an access token that holds for some minutes at least; never asks, fails if you are not signed in."""
    from hawk.cli.session import open_session

    token = open_session().access_token()
    if as_json:
        output.say_json({"access_token": token})
        return
    output.say_raw(token + "\n")
