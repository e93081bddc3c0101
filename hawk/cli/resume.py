"""`hawk eval-set resume`, also as `hawk resume`: launches a set that has ended again."""

from pathlib import Path

import click

from hawk.cli.arguments import EVAL_SET_ID, JSON
from hawk.cli.launch_options import ALLOW_DIRTY, FORCE, MONITOR, PRIORITIES, SECRET, SECRETS_FILE, SKIP_CONFIRM


@click.command(epilog="Example: hawk resume arithmetic-4k2v9q0d7x1m8c3z --config bigger.yaml --secret HF_TOKEN")
@EVAL_SET_ID
@click.option(
    "--config",
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Instead of the set's own; needs the ID. Samples of tasks that stay as they were are kept.",
)
@SECRET
@SECRETS_FILE
@click.option("--priority", type=PRIORITIES, help="Unset: as it was.")
@SKIP_CONFIRM
@ALLOW_DIRTY
@FORCE
@MONITOR
@JSON
def resume(
    *,
    eval_set_id: str | None,
    config: Path | None,
    secret_names: tuple[str, ...],
    secrets_files: tuple[Path, ...],
    priority: str | None,
    skip_confirm: bool,
    log_dir_allow_dirty: bool,
    force: bool,
    monitor: bool,
    as_json: bool,
) -> None:
    """Launch an eval set that has ended again: samples that succeeded are kept, the others run anew.

    Without ID it is the set that was launched last. Secrets are forgotten when a job ends, so give them again.
    """
    from hawk.api.contracts import ResumeEvalSetRequest
    from hawk.cli.eval_set import confirm_warnings, say_launched
    from hawk.cli.secrets_given import check_all_given, collect_secrets
    from hawk.cli.session import open_session
    from hawk.config.load import load_eval_set_config, validate_eval_set_mapping
    from hawk.errors import UserError

    session = open_session()
    if config is not None and eval_set_id is None:
        raise UserError("With --config name the set.", hint="hawk resume ID --config FILE", field="eval_set_id")
    set_id = session.eval_set_id(eval_set_id)
    loaded = load_eval_set_config(config) if config is not None else None
    used = loaded or validate_eval_set_mapping(session.client.eval_set_config(set_id).config)
    secrets = collect_secrets(secret_names, secrets_files)
    check_all_given(used.config, secrets)
    if loaded is not None:
        confirm_warnings(loaded, skip=skip_confirm)
    request = ResumeEvalSetRequest.model_validate(
        {
            "config": loaded.mapping if loaded is not None else None,
            "secrets": secrets,
            "priority": priority,
            "log_dir_allow_dirty": log_dir_allow_dirty,
            "force": force,
        }
    )
    answer = session.client.resume_eval_set(set_id, request)
    session.remember(answer.eval_set_id)
    say_launched(answer, loaded, as_json=as_json)
    if monitor:
        from hawk.cli.watch import watch_eval_set

        watch_eval_set(session.client, answer.eval_set_id, as_json=as_json)
