"""Loads the tasks, runs them, and says how it ended."""

import argparse
import faulthandler
import functools
import gc
import logging
import signal
from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from types import FrameType

from inspect_ai import eval_set
from inspect_ai.log import EvalLog

from hawk.job_outcome import JobOutcome, RunnerExit
from hawk.job_spec import JobSpec

from .arguments import check_supported, eval_set_arguments
from .call_facts import install_call_facts
from .edit_job import run_edit_job
from .failures import describe, is_deterministic
from .folder import folder_at
from .hooks import install_hooks, install_token_renewal
from .models import load_model_roles, load_models
from .prior_logs import completed_samples
from .progress import ProgressBoard, State, TaskRow
from .progress_writer import ProgressWriter
from .sandboxes import set_limits, tasks_in_pods
from .stopping import StopMonitor
from .tasks import LoadedTask, grid, load_tasks

logger = logging.getLogger("runner")

FINAL_STATES: dict[int, State] = {RunnerExit.SUCCESS: "success", RunnerExit.INTERRUPTED: "stopped"}
LONGEST_LIST = 5
LONGEST_MESSAGE = 500
NO_MODEL = "none/none"  # what inspect_ai calls it where a task calls no model


def main() -> int:
    """Return the exit code of the job."""
    logging.basicConfig(level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s")
    logger.setLevel(logging.INFO)
    options = _options()
    # Ctrl-C is ignored in what a shell's background job started; the event loop heeds it only where Python does.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, _as_interrupt)
    faulthandler.register(signal.SIGUSR1, all_threads=True)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT, signal.SIGTERM, signal.SIGUSR1})
    try:
        outcome = _run(options)
    except KeyboardInterrupt:
        outcome = JobOutcome(RunnerExit.INTERRUPTED, "Interrupted", "Interrupted; logs hold what was done until then.")
    except Exception as error:
        logger.exception("the eval set failed")
        outcome = _failure(error)
    logger.log(logging.INFO if outcome.exit_code == RunnerExit.SUCCESS else logging.ERROR, "%s", outcome.message)
    if options.outcome_file:
        outcome.write(options.outcome_file)
    return outcome.exit_code


def _run(options: argparse.Namespace) -> JobOutcome:
    spec = JobSpec.read(options.job_file)
    if spec.job_type == "edit":
        return run_edit_job(spec)
    check_supported(spec.config, kubernetes=options.kubernetes_sandboxes)
    folder = folder_at(spec.infra.log_dir)
    board = ProgressBoard(str(spec.job_id), options.attempt_number)
    writer = ProgressWriter(board, folder, str(spec.job_id))
    submitted_at = datetime.fromisoformat(options.submitted_at) if options.submitted_at else None
    monitor = StopMonitor(folder, stop_file=options.stop_file, submitted_at=submitted_at)
    writer.start()
    try:
        monitor.start()
        outcome = _evaluate(spec, board, monitor, options)
    except KeyboardInterrupt:
        board.finish("stopped")
        raise
    except Exception:
        board.finish("error")
        raise
    finally:
        monitor.stop()
        writer.stop()
    return outcome


def _evaluate(spec: JobSpec, board: ProgressBoard, monitor: StopMonitor, options: argparse.Namespace) -> JobOutcome:
    if monitor.stop_action is not None:
        board.finish("stopped")
        return _stopped()
    install_token_renewal()
    models, roles = load_models(spec.config), load_model_roles(spec.config)
    gc.freeze()
    gc.enable()
    loaded = load_tasks(grid(spec.config, models), roles)
    arguments = eval_set_arguments(spec, models, roles, folder=Path.cwd())
    if spec.infra.sandboxes is not None:
        set_limits(arguments["max_sandboxes"])
        loaded = tasks_in_pods(loaded, spec, folder=Path.cwd())
    board.expect(map(_row, loaded), completed_samples(spec.infra.log_dir))
    install_call_facts()
    install_hooks(board, monitor)
    _remember_distributions()
    logger.info("running %d tasks", len(loaded))
    success, logs = eval_set(tasks=[entry.task for entry in loaded], model=None, **arguments)
    for log in logs:
        board.task_ended(log)
    if spec.config.runner.cleanup is False and monitor.stop_action is None:
        logger.info("kept alive for debugging, as the config says; stop the eval set to end it")
        monitor.stopped.wait()
    outcome = _stopped() if monitor.stop_action is not None else judge(success, logs, board.sample_faults())
    board.finish(FINAL_STATES.get(outcome.exit_code, "error"))
    return outcome


def judge(success: bool, logs: Sequence[EvalLog], sample_faults: Mapping[str, str]) -> JobOutcome:
    """Return how the set ended by what its logs say; inspect_ai's own word must agree.

    `sample_faults` says by eval id what its samples failed with, where the eval as a whole has no error.
    """
    failed = [log for log in logs if log.status != "success"]
    if success and logs and not failed:
        return JobOutcome(RunnerExit.SUCCESS, "Completed", f"All {len(logs)} tasks ended with success.")
    faults = [f"{log.eval.task} with {log.eval.model}: {_fault(log, sample_faults)}" for log in failed[:LONGEST_LIST]]
    more = f" and {len(failed) - LONGEST_LIST} more" if len(failed) > LONGEST_LIST else ""
    return JobOutcome(
        RunnerExit.RETRYABLE,
        "TasksFailed",
        f"{len(failed)} of {len(logs)} tasks did not end with success. {'; '.join(faults)}{more}",
    )


def _fault(log: EvalLog, sample_faults: Mapping[str, str]) -> str:
    if log.error:
        return " ".join(log.error.message.split())[:LONGEST_MESSAGE]
    return sample_faults.get(log.eval.eval_id, log.status)


def _stopped() -> JobOutcome:
    return JobOutcome(RunnerExit.INTERRUPTED, "Stopped", "Stopped on command; what had run is in the logs.")


def _failure(error: Exception) -> JobOutcome:
    if is_deterministic(error):
        return JobOutcome(RunnerExit.DETERMINISTIC, "ConfigError", describe(error))
    return JobOutcome(RunnerExit.RETRYABLE, "RunnerError", describe(error))


def _remember_distributions() -> None:
    """Let inspect_ai look through the venv once, not once a task (0.2 s each); it does not change any more."""
    from inspect_ai._util import package

    names = vars(package)
    names["packages_distributions"] = functools.cache(names["packages_distributions"])


def _row(entry: LoadedTask) -> TaskRow:
    solver = entry.cell.solver
    return TaskRow(
        task_name=entry.cell.task_name,
        model=str(entry.task.model or NO_MODEL),
        solver=solver.name if solver else None,
    )


def _as_interrupt(number: int, frame: FrameType | None) -> None:
    # Whoever handles Ctrl-C now (Python, or the event loop while samples run) ends things gracefully.
    signal.raise_signal(signal.SIGINT)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("job_file", type=Path)
    parser.add_argument("--attempt-number", type=int, default=1)
    parser.add_argument("--submitted-at")
    parser.add_argument("--stop-file", type=Path)
    parser.add_argument("--outcome-file", type=Path)
    parser.add_argument("--kubernetes-sandboxes", action="store_true")
    return parser.parse_args()
