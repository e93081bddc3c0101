"""Which eval sets a caller may see and change; whatever he may not see does not exist for him."""

from psycopg import Connection
from psycopg.rows import DictRow

from hawk.api.request_audit import Withheld
from hawk.auth import Principal
from hawk.errors import NotAllowed
from hawk.eval_sets import EvalSetRow, find_eval_set, no_such_eval_set
from hawk.permissions import may_change, may_use, may_view, missing_groups, unseen_groups

MAX_ID_CHARACTERS = 255  # ids of imported sets need not be ours


def visible_row(connection: Connection[DictRow], caller: Principal, eval_set_id: str) -> EvalSetRow:
    """Return the set's row. Raises one and the same NotFound where there is none and where it may not be seen."""
    if len(eval_set_id) > MAX_ID_CHARACTERS or not eval_set_id.isprintable():
        raise no_such_eval_set(eval_set_id[:MAX_ID_CHARACTERS])
    row = find_eval_set(connection, eval_set_id)
    if row is None:
        raise no_such_eval_set(eval_set_id)
    if not may_view(caller, row.model_groups):
        raise Withheld(
            no_such_eval_set(eval_set_id),
            object_kind="eval_set",
            object_id=eval_set_id,
            missing_groups=unseen_groups(caller, row.model_groups),
        )
    return row


def changeable_row(connection: Connection[DictRow], user: Principal, eval_set_id: str) -> EvalSetRow:
    """Return the row of a set that the user may change. Raises NotFound, and NotAllowed where it is another's."""
    row = visible_row(connection, user, eval_set_id)
    if not may_change(user, row.created_by):
        raise NotAllowed(
            f"Eval set {eval_set_id} was made by {row.created_by or 'nobody known'}.",
            hint="Ask its owner or an administrator.",
            field="eval_set_id",
        )
    if not may_use(user, row.model_groups):
        raise NotAllowed(
            f"You may see eval set {eval_set_id}, but not change it: you lack "
            f"{', '.join(missing_groups(user, row.model_groups))}.",
            hint="Ask an administrator for the group.",
            field="eval_set_id",
        )
    return row
