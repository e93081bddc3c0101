"""Which logs may become part of a set of imported logs, and who may bring them."""

from psycopg import Connection
from psycopg.rows import DictRow

from hawk.auth import Principal
from hawk.errors import Conflict, HawkError, NotAllowed, UserError
from hawk.eval_sets import find_eval_set
from hawk.ids import IMPORTED_PREFIX, MAX_JOB_ID, RANDOM_LENGTH, JobId, new_job_id
from hawk.log_import.facts import LogFacts
from hawk.naming import eval_set_prefix
from hawk.permissions import (
    UNRESOLVED_GROUP,
    groups_of_benchmarks,
    groups_of_models,
    may_change,
    may_view,
    require_use,
)

_KNOWN_PLACES = """
select eval_set_id, location as place from raw.eval_import where eval_id = %(eval_id)s
union all
select eval_set_id, key as place from ops.log_upload
where eval_id = %(eval_id)s and state in ('open', 'accepted') and upload_id <> %(upload_id)s
"""


def new_imported_id(name: str) -> JobId:
    """Return `imported-{name}-{16 random}`, the name cut so that it is an id."""
    room = MAX_JOB_ID - RANDOM_LENGTH - 1 - len(IMPORTED_PREFIX)
    made = new_job_id(name[:200])
    stem, _, random_part = made.rpartition("-")
    return JobId(f"{IMPORTED_PREFIX}{stem[:room].rstrip('-')}-{random_part}")


def check_set_is_open(connection: Connection[DictRow], eval_set_id: str, caller: Principal) -> None:
    """Raise a HawkError where the caller may not add logs to this set of imported logs."""
    row = find_eval_set(connection, eval_set_id)
    if row is None or row.origin != "import" or not may_view(caller, row.model_groups):
        raise UserError(
            f"There is no set of imported logs {eval_set_id!r} that you may see.",
            hint="Leave out --into, and a new set is made.",
            value=eval_set_id,
            field="eval_set_id",
        )
    if not may_change(caller, row.created_by):
        raise NotAllowed(
            f"Eval set {eval_set_id} was imported by {row.created_by}.",
            hint="Leave out --into, and a new set is made.",
            field="eval_set_id",
        )
    if row.status == "deleted":
        raise Conflict(f"Eval set {eval_set_id} is deleted.", hint="Leave out --into, and a new set is made.")


def check_admission(connection: Connection[DictRow], facts: LogFacts, caller: Principal, eval_set_id: str) -> None:
    """Raise a HawkError where a log may not become part of the set, brought by this caller."""
    groups_of_log(connection, facts, caller)
    place_in_set(connection, facts.eval_id, eval_set_id, caller)


def known_by_content(connection: Connection[DictRow], content_hashes: list[str], caller: Principal) -> dict[str, str]:
    """Return content hash -> eval set, of files that were taken in before into a set that the caller may see."""
    rows = connection.execute(
        """
        select upload.content_hash, upload.eval_set_id, eval_set.model_groups
        from ops.log_upload as upload
        inner join ops.eval_set as eval_set on eval_set.eval_set_id = upload.eval_set_id
        where upload.state = 'accepted' and upload.content_hash = any(%s)
        """,
        [content_hashes],
    )
    return {row["content_hash"]: row["eval_set_id"] for row in rows if may_view(caller, row["model_groups"])}


def groups_of_log(connection: Connection[DictRow], facts: LogFacts, caller: Principal) -> list[str]:
    """Return the groups of the log's models and task. Raises UserError or NotAllowed unless the caller holds all."""
    if not facts.model_names:
        raise UserError(
            "The log names no model, so it is not known who may see it.", hint="Logs without a model are not imported."
        )
    groups = groups_of_models(connection, facts.model_names)
    unknown = sorted(name for name in facts.model_names if groups.get(name, UNRESOLVED_GROUP) in ("", UNRESOLVED_GROUP))
    if unknown:
        raise UserError(
            f"The log has models that are not registered: {', '.join(unknown)}.",
            hint="Ask an administrator to register them; who may see the log follows from its models' groups.",
            value=unknown,
            field="model_names",
        )
    benchmarks = groups_of_benchmarks(connection, facts.benchmarks)
    require_use(caller, groups, benchmarks)
    return sorted({*groups.values(), *benchmarks.values()})


def place_in_set(
    connection: Connection[DictRow], eval_id: str, eval_set_id: str, caller: Principal, *, upload_id: str = ""
) -> str | None:
    """Return the key of the log that this eval has in the set already. Raises Conflict where it is another set's."""
    rows = connection.execute(_KNOWN_PLACES, {"eval_id": eval_id, "upload_id": upload_id}).fetchall()
    for row in rows:
        if row["eval_set_id"] != eval_set_id:
            raise _of_another_set(connection, eval_id, row["eval_set_id"], caller)
    places = [row["place"] for row in rows if row["place"]]
    # Locations have the bucket before the key.
    return places[0][places[0].index(eval_set_prefix(eval_set_id)) :] if places else None


def _of_another_set(connection: Connection[DictRow], eval_id: str, eval_set_id: str, caller: Principal) -> HawkError:
    row = find_eval_set(connection, eval_set_id)
    if row is None or not may_view(caller, row.model_groups):
        return Conflict(
            f"Eval {eval_id} is known already, as part of an eval set that you may not see.",
            hint="Ask an administrator.",
            value=eval_id,
            field="eval_id",
        )
    may_replace = row.origin == "import" and may_change(caller, row.created_by)
    return Conflict(
        f"Eval {eval_id} is known already, as part of eval set {eval_set_id}.",
        hint=f"To replace its log there: hawk import --into {eval_set_id} PATH." if may_replace else "",
        value=eval_set_id,
        field="eval_id",
    )
