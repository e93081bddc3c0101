"""`hawk completion`: the shell completes commands, options and files."""

import click

from hawk.cli import output

SHELLS = ("bash", "zsh", "fish")


@click.command(epilog='Example: hawk completion bash >> ~/.bashrc (or: eval "$(hawk completion zsh)")')
@click.argument("shell", type=click.Choice(SHELLS))
def completion(*, shell: str) -> None:
    """Print the script with which a shell completes `hawk`: evaluate it in the shell's start-up file."""
    from click.shell_completion import get_completion_class

    root = click.get_current_context().find_root()
    made = get_completion_class(shell)
    if made is None:
        raise LookupError(shell)
    # Not check_version(): the script is as well written for a shell that this machine does not have.
    output.say_raw(made(root.command, {}, "hawk", "_HAWK_COMPLETE").source())
