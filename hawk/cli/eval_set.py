"""`hawk eval-set`: launches an eval set from its YAML file."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hawk.cli import output
from hawk.cli.arguments import JSON
from hawk.cli.launch_options import (
    ALLOW_DIRTY,
    FORCE,
    MONITOR,
    PRIORITIES,
    SECRET,
    SECRETS_FILE,
    SKIP_CONFIRM,
    config_argument,
)
from hawk.cli.resume import resume

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
@config_argument()
@click.option("--dry-run", is_flag=True, help="Print what would run, and whether you may; launch nothing.")
@SECRET
@SECRETS_FILE
@click.option("--priority", type=PRIORITIES, default="medium", show_default=True)
@SKIP_CONFIRM
@ALLOW_DIRTY
@FORCE
@MONITOR
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
    session = open_session()
    if dry_run:
        for problem in loaded.warnings:
            output.warn(str(problem))
        _dry_run(session, loaded, as_json=as_json)
        return
    secrets = collect_secrets(secret_names, secrets_files)
    check_all_given(loaded.config, secrets)
    confirm_warnings(loaded, skip=skip_confirm)
    options = {
        "secrets": secrets,
        "priority": priority,
        "log_dir_allow_dirty": log_dir_allow_dirty,
        "force": force,
    }
    answer = _launch(session, loaded.mapping, options)
    say_launched(answer, loaded, as_json=as_json)
    if monitor:
        from hawk.cli.watch import watch_eval_set

        watch_eval_set(session.client, answer.eval_set_id, as_json=as_json)


eval_set.add_command(resume)


def confirm_warnings(loaded: "LoadedConfig[EvalSetConfig]", *, skip: bool) -> None:
    """Say what is doubtful in a config, and ask whether to go on. Raises UserError where the answer is no."""
    from hawk.errors import UserError

    for problem in loaded.warnings:
        output.warn(str(problem))
    if loaded.warnings and not skip and not output.confirm("Launch all the same?"):
        raise UserError("Nothing was launched.", hint="Mend the warnings above, or give --skip-confirm.")


def _launch(session: "Session", mapping: dict[str, Any], options: dict[str, Any]) -> "CreateEvalSetResponse":
    from hawk.api.contracts import CreateEvalSetRequest

    answer = session.client.create_eval_set(CreateEvalSetRequest(config=mapping, **options))
    session.remember(answer.eval_set_id)
    return answer


def say_launched(
    answer: "CreateEvalSetResponse", loaded: "LoadedConfig[EvalSetConfig] | None", *, as_json: bool
) -> None:
    """Print the set that was launched, and what the API warns of beyond what was said of the file."""
    shown = [str(problem) for problem in loaded.warnings] if loaded else []
    answer.warnings = [text for text in answer.warnings if not any(line.endswith(text) for line in shown)]
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
