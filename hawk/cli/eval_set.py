"""`hawk eval-set`: launches an eval set from its YAML file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hawk.cli import output
from hawk.cli.arguments import JSON

if TYPE_CHECKING:
    from hawk.api.contracts import CreateEvalSetResponse
    from hawk.cli.session import Session
    from hawk.config.eval_set import EvalSetConfig
    from hawk.config.load import LoadedConfig


class RunByDefault(click.Group):
    """A group where `hawk eval-set CONFIG` means `hawk eval-set run CONFIG`."""

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        helps = set(ctx.help_option_names)
        if args and args[0] not in self.commands and not (len(args) == 1 and args[0] in helps):
            args = ["run", *args]
        return super().parse_args(ctx, args)


@click.group(
    name="eval-set",
    cls=RunByDefault,
    subcommand_metavar="[run] CONFIG [OPTIONS]",
    epilog="Example: hawk eval-set examples/simple.eval-set.yaml --monitor",
)
def eval_set() -> None:
    """Launch an eval set from its YAML file. `run` may be left out; its options: hawk eval-set run --help."""


@eval_set.command(epilog="Example: hawk eval-set run examples/simple.eval-set.yaml --secret HF_TOKEN --monitor")
@click.argument("config", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--dry-run", is_flag=True, help="Print what would run, and whether you may; launch nothing.")
@click.option("--secret", "secret_names", multiple=True, metavar="NAME", help="Give a variable of your environment.")
@click.option(
    "--secrets-file",
    "secrets_files",
    multiple=True,
    type=click.Path(path_type=Path),
    help="Give all of a dotenv file; one given with --secret wins.",
)
@click.option("--priority", type=click.Choice(["low", "medium", "high"]), default="medium", show_default=True)
@click.option("-y", "--skip-confirm", is_flag=True, help="Do not ask about fields that are not known.")
@click.option("--log-dir-allow-dirty", is_flag=True, help="Go on where logs of other tasks lie in the set's folder.")
@click.option("--force", is_flag=True, help="Launch though you have as many unfinished sets as are allowed.")
@click.option("--monitor", is_flag=True, help="Watch the set after its launch; the exit code is then the set's.")
@JSON
def run(
    *,
    config: Path,
    dry_run: bool,
    secret_names: tuple[str, ...],
    secrets_files: tuple[Path, ...],
    priority: str,
    skip_confirm: bool,
    log_dir_allow_dirty: bool,
    force: bool,
    monitor: bool,
    as_json: bool,
) -> None:
    """Launch the eval set that CONFIG describes, or relaunch it where its eval_set_id is one of yours that has ended.

    Prints the set's id and where to look. Commands that are given no id mean this set from now on.
    """
    from hawk.cli.secrets_given import check_all_given, collect_secrets
    from hawk.cli.session import open_session
    from hawk.config.load import load_eval_set_config

    loaded = load_eval_set_config(config)
    for problem in loaded.warnings:
        output.warn(str(problem))
    session = open_session()
    if dry_run:
        _dry_run(session, loaded, as_json=as_json)
        return
    secrets = collect_secrets(secret_names, secrets_files)
    check_all_given(loaded.config, secrets)
    if loaded.warnings and not skip_confirm:
        _confirm()
    options = {
        "secrets": secrets,
        "priority": priority,
        "log_dir_allow_dirty": log_dir_allow_dirty,
        "force": force,
    }
    answer = _launch(session, loaded.mapping, options)
    shown = [str(problem) for problem in loaded.warnings]
    answer.warnings = [text for text in answer.warnings if not any(line.endswith(text) for line in shown)]
    _say_launched(answer, as_json=as_json)
    if monitor:
        from hawk.cli.watch import watch_eval_set

        watch_eval_set(session.client, answer.eval_set_id, as_json=as_json)


def _confirm() -> None:
    from hawk.errors import UserError

    if not output.confirm("Launch all the same?"):
        raise UserError("Nothing was launched.", hint="Mend the warnings above, or give --skip-confirm.")


def _launch(session: "Session", mapping: dict[str, Any], options: dict[str, Any]) -> "CreateEvalSetResponse":
    from hawk.api.contracts import CreateEvalSetRequest

    answer = session.client.create_eval_set(CreateEvalSetRequest(config=mapping, **options))
    session.remember(answer.eval_set_id)
    return answer


def _say_launched(answer: "CreateEvalSetResponse", *, as_json: bool) -> None:
    for warning in answer.warnings:
        output.warn(warning)
    if as_json:
        output.say_json_line(answer)
        return
    output.say(f"Eval set: {answer.eval_set_id}")
    for name, url in (("Dagster", answer.dagster_run_url), ("Viewer", answer.viewer_url)):
        if url:
            output.say(f"{name}: {url}")


def _dry_run(session: "Session", loaded: "LoadedConfig[EvalSetConfig]", *, as_json: bool) -> None:
    from hawk.cli.plan_view import plan_blocks, plan_document
    from hawk.config.plan import plan
    from hawk.errors import HawkError

    permission, problem = None, ""
    try:
        permission = session.client.plan(loaded.mapping)
    except HawkError as error:
        problem = str(error)
    planned = plan(loaded.config, groups=permission.model_groups if permission else None)
    if as_json:
        output.say_json(plan_document(planned, permission, problem))
        return
    output.say(*plan_blocks(planned, permission, problem))
