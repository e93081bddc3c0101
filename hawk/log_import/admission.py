"""Takes a file that has arrived whole into an eval set: read, judged, stamped, placed; or says why not.

Every step may be done again, so a request that dies midway is mended by the next: what is placed has the same name
and bytes each time, and the set's groups are written before there is a log that they guard.
"""

import contextlib
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from psycopg import Connection
from psycopg.rows import DictRow

from hawk.auth import Principal
from hawk.errors import Conflict, HawkError, NotAllowed, Upstream, UserError
from hawk.eval_set_folder import EvalSetFolder, models_file
from hawk.eval_sets import find_eval_set
from hawk.ids import IMPORTED_PREFIX, MAX_JOB_ID, RANDOM_LENGTH, JobId, new_job_id
from hawk.log_import.pending_objects import PendingObjects
from hawk.log_import.stamp import Stamp, StampedSource, stamp_log
from hawk.log_import.uploads import UploadRow, complete_upload, not_open, settle_upload, upload_of
from hawk.naming import eval_set_key, eval_set_prefix, is_eval_log_name, pending_key
from hawk.permissions import UNRESOLVED_GROUP, groups_of_models, may_change, may_view, require_use
from hawk.warehouse import inbox
from hawk.warehouse.eval_rows import EvalSummary, summarize
from hawk.warehouse.inbox import LogObject
from hawk.warehouse.log_archive import BrokenLog
from hawk.warehouse.log_source import S3Source
from hawk.warehouse.reader import open_log

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

# A log in JSON is held in memory whole to be stamped.
MAX_JSON_BYTES = 256 * 1024 * 1024
# What Inspect names the model of tasks that call none.
NO_MODELS = frozenset({"", "none", "none/none"})

_STRANGE = re.compile(r"[^A-Za-z0-9._+-]+")
_LOCK_SEED = 0x75706C6F  # "uplo": of our advisory locks on uploads
_LONGEST_STEM = 180  # with a hash and an ending, well under what file systems allow when a log is downloaded

_KNOWN_PLACES = """
select eval_set_id, location as place from raw.eval_import where eval_id = %(eval_id)s
union all
select eval_set_id, key as place from ops.log_upload
where eval_id = %(eval_id)s and state in ('open', 'accepted') and upload_id <> %(upload_id)s
"""
_TAKE_INTO_SET = """
insert into ops.eval_set as known
    (eval_set_id, name, origin, created_by, email, model_names, model_groups, status, created_at, status_changed_at)
values (%(id)s, %(name)s, 'import', %(created_by)s, %(email)s, %(names)s, %(groups)s, 'complete', now(), now())
on conflict (eval_set_id) do update set
    name = case when known.origin = 'listing' then excluded.name else known.name end,
    origin = 'import',
    created_by = coalesce(known.created_by, excluded.created_by),
    email = coalesce(known.email, excluded.email),
    model_names = array(select distinct unnest(known.model_names || excluded.model_names) order by 1),
    model_groups = array(select distinct unnest(known.model_groups || excluded.model_groups) order by 1),
    status_changed_at = now()
"""


@dataclass(frozen=True)
class LogFacts:
    """What rules ask of a log."""

    eval_id: str
    model_names: frozenset[str]


@dataclass(frozen=True)
class ImportStores:
    """Where logs lie."""

    s3: "S3Client"
    bucket: str

    @property
    def pending(self) -> PendingObjects:
        return PendingObjects(self.s3, self.bucket)


def new_imported_id(name: str) -> JobId:
    """Return `imported-{name}-{16 random}`, the name cut so that it is an id."""
    room = MAX_JOB_ID - RANDOM_LENGTH - 1 - len(IMPORTED_PREFIX)
    made = new_job_id(name[:200])
    stem, _, random_part = made.rpartition("-")
    return JobId(f"{IMPORTED_PREFIX}{stem[:room].rstrip('-')}-{random_part}")


def facts_of(summary: EvalSummary) -> LogFacts:
    """Return an eval's id, and every model that its log names: its own, those of roles, and those that were called."""
    named = {*summary.models, *(summary.stats.model_usage or {})}
    return LogFacts(summary.eval_id, frozenset(named - NO_MODELS))


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
    _groups(connection, facts, caller)
    _place_in_set(connection, facts.eval_id, eval_set_id, caller)


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


def admit(connection: Connection[DictRow], stores: ImportStores, upload: UploadRow, caller: Principal) -> UploadRow:
    """Make an upload that has arrived whole a log of its set, and return its row.

    What is refused for good is settled as such before the error is raised: the file need not be kept. Raises
    UserError for a file that is no log or has unknown models, NotAllowed, Conflict for an eval of another set, and
    Upstream; after that one the same call may succeed.
    """
    with _one_at_a_time(connection, upload):
        upload = upload_of(connection, upload.upload_id, caller)
        if upload.state == "accepted":
            return upload
        if upload.state != "open":
            raise not_open(upload)
        complete_upload(connection, stores.pending, upload)
        try:
            settled = _take_in(connection, stores, upload, caller)
        except (UserError, NotAllowed, Conflict) as error:
            settle_upload(connection, upload, "refused", reason=str(error))
            stores.pending.discard(upload.upload_id, None)
            raise
        stores.pending.discard(upload.upload_id, None)
        return settled


@contextlib.contextmanager
def _one_at_a_time(connection: Connection[DictRow], upload: UploadRow) -> Iterator[None]:
    key = [upload.upload_id, _LOCK_SEED]
    row = connection.execute("select pg_try_advisory_lock(hashtextextended(%s, %s)) as is_ours", key).fetchone()
    if row is None or not row["is_ours"]:
        raise Upstream(f"{upload.file_name} is being taken in by another request.", hint="Ask again in a moment.")
    try:
        yield
    finally:
        connection.execute("select pg_advisory_unlock(hashtextextended(%s, %s))", key)


def _take_in(connection: Connection[DictRow], stores: ImportStores, upload: UploadRow, caller: Principal) -> UploadRow:
    stamp = Stamp(
        eval_set_id=upload.eval_set_id,
        created_by=upload.created_by,
        imported_at=upload.created_at,
        file_name=upload.file_name,
        content_hash=upload.content_hash,
    )
    etag = stores.pending.etag(upload.upload_id)
    with contextlib.closing(S3Source(stores.s3, stores.bucket, pending_key(upload.upload_id), etag=etag)) as source:
        if source.size_bytes > MAX_JSON_BYTES and source.read(0, 4).lstrip()[:1] == b"{":
            raise BrokenLog(
                f"A log in JSON may have {MAX_JSON_BYTES:,} bytes; {upload.file_name} has {source.size_bytes:,}.",
                hint="Convert it first: inspect log convert --to eval.",
            )
        summary = summarize(open_log(source))
        facts = facts_of(summary)
        stamped = stamp_log(source, stamp)
        again = summarize(open_log(StampedSource(source, stamped)))
    if again.declared_eval_set_id != upload.eval_set_id or facts_of(again) != facts:
        raise BrokenLog("The log's header says two things at once.", hint="Write the log anew with Inspect.")
    key = _claim_place(connection, stores, upload, facts, caller, default=_log_name(upload, summary))
    stores.pending.place(upload.upload_id, stamped, key)
    head = stores.s3.head_object(Bucket=stores.bucket, Key=key)
    placed = LogObject(stores.bucket, key, head["ETag"], head["ContentLength"], head["LastModified"])
    with connection.transaction():
        inbox.record(connection, [placed], source="import")
        return settle_upload(connection, upload, "accepted", eval_id=facts.eval_id, key=key)


def _claim_place(
    connection: Connection[DictRow],
    stores: ImportStores,
    upload: UploadRow,
    facts: LogFacts,
    caller: Principal,
    *,
    default: str,
) -> str:
    """Return the key for a log that may come in, its set and eval id claimed so that nobody else brings it too."""
    with connection.transaction():
        # Before the log is there, two uploads of one eval see each other by this row.
        connection.execute("select pg_advisory_xact_lock(hashtextextended(%s, 1))", [facts.eval_id])
        groups = _groups(connection, facts, caller)
        known_key = _place_in_set(connection, facts.eval_id, upload.eval_set_id, caller, upload_id=upload.upload_id)
        connection.execute(
            "update ops.log_upload set eval_id = %s where upload_id = %s", [facts.eval_id, upload.upload_id]
        )
        connection.execute(
            _TAKE_INTO_SET,
            {
                "id": upload.eval_set_id,
                "name": upload.set_name,
                "created_by": upload.created_by,
                "email": upload.email,
                "names": sorted(groups),
                "groups": sorted(set(groups.values())),
            },
        )
        row = find_eval_set(connection, upload.eval_set_id)
        if row is not None:
            folder = EvalSetFolder(stores.s3, stores.bucket, upload.eval_set_id)
            folder.write_models(models_file(row.model_names, row.model_groups, row.created_by))
    key = known_key or eval_set_key(upload.eval_set_id, default)
    if key.rpartition(".")[2] != upload.file_name.rpartition(".")[2]:
        raise Conflict(
            f"Eval {facts.eval_id} is in the set already as {key.rpartition('/')[2]}.",
            hint="Bring it in that format to replace it.",
            value=key,
            field="file_name",
        )
    return key


def _groups(connection: Connection[DictRow], facts: LogFacts, caller: Principal) -> dict[str, str]:
    """Return the group of each model of the log. Raises UserError or NotAllowed unless the caller holds them all."""
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
    require_use(caller, groups)
    return groups


def _place_in_set(
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


def _log_name(upload: UploadRow, summary: EvalSummary) -> str:
    """Return the name of the log's object: the file's own as far as it can be, and another for each content.

    Inspect takes what follows `-` in the last part of a log's name for a suffix of its id.
    """
    stem, _, ending = upload.file_name.rpartition(".")
    cleaned = _STRANGE.sub("-", stem).strip(".-")[:_LONGEST_STEM] or "log"
    name = f"{cleaned}-{upload.content_hash[:8]}.{ending}"
    if is_eval_log_name(name):
        return name
    moment = summary.created_at or upload.created_at
    return f"{moment:%Y-%m-%dT%H-%M-%S+00-00}_{name}"
