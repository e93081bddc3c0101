"""Who launched the present run through Dagster's door, and whether that person may do what the run does."""

from collections.abc import Mapping
from typing import Any

from hawk.errors import NotAllowed
from hawk.eval_sets import eval_set_row, no_such_eval_set
from hawk.launch_stamps import LaunchStamp, read_stamp
from hawk.naming import LAUNCH_STAMP_TAG, LAUNCHPAD_ORDER
from hawk.permissions import may_change, may_use, may_view, missing_groups
from hawk.settings import OrchestrationSettings
from hawk.warehouse.connection import connect


def stamp_of(tags: Mapping[str, str], settings: OrchestrationSettings) -> LaunchStamp | None:
    """Return who launched a run with these tags; None where it was not launched through the door."""
    stamp = tags.get(LAUNCH_STAMP_TAG)
    if stamp is None:
        return None
    with connect(settings) as connection:
        return read_stamp(connection, stamp)


def require_may_change(tags: Mapping[str, str], settings: OrchestrationSettings, eval_set_id: str) -> None:
    """Raise NotFound or NotAllowed unless the run's launcher may change the set; nothing without a stamp."""
    stamp = stamp_of(tags, settings)
    if stamp is None:
        return
    with connect(settings) as connection:
        row = eval_set_row(connection, eval_set_id)
    if not may_view(stamp.principal, row.model_groups):
        raise no_such_eval_set(eval_set_id)
    if not may_change(stamp.principal, row.created_by):
        raise NotAllowed(
            f"Eval set {eval_set_id} was made by {row.created_by or 'nobody known'}.",
            hint="Ask its owner or an administrator.",
            field="eval_set_id",
        )
    if not may_use(stamp.principal, row.model_groups):
        missing = ", ".join(missing_groups(stamp.principal, row.model_groups))
        raise NotAllowed(f"You lack {missing}.", hint="Ask an administrator for the group.", field="eval_set_id")


def launchpad_config(
    mapping: Mapping[str, Any], stamp: LaunchStamp | None, settings: OrchestrationSettings
) -> dict[str, Any]:
    """Return what the launchpad was given: the mapping, or what the door has kept in its place.

    Raises NotAllowed for another person's.
    """
    if set(mapping) != {LAUNCHPAD_ORDER}:
        return dict(mapping)
    with connect(settings) as connection:
        kept = read_stamp(connection, str(mapping[LAUNCHPAD_ORDER]))
    is_own = stamp is None or stamp.principal.subject == kept.principal.subject
    if kept.config is None or not is_own:
        raise NotAllowed("What this run was given is another person's.", hint="Paste the YAML file yourself.")
    return dict(kept.config)
