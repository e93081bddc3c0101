"""Puts edits into a log that was read, by inspect_ai's own functions; nothing is read or written here.

Each edit leaves a mark of its request in the sample, so that the same request given twice changes nothing twice.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from inspect_ai.event import InfoEvent
from inspect_ai.log import (
    EvalLog,
    EvalSample,
    ProvenanceData,
    edit_score,
    invalidate_samples,
    recompute_metrics,
    uninvalidate_samples,
)
from inspect_ai.scorer import ScoreEdit

from hawk.errors import Conflict, NotFound
from hawk.log_edits import (
    EditOrder,
    InvalidateSampleDetails,
    NoteDetails,
    PlacedEdit,
    ScoreEditDetails,
    UninvalidateSampleDetails,
)

SOURCE = "hawk"  # of the events that edits leave
REQUEST_KEY, POSITION_KEY = "edit_request_id", "position"


@dataclass(frozen=True)
class Edited:
    """A log with the edits in it; `is_changed` is false where all of them were there before."""

    log: EvalLog
    is_changed: bool
    metrics: Literal["untouched", "recomputed", "kept"] = "untouched"
    metrics_reason: str = ""


def apply_edits(log: EvalLog, edits: tuple[PlacedEdit, ...], order: EditOrder) -> Edited:
    """Return the log with all edits in it; the one given is not to be used afterwards.

    Raises Conflict for a log that is still written, NotFound for a sample that it does not hold, and ValueError as
    inspect_ai does, for a score that cannot be.
    """
    if log.status == "started":
        raise Conflict("The log is still being written.", hint="Edit it when its eval has ended.", value=log.status)
    due = [edit for edit in edits if not _is_done(sample_of(log, edit), order, edit)]
    for edit in due:
        log = _apply(log, edit, order)
    if not any(isinstance(edit.details, ScoreEditDetails) for edit in due):
        return Edited(log, is_changed=bool(due))
    trouble = _metrics_anew(log)
    return Edited(log, True, metrics="kept" if trouble else "recomputed", metrics_reason=trouble)


def sample_of(log: EvalLog, edit: PlacedEdit) -> EvalSample:
    """Return the edit's sample: by its uuid, or by id and epoch in logs older than uuids. Raises NotFound."""
    return (log.samples or [])[_index_of(log, edit)]


def _index_of(log: EvalLog, edit: PlacedEdit) -> int:
    for index, sample in enumerate(log.samples or []):
        if sample.uuid == edit.sample_uuid:
            return index
        if not sample.uuid and str(sample.id) == edit.sample_id and sample.epoch == edit.epoch:
            return index
    raise NotFound(
        f"The log holds no sample {edit.sample_uuid} (id {edit.sample_id}, epoch {edit.epoch}) any more.",
        hint="Was it retried meanwhile? Look it up anew.",
        value=edit.sample_uuid,
    )


def _apply(log: EvalLog, edit: PlacedEdit, order: EditOrder) -> EvalLog:
    details = edit.details
    match details:
        case ScoreEditDetails():
            _edit_score(log, edit, details, order)
        case InvalidateSampleDetails():
            uuid = _named(log, edit)
            _note(log, edit, order, action="invalidate_sample", reason=details.reason)
            log = invalidate_samples(log, [uuid], _provenance(edit, order, details.reason))
        case UninvalidateSampleDetails():
            uuid = _named(log, edit)
            was = sample_of(log, edit).invalidation
            before = was.model_dump(mode="json") if was else None
            _note(log, edit, order, action="uninvalidate_sample", reason=details.reason, invalidation=before)
            log = uninvalidate_samples(log, [uuid])
        case NoteDetails():
            _note(log, edit, order, action="note", text=details.text)
    return log


def _edit_score(log: EvalLog, edit: PlacedEdit, details: ScoreEditDetails, order: EditOrder) -> None:
    sample = sample_of(log, edit)
    change = ScoreEdit(
        value=details.value,
        answer=details.answer,
        explanation=details.explanation,
        metadata=details.metadata,
        provenance=_provenance(edit, order, details.reason),
    )
    edit_score(log, sample.id, details.scorer, change, recompute_metrics=False, epoch=sample.epoch)


def _named(log: EvalLog, edit: PlacedEdit) -> str:
    """Return the sample's uuid, by which inspect_ai finds it; an older one gets what the warehouse knows it by."""
    sample = sample_of(log, edit)
    if not sample.uuid:
        sample.uuid = edit.sample_uuid
    return sample.uuid


def _note(log: EvalLog, edit: PlacedEdit, order: EditOrder, **data: Any) -> None:
    """Append an event that says what was done; un-invalidating would leave no other trace."""
    provenance = _provenance(edit, order, None)
    said = {"author": provenance.author, **data, **provenance.metadata}
    sample_of(log, edit).events.append(InfoEvent(source=SOURCE, data=said))


def _provenance(edit: PlacedEdit, order: EditOrder, reason: str | None) -> ProvenanceData:
    mark: dict[str, Any] = {REQUEST_KEY: order.edit_request_id, POSITION_KEY: edit.position}
    approval = {"approved_by": order.approved_by} if order.approved_by else {}
    return ProvenanceData(author=order.author, reason=reason or None, metadata={**mark, **approval})


def _is_done(sample: EvalSample, order: EditOrder, edit: PlacedEdit) -> bool:
    return any(
        mark.get(REQUEST_KEY) == order.edit_request_id and mark.get(POSITION_KEY) == edit.position
        for mark in _marks(sample)
    )


def _marks(sample: EvalSample) -> Iterator[dict[str, Any]]:
    for event in sample.events:
        if isinstance(event, InfoEvent) and event.source == SOURCE and isinstance(event.data, dict):
            yield event.data
    for score in (sample.scores or {}).values():
        yield from (entry.provenance.metadata for entry in score.history if entry.provenance)


def _metrics_anew(log: EvalLog) -> str:
    """Compute the log's metrics from its scores; return '', or why they stay as they were."""
    before, reductions = log.results, log.reductions
    if before is None or not before.scores:
        return "The log had no metrics."
    if not log.eval.scorers:
        return "The log does not name its scorers."
    try:
        recompute_metrics(log)
    except Exception as error:  # strangers' metrics run here, and a scorer may be of a package that is not installed
        log.results, log.reductions = before, reductions
        return f"The metrics could not be computed anew: {type(error).__name__}: {' '.join(str(error).split())[:500]}"
    now = log.results.scores if log.results else []
    lost = {score.name for score in before.scores} - {score.name for score in now}
    if lost:
        log.results, log.reductions = before, reductions
        return f"Computed anew, the metrics would lack those of {', '.join(sorted(lost))}."
    return ""
