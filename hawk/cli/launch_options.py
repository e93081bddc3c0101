"""Options that everything has which launches an eval set."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import click

SECRET = click.option(
    "--secret", "secret_names", multiple=True, metavar="NAME", help="Give a variable of your environment."
)
SECRETS_FILE = click.option(
    "--secrets-file",
    "secrets_files",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Give all of a dotenv file; one given with --secret wins.",
)
SKIP_CONFIRM = click.option("-y", "--skip-confirm", is_flag=True, help="Do not ask about fields that are not known.")
ALLOW_DIRTY = click.option(
    "--log-dir-allow-dirty", is_flag=True, help="Go on where logs of other tasks lie in the set's folder."
)
FORCE = click.option("--force", is_flag=True, help="Launch though you have as many unfinished sets as are allowed.")
MONITOR = click.option(
    "--monitor", is_flag=True, help="Watch the set after its launch; the exit code is then the set's."
)
PRIORITIES = click.Choice(["low", "medium", "high"])


def config_argument(*, required: bool = True) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    return click.argument("config", required=required, type=click.Path(path_type=Path, exists=True, dir_okay=False))
