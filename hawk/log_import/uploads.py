"""Files on their way to us, in parts that are checked one by one, so that what was interrupted can go on.

A file is known by its content: the SHA-256 over the SHA-256 of its parts. Who begins to bring a file that he has
begun to bring before goes on with what has arrived. Nothing here says what the file is; that is for admission.
"""

import hashlib
import math
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Literal

from psycopg import Connection
from psycopg.rows import DictRow
from pydantic import BaseModel, ConfigDict

from hawk.auth import Principal
from hawk.errors import Conflict, NotFound, UserError
from hawk.log_import.content import MAX_PARTS, PART_BYTES, hash_of_parts
from hawk.log_import.pending_objects import PendingObjects
from hawk.permissions import may_change

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_FILE_NAME = 200
KEPT_FOR = timedelta(hours=24)

UploadState = Literal["open", "accepted", "refused", "expired"]

_BEGIN = """
insert into ops.log_upload
    (upload_id, eval_set_id, set_name, created_by, email, file_name, size_bytes, content_hash, part_bytes, state,
     created_at, state_changed_at)
values (%(upload_id)s, %(eval_set_id)s, %(set_name)s, %(created_by)s, %(email)s, %(file_name)s, %(size_bytes)s,
    %(content_hash)s, %(part_bytes)s, 'open', now(), now())
on conflict (created_by, content_hash) where state = 'open' do update
set eval_set_id = excluded.eval_set_id, set_name = excluded.set_name, file_name = excluded.file_name,
    state_changed_at = now()
returning *
"""
_SETTLE = """
update ops.log_upload
set state = %(state)s, reason = %(reason)s, eval_id = coalesce(%(eval_id)s, eval_id), key = coalesce(%(key)s, key),
    state_changed_at = now()
where upload_id = %(upload_id)s
returning *
"""
_NOTE_PART = """
insert into ops.log_upload_part (upload_id, part_number, sha256, etag, received_at)
values (%s, %s, %s, %s, now())
on conflict (upload_id, part_number) do update
set sha256 = excluded.sha256, etag = excluded.etag, received_at = excluded.received_at
"""


class UploadRow(BaseModel):
    """One row of ops.log_upload."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    upload_id: str
    eval_set_id: str
    set_name: str
    created_by: str
    email: str | None
    file_name: str
    size_bytes: int
    content_hash: str
    part_bytes: int
    s3_upload_id: str | None
    state: UploadState
    reason: str
    eval_id: str | None
    key: str | None
    created_at: datetime
    state_changed_at: datetime

    @property
    def part_count(self) -> int:
        return max(1, math.ceil(self.size_bytes / self.part_bytes))

    def size_of_part(self, number: int) -> int:
        """Return how many bytes a part has; parts are numbered from 1."""
        return min(self.part_bytes, self.size_bytes - (number - 1) * self.part_bytes)


@dataclass(frozen=True)
class FileToBring:
    """What is told of a file before its bytes come."""

    file_name: str
    size_bytes: int
    content_hash: str


def check_file(file: FileToBring, *, most_bytes: int) -> None:
    """Raise UserError for a file that is not even to be begun."""
    name = file.file_name
    if not name or len(name) > MAX_FILE_NAME or "/" in name or "\\" in name or not name.isprintable():
        raise UserError(
            f"{name[:MAX_FILE_NAME]!r} is no file name.",
            hint=f"Give the name without folders, of at most {MAX_FILE_NAME} printable characters.",
            field="file_name",
        )
    if not name.endswith((".eval", ".json")):
        raise UserError(f"{name} is no log by its name.", hint="Logs end in .eval or .json.", field="file_name")
    if file.size_bytes < 1:
        raise UserError(f"{name} is empty.", hint="Check that the log was written.", field="size_bytes")
    most = min(most_bytes, MAX_PARTS * PART_BYTES)
    if file.size_bytes > most:
        raise UserError(
            f"{name} has {file.size_bytes:,} bytes; at most {most:,} are taken.",
            hint="Ask an administrator to raise HAWK_IMPORT_MAX_FILE_BYTES.",
            value=file.size_bytes,
            field="size_bytes",
        )


def begin_upload(
    connection: Connection[DictRow], file: FileToBring, *, owner: Principal, eval_set_id: str, set_name: str
) -> UploadRow:
    """Return the upload of a file: a new one, or the owner's open one of the same content."""
    values = {
        "upload_id": uuid.uuid4().hex,
        "eval_set_id": eval_set_id,
        "set_name": set_name,
        "created_by": owner.subject,
        "email": owner.email,
        "file_name": file.file_name,
        "size_bytes": file.size_bytes,
        "content_hash": file.content_hash,
        "part_bytes": PART_BYTES,
    }
    return UploadRow.model_validate(connection.execute(_BEGIN, values).fetchone())


def open_uploads(connection: Connection[DictRow], owner: str, content_hashes: Sequence[str]) -> list[UploadRow]:
    """Return the owner's open uploads of these contents, newest first."""
    rows = connection.execute(
        """
        select * from ops.log_upload where state = 'open' and created_by = %s and content_hash = any(%s)
        order by created_at desc
        """,
        [owner, list(content_hashes)],
    )
    return [UploadRow.model_validate(row) for row in rows]


def open_bytes(connection: Connection[DictRow], owner: str) -> int:
    """Return how large the files are together that the owner has begun to bring."""
    row = connection.execute(
        "select coalesce(sum(size_bytes), 0)::bigint as size_bytes from ops.log_upload"
        " where state = 'open' and created_by = %s",
        [owner],
    ).fetchone()
    return int(row["size_bytes"]) if row else 0


def upload_of(connection: Connection[DictRow], upload_id: str, caller: Principal) -> UploadRow:
    """Return an upload of the caller's. Raises the same NotFound for another's as for none."""
    row = connection.execute("select * from ops.log_upload where upload_id = %s", [upload_id]).fetchone()
    upload = UploadRow.model_validate(row) if row else None
    if upload is None or not may_change(caller, upload.created_by):
        raise NotFound(
            f"There is no upload {upload_id[:40]!r} of yours.",
            hint="Begin again: hawk import PATH.",
            value=upload_id[:40],
            field="upload_id",
        )
    return upload


def received_parts(connection: Connection[DictRow], upload_ids: Sequence[str]) -> dict[str, dict[int, DictRow]]:
    """Return the parts that have arrived, by upload and number."""
    found: dict[str, dict[int, DictRow]] = {upload_id: {} for upload_id in upload_ids}
    rows = connection.execute(
        "select upload_id, part_number, sha256, etag from ops.log_upload_part where upload_id = any(%s)"
        " order by part_number",
        [list(upload_ids)],
    )
    for row in rows:
        found[row["upload_id"]][row["part_number"]] = row
    return found


def receive_part(
    connection: Connection[DictRow], pending: PendingObjects, upload: UploadRow, number: int, data: bytes, sha256: str
) -> None:
    """Keep one part. Raises UserError where it is not what it is said to be; it may come again, then replaced."""
    if upload.state != "open":
        raise not_open(upload)
    if not 1 <= number <= upload.part_count:
        raise UserError(f"The file has {upload.part_count} parts, no part {number}.", value=number, field="number")
    wanted = upload.size_of_part(number)
    if len(data) != wanted:
        raise UserError(f"Part {number} has {len(data)} bytes instead of {wanted}.", value=len(data), field="number")
    if hashlib.sha256(data).hexdigest() != sha256.lower():
        raise UserError(f"Part {number} was damaged on its way.", hint="Send it again.", field="number")
    s3_upload_id = upload.s3_upload_id or _begin_on_s3(connection, pending, upload.upload_id)
    etag = pending.put_part(upload.upload_id, s3_upload_id, number, data)
    connection.execute(_NOTE_PART, [upload.upload_id, number, sha256.lower(), etag])
    connection.execute("update ops.log_upload set state_changed_at = now() where upload_id = %s", [upload.upload_id])


def complete_upload(connection: Connection[DictRow], pending: PendingObjects, upload: UploadRow) -> None:
    """Make the parts one object, if they are not yet. Raises Conflict where parts are missing, or are another file."""
    parts = received_parts(connection, [upload.upload_id])[upload.upload_id]
    missing = [number for number in range(1, upload.part_count + 1) if number not in parts]
    if missing or upload.s3_upload_id is None:
        raise Conflict(
            f"{len(missing)} of the {upload.part_count} parts of {upload.file_name} have not arrived.",
            hint="Run the same command again; it goes on where it stopped.",
            value=missing[:20],
        )
    if hash_of_parts(parts[number]["sha256"] for number in sorted(parts)) != upload.content_hash:
        raise Conflict(
            f"{upload.file_name} has changed since its import began.", hint="Run the same command again.", field="parts"
        )
    etags = [(number, parts[number]["etag"]) for number in sorted(parts)]
    pending.complete(upload.upload_id, upload.s3_upload_id, etags, size_bytes=upload.size_bytes)


def settle_upload(
    connection: Connection[DictRow],
    upload: UploadRow,
    state: UploadState,
    *,
    reason: str = "",
    eval_id: str | None = None,
    key: str | None = None,
) -> UploadRow:
    """Write what became of an upload, and return its row."""
    values = {"upload_id": upload.upload_id, "state": state, "reason": reason, "eval_id": eval_id, "key": key}
    return UploadRow.model_validate(connection.execute(_SETTLE, values).fetchone())


def expire_uploads(connection: Connection[DictRow], s3: "S3Client", bucket: str, *, now: datetime) -> int:
    """Give up uploads of which nothing has come for a day, and their bytes; return how many."""
    rows = connection.execute(
        "select * from ops.log_upload where state = 'open' and state_changed_at < %s", [now - KEPT_FOR]
    ).fetchall()
    pending = PendingObjects(s3, bucket)
    for row in rows:
        upload = UploadRow.model_validate(row)
        pending.discard(upload.upload_id, upload.s3_upload_id)
        settle_upload(connection, upload, "expired", reason="Nothing of it came for a day.")
    return len(rows)


def _begin_on_s3(connection: Connection[DictRow], pending: PendingObjects, upload_id: str) -> str:
    """Return the id of the upload's one multipart upload, whichever of its parts comes first."""
    with connection.transaction():
        row = connection.execute(
            "select s3_upload_id from ops.log_upload where upload_id = %s for update", [upload_id]
        ).fetchone()
        if row and row["s3_upload_id"]:
            return str(row["s3_upload_id"])
        s3_upload_id = pending.begin(upload_id)
        connection.execute(
            "update ops.log_upload set s3_upload_id = %s where upload_id = %s", [s3_upload_id, upload_id]
        )
    return s3_upload_id


def not_open(upload: UploadRow) -> Conflict:
    """Return the answer for an upload that has been settled."""
    return Conflict(
        f"The upload of {upload.file_name} is {upload.state} already. {upload.reason}".rstrip(),
        hint="" if upload.state == "accepted" else "Run the same command again to begin anew.",
        value=upload.state,
        field="upload_id",
    )
