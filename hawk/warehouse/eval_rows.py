"""The rows of an eval itself: its spec, results, metrics, roles and usage. Pure."""

import hashlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import msgspec
from msgspec import Raw

from hawk.warehouse.decoding import Reader, decode, decode_as
from hawk.warehouse.log_archive import BrokenLog
from hawk.warehouse.log_values import finite, moment, usage_columns
from hawk.warehouse.raw_json import is_container, is_given, is_list, is_object
from hawk.warehouse.reader import EvalLog
from hawk.warehouse.records import (
    DatasetRecord,
    EpochsRecord,
    ErrorRecord,
    HeaderRecord,
    MetricRecord,
    ModelConfigRecord,
    PlanRecord,
    ResultsRecord,
    SandboxRecord,
    ScoreSummaryRecord,
    SetRecord,
    SpecRecord,
    StatsRecord,
)
from hawk.warehouse.rows import EvalMetricRow, EvalModelRoleRow, EvalModelUsageRow, EvalRow, Jsonb, jsonb

STARTED = "started"

_BASE57 = "23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz"
_ID_LENGTH = 22

_read_spec = Reader(SpecRecord).read
_read_dataset = Reader(DatasetRecord).read
_read_error = Reader(ErrorRecord).read
_read_sandbox = Reader(SandboxRecord).read


@dataclass(frozen=True)
class EvalSummary:
    """What the importer decides by, and what the eval's rows are made of."""

    eval_id: str
    declared_eval_set_id: str | None  # by the log's own metadata
    created_by: str | None
    damage: str | None  # of a log that was cut off when it was brought: what it lacks
    models: tuple[str, ...]  # the eval's own and those of its roles
    header: HeaderRecord
    spec: SpecRecord
    dataset: DatasetRecord
    sandbox: SandboxRecord | None
    results: ResultsRecord
    stats: StatsRecord
    error: ErrorRecord
    other: Jsonb | None  # the fields of eval and header that have no column

    @property
    def is_finished(self) -> bool:
        return self.header.status != STARTED

    @property
    def created_at(self) -> datetime | None:
        return moment(self.spec.created)

    @property
    def completed_at(self) -> datetime | None:
        return moment(self.stats.completed_at)

    @property
    def first_scorer(self) -> str | None:
        scores = _scores(self.results)
        return scores[0].name if scores else None


def summarize(log: EvalLog) -> EvalSummary:
    """Return what a log says of its eval as a whole. Raises BrokenLog where it lacks what makes it one."""
    header = log.header
    spec, of_eval = decode(_read_spec, header.eval, "eval")
    metadata = decode_as(SetRecord, spec.metadata, "eval.metadata") if is_object(spec.metadata) else SetRecord()
    dataset, of_dataset = _read_if_object(_read_dataset, spec.dataset, "eval.dataset", DatasetRecord())
    error, of_error = _read_if_object(_read_error, header.error, "error", ErrorRecord())
    sandbox, of_sandbox = _sandbox(spec.sandbox)
    original = {
        "tags": spec.tags if header.tags not in (None, spec.tags) else None,
        "metadata": spec.metadata if is_given(header.metadata) and header.metadata != spec.metadata else None,
    }
    unknown = {
        "eval": {**of_eval, **_present(dataset=of_dataset, sandbox=of_sandbox, **original)},
        "log": {**log.other, **_present(error=of_error)},
    }
    return EvalSummary(
        eval_id=_eval_id(spec),
        declared_eval_set_id=metadata.eval_set_id if isinstance(metadata.eval_set_id, str) else None,
        created_by=metadata.created_by if isinstance(metadata.created_by, str) else None,
        damage=_damage(metadata.imported),
        models=tuple(dict.fromkeys([spec.model, *(model for _, model, _ in _roles(spec))])),
        header=header,
        spec=spec,
        dataset=dataset,
        sandbox=sandbox,
        results=decode_as(ResultsRecord, header.results, "results") if is_given(header.results) else ResultsRecord(),
        stats=decode_as(StatsRecord, header.stats, "stats") if is_given(header.stats) else StatsRecord(),
        error=error,
        other=jsonb(msgspec.json.encode(unknown)),
    )


def eval_row(import_id: int, eval_set_id: str, location: str, summary: EvalSummary, reductions: Raw) -> EvalRow:
    """Return the eval's own row."""
    spec, header, stats = summary.spec, summary.header, summary.stats
    plan = decode_as(PlanRecord, header.plan, "plan") if is_given(header.plan) else PlanRecord()
    config = decode_as(EpochsRecord, spec.config, "eval.config") if is_given(spec.config) else EpochsRecord()
    return EvalRow(
        import_id=import_id,
        eval_id=summary.eval_id,
        eval_set_id=eval_set_id,
        run_id=spec.run_id or None,
        task_id=spec.task_id or None,
        task_name=spec.task,
        task_version=str(spec.task_version),
        task_file=spec.task_file,
        task_args=jsonb(spec.task_args),
        solver=spec.solver,
        solver_args=jsonb(spec.solver_args),
        agent=plan.steps[-1].solver if plan.steps else spec.solver,
        plan=jsonb(header.plan),
        model=spec.model,
        model_base_url=spec.model_base_url,
        model_args=jsonb(spec.model_args),
        model_generate_config=jsonb(spec.model_generate_config),
        dataset_name=summary.dataset.name,
        dataset_sample_count=summary.dataset.samples,
        config=jsonb(spec.config),
        epochs=config.epochs,
        revision=jsonb(spec.revision),
        packages=jsonb(spec.packages),
        tags=header.tags if header.tags is not None else spec.tags,
        metadata=jsonb(header.metadata) if is_given(header.metadata) else jsonb(spec.metadata),
        sandbox_type=summary.sandbox.type if summary.sandbox else None,
        sandbox_config=jsonb(summary.sandbox.config) if summary.sandbox else None,
        created_by=summary.created_by,
        status=header.status,
        is_invalidated=header.invalidated,
        error_message=summary.error.message if is_given(header.error) else None,
        error_traceback=summary.error.traceback if is_given(header.error) else None,
        total_samples=summary.results.total_samples,
        completed_samples=summary.results.completed_samples,
        results=jsonb(header.results),
        reductions=jsonb(reductions),
        stats=jsonb(header.stats),
        other=summary.other,
        location=location,
        created_at=summary.created_at,
        started_at=moment(stats.started_at),
        completed_at=summary.completed_at,
    )


def eval_detail_rows(
    import_id: int, summary: EvalSummary
) -> Iterator[EvalMetricRow | EvalModelRoleRow | EvalModelUsageRow]:
    """Yield the eval's metrics, model roles and token usage, each key once."""
    metrics: dict[tuple[str, str, str], EvalMetricRow] = {}
    for score in _scores(summary.results):
        for name, metric in score.metrics.items():
            reducer = score.reducer or ""
            metrics[score.name, reducer, name] = EvalMetricRow(
                import_id, score.name, score.scorer or score.name, reducer, name, finite(metric.value)
            )
    yield from metrics.values()
    roles = {(role, model): config for role, model, config in _roles(summary.spec)}
    for (role, model), config in roles.items():
        yield EvalModelRoleRow(import_id, role, model, jsonb(config))
    for model, usage in (summary.stats.model_usage or {}).items():
        yield EvalModelUsageRow(import_id, model, **usage_columns(usage))


def _damage(imported: Any) -> str | None:
    damage = imported.get("damage") if isinstance(imported, dict) else None
    return damage if isinstance(damage, str) and damage else None


def _eval_id(spec: SpecRecord) -> str:
    """Return the eval's id, or for logs older than ids the one that Inspect gives them when it reads them."""
    if spec.eval_id:
        return spec.eval_id
    created = moment(spec.created)
    if created is None:
        raise BrokenLog(f"The log has neither an eval id nor a time of creation (eval.created is {spec.created!r}).")
    content = spec.run_id + spec.task_id + created.astimezone(UTC).isoformat()
    number = int.from_bytes(hashlib.blake2s(content.encode(), digest_size=16).digest(), "big")
    digits = ""
    while number:
        number, digit = divmod(number, len(_BASE57))
        digits = _BASE57[digit] + digits
    return digits[-_ID_LENGTH:].rjust(_ID_LENGTH, _BASE57[0])


def _roles(spec: SpecRecord) -> list[tuple[str, str, Raw]]:
    found = []
    for role, value in (spec.model_roles or {}).items():
        configs = decode_as(list[Raw], value, "eval.model_roles") if is_list(value) else [value]
        found += [(role, decode_as(ModelConfigRecord, config, "eval.model_roles").model, config) for config in configs]
    return found


def _scores(results: ResultsRecord) -> list[ScoreSummaryRecord]:
    if results.scorer is None:
        return results.scores
    metrics: dict[str, MetricRecord] = results.metrics or results.scorer.metrics
    return [msgspec.structs.replace(results.scorer, scorer=results.scorer.name, metrics=metrics)]


def _sandbox(value: Raw) -> tuple[SandboxRecord | None, Mapping[str, Raw]]:
    if not is_container(value):
        return None, {}
    if is_object(value):
        return decode(_read_sandbox, value, "eval.sandbox")
    kind, config = decode_as(tuple[str, Raw], value, "eval.sandbox")  # as logs of 2024 have it
    return SandboxRecord(type=kind, config=config), {}


def _read_if_object[T](
    read: Callable[[Any], tuple[T, Mapping[str, Raw]]], value: Raw, name: str, default: T
) -> tuple[T, Mapping[str, Raw]]:
    return decode(read, value, name) if is_object(value) else (default, {})


def _present(**values: object) -> dict[str, object]:
    return {name: value for name, value in values.items() if value}
