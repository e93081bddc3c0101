"""Whether a log may, and should, replace what is in the warehouse. Pure."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from hawk.warehouse.log_archive import BrokenLog

ImportState = Literal["imported", "skipped", "superseded", "quarantined", "dead_letter"]

_NEVER = datetime.min.replace(tzinfo=UTC)  # before any completion


@dataclass(frozen=True)
class LogVersion:
    """One version of an eval's log, imported or about to be."""

    eval_id: str
    eval_set_id: str
    location: str
    etag: str
    last_modified: datetime
    is_finished: bool
    completed_at: datetime | None
    damage: str | None = None  # what is wrong with a log that can be read only in part
    buffer_version: str | None = None  # of a running eval: how far its samples had come


def check_eval_set(eval_set_id: str, declared: str | None) -> None:
    """Raise BrokenLog where a log's metadata says that it belongs to another eval set than its folder's."""
    if declared is not None and declared != eval_set_id:
        raise BrokenLog(
            f"The log lies in the folder of eval set {eval_set_id!r}, but its metadata says {declared!r}.",
            hint="Put it into its own set's folder, or bring it in with `hawk import`, which writes its metadata anew.",
        )


def reason_to_leave(stored: LogVersion | None, new: LogVersion, *, force: bool) -> tuple[ImportState, str] | None:
    """Return why the stored version stays, as state and reason; None where the new one is to be imported.

    Raises BrokenLog where the eval belongs to another set. `force` imports again what lies in the same place and would
    be left alone, but never a beginning over an end. Of two logs of one eval in different places the same one stays
    whichever came first.
    """
    if stored is None:
        return None
    if stored.eval_set_id != new.eval_set_id:
        raise BrokenLog(
            f"Eval {new.eval_id} is already known as part of eval set {stored.eval_set_id!r} ({stored.location}).",
            hint="An eval belongs to one set. Bring a copy in with `hawk import`, or delete the other set first.",
        )
    if stored.is_finished and not new.is_finished:
        return "superseded", "The eval has ended since, and its end is in the warehouse."
    if stored.location != new.location:
        return _reason_to_leave_copy(stored, new)
    if force:
        return None
    if new.damage and not stored.damage and stored.is_finished == new.is_finished:
        return "quarantined", f"{new.damage} An earlier version of it is whole, and stays."
    if stored.etag == new.etag and new.buffer_version in (None, stored.buffer_version):
        return "skipped", "This version of the log is in the warehouse already."
    if new.last_modified < stored.last_modified:
        return "superseded", f"A newer version, of {stored.last_modified:%Y-%m-%d %H:%M:%S} UTC, is in the warehouse."
    if stored.completed_at and new.completed_at and new.completed_at < stored.completed_at:
        return "superseded", f"A version that completed later, {stored.completed_at.isoformat()}, is in the warehouse."
    return None


def _reason_to_leave_copy(stored: LogVersion, new: LogVersion) -> tuple[ImportState, str] | None:
    if _rank(new) > _rank(stored):
        return None
    if new.damage and not stored.damage:
        why = "is whole"
    elif stored.completed_at and (new.completed_at is None or new.completed_at < stored.completed_at):
        why = f"completed later, {stored.completed_at.isoformat()}"
    else:
        why = "is newer, or goes before it by its name"
    return "superseded", f"Another log of the same eval, {stored.location}, {why}, and stays."


def _rank(version: LogVersion) -> tuple[bool, bool, datetime, datetime, str]:
    """Return what orders logs of one eval that lie in different places; no two are equal."""
    return (
        version.is_finished,
        not version.damage,
        version.completed_at or _NEVER,
        version.last_modified,
        version.location,
    )
