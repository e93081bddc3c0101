"""`hawk local`: runs on one's own machine what would else run as a job."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from hawk.cli import output
from hawk.cli.arguments import JSON
from hawk.cli.launch_options import SECRET, SECRETS_FILE, SKIP_CONFIRM, config_argument

if TYPE_CHECKING:
    from hawk.config.eval_set import EvalSetConfig
    from hawk.job_spec import JobSpec


@click.group(name="local", epilog="Example: hawk local eval-set examples/simple.eval-set.yaml --direct")
def local() -> None:
    """Run on this machine: the same runner and venv as a job has, without Dagster, S3 or a cluster."""


@local.command(name="eval-set", epilog="Example: hawk local eval-set my.yaml --direct --log-dir logs/mine")
@config_argument()
@click.option("--direct", is_flag=True, help="Call providers with the keys of your environment, not the proxy.")
@SECRET
@SECRETS_FILE
@click.option("--log-dir", metavar="FOLDER", help="Where logs go, also an s3:// URL; unset: ./logs/ID.")
@SKIP_CONFIRM
@JSON
def eval_set(
    *,
    config: Path,
    direct: bool,
    secret_names: tuple[str, ...],
    secrets_files: tuple[Path, ...],
    log_dir: str | None,
    skip_confirm: bool,
    as_json: bool,
) -> None:
    """Run the eval set that CONFIG describes on this machine; `package:` may be a folder of it.

    Models are called through the proxy as you, or with --direct by your own keys. The tasks' code runs with your
    rights. With the same eval_set_id and log folder it goes on where it ended. Exit codes: 0 if every log says
    success, 1 if another try may end better, 78 if it would not, 130 if interrupted.
    """
    import os

    from hawk.cli.eval_set import confirm_warnings
    from hawk.cli.local_run import LocalRun, programs_folder
    from hawk.cli.secrets_given import check_all_given, collect_secrets
    from hawk.cli.session import open_session
    from hawk.config.eval_set import DEFAULT_EVAL_SET_NAME
    from hawk.config.load import load_eval_set_config
    from hawk.ids import new_job_id, parse_job_id

    programs_folder()  # says at once where the runner is missing
    loaded = load_eval_set_config(config)
    secrets = collect_secrets(secret_names, secrets_files)
    check_all_given(loaded.config, {**os.environ, **secrets})
    confirm_warnings(loaded, skip=skip_confirm)
    given, name = loaded.config.eval_set_id, loaded.config.name
    job_id = parse_job_id(given) if given else new_job_id(name or DEFAULT_EVAL_SET_NAME)
    session = open_session()
    spec = _job_spec(job_id, loaded.config, log_dir=log_dir)
    proxied = {} if direct else _through_proxy(session, loaded.config)
    home = session.settings.home / "local"
    output.note(f"Eval set {job_id} runs here; logs: {spec.infra.log_dir}")
    outcome = LocalRun(
        spec=spec,
        folder=home / job_id,
        venv_cache=home / ".venvs",
        environment={**proxied, **loaded.config.runner.environment, **secrets},
        token=None if direct else session.access_token,
    ).run()
    answer = {"eval_set_id": job_id, "log_dir": spec.infra.log_dir, "exit_code": outcome.exit_code}
    if as_json:
        output.say_json({**answer, "reason": outcome.reason, "message": outcome.message})
    else:
        output.say(f"{job_id}: {outcome.message}", f"Logs: {spec.infra.log_dir}")
        output.note(f"Bring them into the warehouse: hawk import {spec.infra.log_dir}")
    raise click.exceptions.Exit(outcome.exit_code)


def _job_spec(job_id: Any, config: "EvalSetConfig", *, log_dir: str | None) -> "JobSpec":
    import getpass

    from hawk.job_spec import InfraConfig, JobSpec

    place = log_dir or str(Path("logs") / job_id)
    if not place.startswith("s3://"):
        place = str(Path(place).absolute())
    infra = InfraConfig(created_by=getpass.getuser(), model_groups=(), log_dir=place.rstrip("/"))
    return JobSpec(job_id=job_id, config=config, infra=infra)


def _through_proxy(session: Any, config: "EvalSetConfig") -> dict[str, str]:
    from hawk.config.model_names import model_names
    from hawk.errors import UserError
    from hawk.provider_environment import provider_environment

    proxy_url = session.client.auth_config().proxy_url
    if proxy_url is None:
        raise UserError(
            f"The API at {session.api_url} has no proxy for models.",
            hint="Use your own keys of providers: --direct.",
        )
    return provider_environment(proxy_url, session.access_token(), model_names(config))
