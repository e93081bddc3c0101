"""`hawk web`: the logs of an eval set in Inspect's own viewer."""

import click

from hawk.cli import output
from hawk.cli.arguments import EVAL_SET_ID, JSON


@click.command(epilog="Example: hawk web arithmetic-4k2v9q0d7x1m8c3z")
@EVAL_SET_ID
@click.option("--no-browser", is_flag=True, help="Print the address, which works once and for a minute.")
@JSON
def web(*, eval_set_id: str | None, no_browser: bool, as_json: bool) -> None:
    """Open an eval set's logs in Inspect's own viewer, in your browser.

    The browser is signed in to look at logs that you may see, until your own sign-in ends or for an hour.
    Without ID it is the set that was launched or imported last.
    """
    import webbrowser

    from hawk.api.log_contracts import BeginBrowserSessionResponse
    from hawk.cli.session import open_session
    from hawk.errors import Upstream

    session = open_session()
    set_id = session.eval_set_id(eval_set_id)
    body = {"eval_set_id": set_id}
    path = session.client.ask(BeginBrowserSessionResponse, "POST", "/view/sessions", body=body).path
    if not path.startswith("/view/"):
        raise Upstream("The API names a page that is none of its viewer.", hint="Check HAWK_API_URL.", value=path)
    url = f"{session.api_url}{path}"
    if as_json:
        output.say_json({"eval_set_id": set_id, "url": url})
    elif no_browser or not webbrowser.open(url):
        output.note("Open within a minute; it works once:")
        output.say(url)
    else:
        output.note(f"Opened the logs of {set_id} in your browser.")
