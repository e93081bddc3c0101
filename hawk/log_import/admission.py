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

from hawk.audit import AuditEntry, record
from hawk.auth import Principal
from hawk.errors import Conflict, NotAllowed, Upstream, UserError
from hawk.eval_set_folder import EvalSetFolder, models_file
from hawk.eval_sets import find_eval_set
from hawk.log_import.facts import LogFacts, facts_of
from hawk.log_import.pending_objects import PendingObjects
from hawk.log_import.rules import groups_of_log, place_in_set
from hawk.log_import.stamp import Stamp, StampedSource, stamp_log
from hawk.log_import.uploads import UploadRow, complete_upload, not_open, settle_upload, upload_of
from hawk.naming import eval_set_key, is_eval_log_name, pending_key
from hawk.warehouse import inbox
from hawk.warehouse.eval_rows import EvalSummary, summarize
from hawk.warehouse.inbox import LogObject
from hawk.warehouse.log_archive import BrokenLog
from hawk.warehouse.log_source import S3Source
from hawk.warehouse.reader import open_log, open_readable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

_STRANGE = re.compile(r"[^A-Za-z0-9._+-]+")
_LOCK_SEED = 0x75706C6F  # "uplo": of our advisory locks on uploads
_LONGEST_STEM = 180  # with a hash and an ending, well under what file systems allow when a log is downloaded

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
class ImportStores:
    """Where logs lie."""

    s3: "S3Client"
    bucket: str
    max_json_bytes: int  # a log in JSON is held in memory whole to be stamped

    @property
    def pending(self) -> PendingObjects:
        return PendingObjects(self.s3, self.bucket)


def admit(
    connection: Connection[DictRow],
    stores: ImportStores,
    upload: UploadRow,
    caller: Principal,
    *,
    audit_entry: AuditEntry,
) -> UploadRow:
    """Make an upload that has arrived whole a log of its set, and return its row.

    `audit_entry` is written in the transaction that settles it. What is refused for good is settled as such before
    the error is raised: the file need not be kept. Raises UserError for a file that is no log or has unknown models,
    NotAllowed, Conflict for an eval of another set, and Upstream; after that one the same call may succeed.
    """
    with _one_at_a_time(connection, upload):
        upload = upload_of(connection, upload.upload_id, caller)
        if upload.state == "accepted":
            return upload
        if upload.state != "open":
            raise not_open(upload)
        complete_upload(connection, stores.pending, upload)
        try:
            settled = _take_in(connection, stores, upload, caller, audit_entry)
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


def _take_in(
    connection: Connection[DictRow],
    stores: ImportStores,
    upload: UploadRow,
    caller: Principal,
    audit_entry: AuditEntry,
) -> UploadRow:
    stamp = Stamp(
        eval_set_id=upload.eval_set_id,
        created_by=upload.created_by,
        imported_at=upload.created_at,
        file_name=upload.file_name,
        content_hash=upload.content_hash,
    )
    etag = stores.pending.etag(upload.upload_id)
    with contextlib.ExitStack() as opened:
        source = S3Source(stores.s3, stores.bucket, pending_key(upload.upload_id), etag=etag)
        opened.enter_context(contextlib.closing(source))
        if source.size_bytes > stores.max_json_bytes and source.read(0, 64).lstrip()[:1] == b"{":
            raise BrokenLog(
                f"A log in JSON may have {stores.max_json_bytes:,} bytes; {upload.file_name} has"
                f" {source.size_bytes:,}.",
                hint="Convert it first: inspect log convert --to eval. Or have HAWK_IMPORT_MAX_JSON_BYTES raised.",
            )
        summary = summarize(opened.enter_context(contextlib.closing(open_readable(source))))
        facts = facts_of(summary)
        stamped = stamp_log(source, stamp)
        stamped_log = open_log(StampedSource(source, stamped))
        again = summarize(opened.enter_context(contextlib.closing(stamped_log)))
    if again.declared_eval_set_id != upload.eval_set_id or facts_of(again) != facts:
        raise BrokenLog("The log's header says two things at once.", hint="Write the log anew with Inspect.")
    key = _claim_place(connection, stores, upload, facts, caller, default=_log_name(upload, summary))
    stores.pending.place(upload.upload_id, stamped, key)
    head = stores.s3.head_object(Bucket=stores.bucket, Key=key)
    placed = LogObject(stores.bucket, key, head["ETag"], head["ContentLength"], head["LastModified"])
    with connection.transaction():
        inbox.record(connection, [placed], source="import")
        detail = {**audit_entry.detail, "eval_id": facts.eval_id, "key": key, "models": sorted(facts.model_names)}
        record(connection, audit_entry.model_copy(update={"detail": detail}), caller)
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
        groups = groups_of_log(connection, facts, caller)
        known_key = place_in_set(connection, facts.eval_id, upload.eval_set_id, caller, upload_id=upload.upload_id)
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
                "names": sorted(facts.model_names),
                "groups": groups,
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
