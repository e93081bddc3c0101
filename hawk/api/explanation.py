"""The words of `hawk why`."""

from psycopg import Connection
from psycopg.rows import DictRow

from hawk.api.contracts import WhyResponse
from hawk.auth import Principal
from hawk.eval_set_groups import required_groups
from hawk.eval_sets import EvalSetRow, find_eval_set
from hawk.permissions import (
    groups_of_models,
    is_known_group,
    may_change,
    may_use,
    may_view,
    missing_groups,
    unseen_groups,
)

_SET_OF_SAMPLE = """
select eval_import.eval_set_id from raw.sample
inner join raw.eval_import using (import_id)
where sample.sample_uuid = %s
order by eval_import.import_id desc limit 1
"""


def explain(connection: Connection[DictRow], user: Principal, thing: str, *, request_id: str) -> WhyResponse:
    """Return what the user may do with an eval set, a sample or a model, and why."""
    thing = thing.replace("\0", "").strip()
    if "/" in thing:
        return _of_model(connection, user, thing)
    row = find_eval_set(connection, thing)
    if row is not None and _may_know(user, row):
        return _with_logs(connection, user, row, _of_eval_set(user, row))
    sample = connection.execute(_SET_OF_SAMPLE, [thing]).fetchone()
    row = find_eval_set(connection, sample["eval_set_id"]) if sample else None
    if row is not None and may_view(user, row.model_groups):
        answer = _of_eval_set(user, row)
        reasons = [f"The sample is one of eval set {row.eval_set_id}.", *answer.reasons]
        return answer.model_copy(update={"thing": thing, "kind": "sample", "reasons": reasons})
    return WhyResponse(
        thing=thing,
        kind="unknown",
        reasons=[
            "There is no eval set, sample or model of this name that you may see: either it does not exist, or one of "
            "its models or benchmarks is of a group that you lack."
        ],
        held_groups=sorted(user.permissions),
        hint=f"Ask who gave you the name, or an administrator, and tell the request id {request_id}.",
    )


def _with_logs(connection: Connection[DictRow], user: Principal, row: EvalSetRow, answer: WhyResponse) -> WhyResponse:
    """Return the answer with what holds for the set's logs, whose headers may name more models than its launch."""
    if not answer.may_view or may_view(user, required_groups(connection, row, None)):
        return answer
    reason = "You may not see its logs: they name models of groups that you lack, or of no group."
    return answer.model_copy(update={"reasons": [*answer.reasons, reason]})


def _may_know(user: Principal, row: EvalSetRow) -> bool:
    return may_view(user, row.model_groups) or (user.kind == "user" and row.created_by == user.subject)


def _of_eval_set(user: Principal, row: EvalSetRow) -> WhyResponse:
    sees, uses = may_view(user, row.model_groups), may_use(user, row.model_groups)
    changes = sees and uses and may_change(user, row.created_by)
    return WhyResponse(
        thing=row.eval_set_id,
        kind="eval_set",
        may_view=sees,
        may_use=changes,
        reasons=_reasons(user, row),
        required_groups=sorted(filter(is_known_group, row.model_groups)),
        missing_groups=missing_groups(user, filter(is_known_group, row.model_groups)),
        held_groups=sorted(user.permissions),
        hint="" if changes else _what_to_do(row, sees=sees, uses=uses),
    )


def _reasons(user: Principal, row: EvalSetRow) -> list[str]:
    if not any(map(is_known_group, row.model_groups)):
        return ["No group of its models is known, so nobody may see it."]
    unseen = unseen_groups(user, row.model_groups)
    if unseen:
        return [f"You made it, and may not see it any more: you lack {', '.join(unseen)}."]
    reasons = [f"You may see it: you hold {', '.join(sorted(row.model_groups))}."]
    missing = missing_groups(user, row.model_groups)
    if missing:
        reasons.append(f"You may not change it: you hold {', '.join(missing)} for reading only.")
    elif may_change(user, row.created_by):
        reasons.append("You may change it: " + ("you made it." if row.created_by == user.subject else _ADMIN))
    else:
        reasons.append(f"You may not change it: {row.created_by or 'nobody known'} made it.")
    return reasons


_ADMIN = "you are an administrator."


def _what_to_do(row: EvalSetRow, *, sees: bool, uses: bool) -> str:
    if not sees or not uses:
        return "Ask an administrator for the group."
    return f"Ask {row.created_by} or an administrator." if row.created_by else "Ask an administrator."


def _of_model(connection: Connection[DictRow], user: Principal, model: str) -> WhyResponse:
    group = groups_of_models(connection, [model]).get(model, "")
    held = sorted(user.permissions)
    if not is_known_group(group):
        reason = "Nobody has registered a model of this name, and what has no group nobody may use."
        hint = "Check the name: hawk models lists those that you may use."
        return WhyResponse(thing=model, kind="model", reasons=[reason], held_groups=held, hint=hint)
    uses, sees = may_use(user, [group]), may_view(user, [group])
    if uses:
        reason = f"You may use it: you hold {group}."
    else:
        reason = f"You may {'only see its results' if sees else 'not use it'}: you lack {group}."
    return WhyResponse(
        thing=model,
        kind="model",
        may_view=sees,
        may_use=uses,
        reasons=[reason],
        required_groups=[group],
        missing_groups=missing_groups(user, [group]),
        held_groups=held,
        hint="" if uses else "Ask an administrator for the group.",
    )
