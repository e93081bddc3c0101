"""`python -m runner JOB_JSON`: makes the job's venv, then becomes Inspect inside it.

Exit codes are those of RunnerExit; the last line of output, and the file given with `--outcome-file`, say why.
"""

import argparse
import faulthandler
import logging
import os
import signal
import sys
from pathlib import Path
from typing import Never

from pydantic import ValidationError

from hawk.errors import HawkError, Upstream, UserError
from hawk.job_outcome import JobOutcome, RunnerExit
from hawk.job_spec import JobSpec
from runner.aws_config import use_token_broker
from runner.packages import packages_to_install
from runner.secrets import fetch_aws_secrets
from runner.venv import make_venv

logger = logging.getLogger("runner")

INSIDE = Path(__file__).with_name("inside_venv.py")


def main() -> int:
    """Return an exit code, or do not return: the process becomes the venv's interpreter."""
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    options = _options()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, signal.default_int_handler)
    faulthandler.register(signal.SIGUSR1, all_threads=True)  # shows where it is; see hawk stacktrace
    try:
        _run(options)
    except KeyboardInterrupt:
        outcome = JobOutcome(RunnerExit.INTERRUPTED, "Interrupted", "Interrupted while the packages were installed.")
    except Upstream as error:
        outcome = JobOutcome(RunnerExit.RETRYABLE, "UpstreamError", str(error))
    except UserError as error:
        outcome = JobOutcome(RunnerExit.DETERMINISTIC, "ConfigError", str(error))
    except Exception as error:
        logger.exception("the runner failed")
        outcome = JobOutcome(RunnerExit.RETRYABLE, "RunnerError", f"The runner failed: {type(error).__name__}: {error}")
    logger.error(outcome.message)
    if options.outcome_file:
        outcome.write(options.outcome_file)
    return outcome.exit_code


def read_spec(path: Path) -> JobSpec:
    """Return the job of a file. Raises UserError that names the first thing wrong with it."""
    try:
        return JobSpec.read(path)
    except OSError as error:
        raise UserError(f"The job file {path} cannot be read: {error.strerror}.", value=str(path)) from error
    except ValidationError as error:
        fault = error.errors(include_url=False)[0]
        place = ".".join(str(part) for part in fault["loc"]) or "the file"
        more = f" ({error.error_count() - 1} more)" if error.error_count() > 1 else ""
        raise UserError(f"The job file {path} is not valid: {place}: {fault['msg']}{more}.", value=str(path)) from error
    except HawkError as error:
        raise UserError(f"The job file {path} is not valid: {error}", value=str(path)) from error


def _run(options: argparse.Namespace) -> Never:
    spec = read_spec(options.job_file)
    folder = (options.work_folder or options.job_file.parent).absolute()
    fetching = use_token_broker(os.environ, folder)
    # An edit calls no model and runs no task, so that the secrets of those are none of its business.
    environment = {**os.environ, **(fetch_aws_secrets(spec.config) if spec.job_type != "edit" else {})}
    requirements = packages_to_install(spec, kubernetes=options.kubernetes_sandboxes)
    logger.info("installing %d requirements", len(requirements))
    python = make_venv(requirements, folder=folder, cache=options.venv_cache, submission=options.submitted_at or "")
    if fetching is not None:
        fetching.poll()  # else it stays a zombie of what this process becomes
    logger.info("starting Inspect")
    _replace_process(python, options, environment, folder)


def _replace_process(python: Path, options: argparse.Namespace, environment: dict[str, str], folder: Path) -> Never:
    arguments = [str(python), "-I", str(INSIDE), str(options.job_file.absolute())]
    for name in ("attempt_number", "outcome_file", "stop_file", "submitted_at"):
        value = getattr(options, name)
        if value is not None:
            arguments += [f"--{name.replace('_', '-')}", str(value.absolute() if isinstance(value, Path) else value)]
    if options.kubernetes_sandboxes:
        arguments.append("--kubernetes-sandboxes")
    environment["PATH"] = os.pathsep.join([str(python.parent), environment.get("PATH", os.defpath)])
    environment["VIRTUAL_ENV"] = str(python.parent.parent)
    environment.pop("PYTHONPATH", None)
    os.chdir(folder)
    sys.stdout.flush()
    sys.stderr.flush()
    # What arrives from here on waits until the new program can end gracefully; it unblocks them.
    signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGUSR1})
    os.execve(python, arguments, environment)  # noqa: S606 - a program and its arguments, no shell


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m runner", description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("job_file", type=Path, help="JobSpec as JSON")
    parser.add_argument("--work-folder", type=Path, help="where the venv is made; default: beside the job file")
    parser.add_argument("--venv-cache", type=Path, help="folder of venvs shared by jobs; default: none")
    parser.add_argument("--attempt-number", type=int, default=1)
    parser.add_argument("--submitted-at", help="ISO time; stop commands older than this are not for this run")
    parser.add_argument("--stop-file", type=Path, help="a file whose coming means: score what is there and end")
    parser.add_argument("--outcome-file", type=Path, help="where to write how it ended, as JSON")
    parser.add_argument("--kubernetes-sandboxes", action="store_true", help="install what sandboxes in pods need")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
