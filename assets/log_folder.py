"""A set's folder on S3: which logs lie there, and what their headers say."""

import contextlib
import logging
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from psycopg import Connection
from psycopg.rows import DictRow

from hawk.errors import UserError
from hawk.job_status import LogFact, LogStatus
from hawk.naming import eval_set_prefix, is_eval_log_key
from hawk.warehouse.log_source import S3Source, s3_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_READERS = 4

# Logs that are imported in the version that lies on S3 need not be read again.
_IMPORTED = """
select imported.location, imported.etag, coalesce(eval.task_id, eval.eval_id) as task_id, eval.task_name, eval.status,
       eval.created_at, coalesce(eval.error_message, '') as error
from raw.eval_import as imported
inner join raw.eval as eval on eval.import_id = imported.import_id
where imported.eval_set_id = %s
"""

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class LogFile:
    """One log as S3 lists it."""

    key: str
    etag: str
    size_bytes: int
    last_modified: datetime

    @property
    def name(self) -> str:
        return self.key.rpartition("/")[2]


@dataclass(frozen=True)
class LogFolder:
    """The logs that lie directly in a set's folder, in order of their names."""

    bucket: str
    logs: tuple[LogFile, ...]


def list_log_folder(s3: "S3Client", bucket: str, eval_set_id: str) -> LogFolder:
    """Return what lies in the set's folder. Raises Upstream where S3 does not answer."""
    prefix = eval_set_prefix(eval_set_id)
    with s3_errors(f"s3://{bucket}/{prefix}"):
        pages = s3.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix, Delimiter="/")
        items = [item for page in pages for item in page.get("Contents", []) if is_eval_log_key(item["Key"])]
    return LogFolder(bucket, tuple(_log_file(item) for item in sorted(items, key=lambda item: item["Key"])))


def read_log_facts(
    connection: Connection[DictRow], s3: "S3Client", folder: LogFolder, eval_set_id: str
) -> list[LogFact]:
    """Return what the header of each log says; one that cannot be read counts as a log that never ended.

    Raises Upstream where S3 does not answer; ObjectChanged or NotFound where the folder has changed since.
    """
    rows = connection.execute(_IMPORTED, [eval_set_id]).fetchall()
    imported = {(row["location"], row["etag"].strip('"')): row for row in rows}
    known: list[LogFact] = []
    unread: list[LogFile] = []
    for log in folder.logs:
        row = imported.get((f"s3://{folder.bucket}/{log.key}", log.etag))
        if row is None:
            unread.append(log)
        else:
            known.append(_fact_of_row(row, log))
    with ThreadPoolExecutor(MAX_READERS, thread_name_prefix="header") as readers:
        read = readers.map(lambda log: _read_fact(s3, folder.bucket, log), unread)
        return [*known, *read]


def _read_fact(s3: "S3Client", bucket: str, log: LogFile) -> LogFact:
    from hawk.warehouse.eval_rows import summarize
    from hawk.warehouse.reader import open_log

    try:
        with contextlib.closing(S3Source(s3, bucket, log.key, etag=log.etag)) as source:
            summary = summarize(open_log(source))
    except UserError as error:
        logger.warning("a log's header cannot be read", extra={"key": log.key, "error": str(error)})
        return LogFact(log.key, log.name, "started", log.last_modified, error.message)
    return LogFact(
        task_id=summary.spec.task_id or summary.eval_id,
        task_name=summary.spec.task,
        status=_status(summary.header.status),
        created_at=summary.created_at or log.last_modified,
        error=summary.error.message,
    )


def _fact_of_row(row: DictRow, log: LogFile) -> LogFact:
    created_at = row["created_at"] or log.last_modified
    return LogFact(row["task_id"], row["task_name"], _status(row["status"]), created_at, row["error"])


def _status(word: str) -> LogStatus:
    return cast("LogStatus", word) if word in {"started", "success", "cancelled", "error"} else "error"


def _log_file(item: Any) -> LogFile:
    return LogFile(item["Key"], item["ETag"].strip('"'), item["Size"], item["LastModified"])
