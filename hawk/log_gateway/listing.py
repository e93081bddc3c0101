"""What lies in an eval set's folder for people to see."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

from hawk.errors import NotFound
from hawk.log_gateway.paths import FileKind, SetFile, set_file
from hawk.naming import ARTIFACTS_FOLDER, REPORTS_FOLDER, eval_set_key, eval_set_prefix
from hawk.warehouse.log_source import s3_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_KEYS_LOOKED_AT = 100_000  # for one page; a folder of files with names that are none must not hold a door open


@dataclass(frozen=True)
class ListedFile:
    file: SetFile
    size_bytes: int
    etag: str
    last_modified: datetime


@dataclass(frozen=True)
class FilePage:
    """Files in the order of their names; `next_after` is the last one's where there are more."""

    files: list[ListedFile]
    next_after: str | None = None


def list_files(
    s3: "S3Client", bucket: str, eval_set_id: str, kind: FileKind, *, sample_uuid: str | None, after: str, limit: int
) -> FilePage:
    """Return a page of a set's logs, or of its samples' artifacts; names that are not plain are left out.

    Raises Upstream.
    """
    found: list[ListedFile] = []
    looked_at = 0
    for item in _objects(s3, bucket, eval_set_id, kind, sample_uuid=sample_uuid, after=after):
        name = item["Key"].removeprefix(eval_set_prefix(eval_set_id))
        if len(found) == limit or looked_at == MAX_KEYS_LOOKED_AT:
            return FilePage(found, found[-1].file.name if found else name)
        looked_at += 1
        try:
            file = set_file(eval_set_id, name)
        except NotFound:
            continue
        if file.kind == kind:
            found.append(ListedFile(file, item["Size"], item["ETag"].strip('"'), item["LastModified"]))
    return FilePage(found)


def _objects(
    s3: "S3Client", bucket: str, eval_set_id: str, kind: FileKind, *, sample_uuid: str | None, after: str
) -> Iterator[Any]:
    trees = [""] if kind == "log" else [f"{tree}/" for tree in (ARTIFACTS_FOLDER, REPORTS_FOLDER)]
    if kind == "artifact" and sample_uuid:
        trees = [f"{tree}{sample_uuid}/" for tree in trees]
    for tree in trees:
        if after and tree and after[: len(tree)] > tree:
            continue  # the page before ended behind this one
        asked: dict[str, Any] = {"Bucket": bucket, "Prefix": eval_set_key(eval_set_id, tree)}
        if after:
            asked["StartAfter"] = eval_set_key(eval_set_id, after)
        if kind == "log":
            asked["Delimiter"] = "/"
        with s3_errors(asked["Prefix"]):
            for page in s3.get_paginator("list_objects_v2").paginate(**asked):
                yield from page.get("Contents", [])
