"""Makes the sandboxes of tasks pods: whatever a sample asks for becomes chart values of inspect_k8s_sandbox."""

import contextlib
import hashlib
import os
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml
from inspect_ai import Task, task_with
from inspect_ai._eval.loader import resolve_task_sandbox
from inspect_ai._eval.task.util import task_run_dir
from inspect_ai.dataset import Sample
from inspect_ai.util import ComposeConfig, SandboxEnvironmentSpec, is_compose_yaml, is_dockerfile

from hawk.config.isolation import IsolationConfig
from hawk.errors import UserError
from hawk.job_spec import JobSpec, SandboxRules

from .sandbox_values import Values, isolated_values, stricter
from .tasks import LoadedTask

KUBERNETES = "k8s"
LOCAL = "local"
POD_OPERATIONS_PER_SANDBOX = 1.25
POD_OPERATIONS = (64, 1024)
POD_OPERATIONS_PER_CPU = 160
HELM_OPERATIONS_PER_CPU = 3
HELM_OPERATIONS = (8, 64)


def set_limits(sandboxes: int, environment: Any = os.environ) -> None:
    """Set how much inspect_k8s_sandbox does at once, by what this machine can; what a user has set stays."""
    cpus = os.cpu_count() or 1
    operations = min(int(POD_OPERATIONS_PER_SANDBOX * sandboxes), POD_OPERATIONS_PER_CPU * cpus)
    environment.setdefault("INSPECT_MAX_POD_OPS", str(_within(operations, POD_OPERATIONS)))
    for name in ("INSPECT_MAX_HELM_INSTALL", "INSPECT_MAX_HELM_UNINSTALL"):
        environment.setdefault(name, str(_within(HELM_OPERATIONS_PER_CPU * cpus, HELM_OPERATIONS)))


def tasks_in_pods(loaded: Sequence[LoadedTask], spec: JobSpec, *, folder: Path) -> list[LoadedTask]:
    """Return the tasks with their sandboxes in pods, as the set and each task want them isolated."""
    rules = spec.infra.sandboxes
    if rules is None:
        return list(loaded)
    return [
        replace(
            entry,
            task=in_pods(entry.task, stricter(spec.config.isolation, entry.cell.item.isolation), rules, folder=folder),
        )
        for entry in loaded
    ]


def in_pods(task: Task, isolation: IsolationConfig, rules: SandboxRules, *, folder: Path) -> Task:
    """Return the task with every sandbox of its samples in pods. Raises UserError for one that cannot be."""
    of_task = resolve_task_sandbox(task, None)
    run_folder = Path(task_run_dir(task))
    samples = list(task.dataset)
    for sample in samples:
        wanted = _wanted(of_task, sample)
        if wanted is None or wanted.type == LOCAL:
            continue
        values, options = _values(wanted, run_folder, task=task.name)
        labels = {
            "hawk.dagster.io/task-name": task.name,
            "hawk.dagster.io/task-version": str(task.version),
            "hawk.dagster.io/sample-id": str(sample.id),
        }
        installed = isolated_values(values, isolation, rules, labels=labels)
        sample.sandbox = SandboxEnvironmentSpec(KUBERNETES, _config(_write(installed, folder), options))
    if of_task is None or of_task.type == LOCAL:
        return task
    # Samples say it all; a type without a config keeps inspect_ai from looking for files beside the task.
    bare = isolated_values({}, isolation, rules, labels={"hawk.dagster.io/task-name": task.name})
    return task_with(task, sandbox=SandboxEnvironmentSpec(KUBERNETES, _config(_write(bare, folder), {})))


def _wanted(of_task: SandboxEnvironmentSpec | None, sample: Sample) -> SandboxEnvironmentSpec | None:
    """Return the sandbox of a sample, as inspect_ai decides between it and its task."""
    own = sample.sandbox
    if of_task is None or own is None:
        return own or of_task
    if own.config is not None and (own.type == of_task.type or _is_compose(own.config)):
        return SandboxEnvironmentSpec(of_task.type, own.config)
    return of_task


def _values(wanted: SandboxEnvironmentSpec, folder: Path, *, task: str) -> tuple[Values, dict[str, Any]]:
    """Return the chart values that a sandbox means, and options of its own."""
    from k8s_sandbox import K8sSandboxEnvironmentConfig

    if wanted.type not in ("docker", KUBERNETES):
        raise UserError(
            f"Task {task!r} has a sandbox of type {wanted.type!r}, which cannot run on the cluster.",
            hint="Use `k8s`, `docker` with a compose file, or `local`.",
            value=wanted.type,
        )
    config = wanted.config
    if config is None:
        return {}, {}
    if isinstance(config, K8sSandboxEnvironmentConfig):
        if config.chart or config.context:
            raise UserError(
                f"Task {task!r} has a sandbox with a chart or context of its own, which cannot run on the cluster.",
                hint="Leave `chart` and `context` out; `values` may say the rest.",
                value=config.chart or config.context,
            )
        options = config.model_dump(exclude={"chart", "context", "values"}, exclude_none=True)
        return (_read(folder / config.values, task) if config.values else {}), options
    if isinstance(config, ComposeConfig):
        return _converted(config.model_dump(exclude_none=True, by_alias=True), task), {}
    if not isinstance(config, str):
        raise UserError(f"Task {task!r} has a sandbox config that is not known: {type(config).__name__}.")
    if is_dockerfile(config):
        raise UserError(
            f"Task {task!r} builds its sandbox from {Path(config).name}, which cannot be built on the cluster.",
            hint="Build and push the image, and name it in a compose file or chart values.",
            value=config,
        )
    content = _read(folder / config, task)
    return (_converted(content, task) if is_compose_yaml(config) else content), {}


def _converted(compose: Mapping[str, Any], task: str) -> Values:
    """Return a compose file as chart values. Raises UserError for what has no counterpart."""
    from k8s_sandbox.compose._converter import ComposeConverterError, convert_compose_to_helm_values

    plain = dict(compose)
    for name, service in (plain.get("services") or {}).items():
        if isinstance(service, Mapping) and "build" in service and "image" not in service:
            raise UserError(
                f"Task {task!r}: the service {name!r} of its compose file is built, which the cluster cannot do.",
                hint="Build and push the image, and name it with `image`.",
                value=name,
            )
    services = {
        # The cluster shuts a sandbox off by its policies; compose's word for that has no counterpart.
        name: {key: value for key, value in service.items() if key not in ("build", "network_mode")}
        for name, service in (plain.get("services") or {}).items()
    }
    file = Path(f"compose-{os.getpid()}.yaml").absolute()
    file.write_text(yaml.safe_dump({**plain, "services": services}, sort_keys=False))
    try:
        return dict(convert_compose_to_helm_values(file))
    except ComposeConverterError as error:
        raise UserError(f"Task {task!r}: its compose file cannot run on the cluster: {error}") from error
    finally:
        with contextlib.suppress(FileNotFoundError):
            file.unlink()


def _read(path: Path, task: str) -> Values:
    try:
        content = yaml.safe_load(path.read_text())
    except (OSError, yaml.YAMLError) as error:
        raise UserError(f"Task {task!r}: its sandbox file {path} cannot be read: {error}", value=str(path)) from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        raise UserError(f"Task {task!r}: its sandbox file {path} is no mapping.", value=str(path))
    return content


def _write(values: Values, folder: Path) -> Path:
    """Keep the values in a file; the same values are in the same file."""
    text = yaml.safe_dump(values, sort_keys=False)
    path = folder / "sandboxes" / f"{hashlib.sha256(text.encode()).hexdigest()[:16]}-values.yaml"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


def _config(values: Path, options: Mapping[str, Any]) -> Any:
    from k8s_sandbox import K8sSandboxEnvironmentConfig

    return K8sSandboxEnvironmentConfig(values=values, **options)


def _is_compose(config: Any) -> bool:
    return isinstance(config, ComposeConfig) or (isinstance(config, str) and is_compose_yaml(config))


def _within(number: int, bounds: tuple[int, int]) -> int:
    return max(bounds[0], min(number, bounds[1]))
