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


def list_rows(
    connection: Connection[DictRow], caller: Principal, *, limit: int, search: str, mine: bool
) -> list[EvalSetRow]:
    """Return the newest sets that the caller may see, newest first."""
    known = connection.execute("select distinct unnest(model_groups) as model_group from ops.eval_set").fetchall()
    visible = [row["model_group"] for row in known if may_view(caller, [row["model_group"]])]
    pattern = "%" + _escaped(search.replace("\0", "")) + "%"
    rows = connection.execute(
        """
        select * from ops.eval_set
        where model_groups <@ %(visible)s::text[] and model_groups <> '{}'
          and (eval_set_id ilike %(pattern)s or name ilike %(pattern)s or created_by ilike %(pattern)s
               or email ilike %(pattern)s)
          and (not %(mine)s or created_by = %(subject)s)
        order by created_at desc, eval_set_id
        limit %(limit)s
        """,
        {"visible": visible, "pattern": pattern, "mine": mine, "subject": caller.subject, "limit": limit},
    )
    return [EvalSetRow.model_validate(row) for row in rows]


def _escaped(text: str) -> str:
    return text.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
