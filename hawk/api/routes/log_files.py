"""Files of an eval set: its logs, and what its samples left behind. Listed, downloaded, and read by range."""

from datetime import UTC, datetime, timedelta
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Depends, Header, Query
from fastapi.responses import StreamingResponse

from hawk.api.byte_range import asked_range
from hawk.api.log_contracts import FileUrlResponse, SetFileListResponse, SetFileResponse
from hawk.api.log_gateway import Gateway
from hawk.api.request_audit import Audit
from hawk.api.services import ServicesHere, User
from hawk.audit import Action
from hawk.log_gateway.guard import StoredFile
from hawk.log_gateway.listing import list_files
from hawk.log_gateway.paths import FileKind, set_file
from hawk.log_gateway.streaming import file_pieces

router = APIRouter(prefix="/eval_sets/{eval_set_id}/files", tags=["log files"])

MAX_PAGE = 1000

Name = Annotated[str, Query(min_length=1, max_length=1000, description="The file's path in the set's folder.")]

ACTION_OF_KIND: dict[FileKind, Action] = {"log": "log.download", "artifact": "artifact.download"}


class FileGiver:
    """Gives a file to the caller of a request, if he may have it; counted, and written down."""

    def __init__(self, services: ServicesHere, gateway: Gateway, user: User, audit: Audit) -> None:
        self.services = services
        self._gateway = gateway
        self._user = user
        self._audit = audit

    def stored(self, eval_set_id: str, name: str, *, way: str) -> StoredFile:
        """Return the file as it lies on S3. Raises NotFound, TooManyRequests and Upstream."""
        self._gateway.downloads.take(self._user.subject)
        with self.services.database.connection() as connection:
            stored = self._gateway.visible_file(connection, self._user, set_file(eval_set_id, name))
            action = ACTION_OF_KIND[stored.file.kind]
            self._audit.record(connection, self._user, action, object_id=eval_set_id, file=name, way=way)
        return stored


Giver = Annotated[FileGiver, Depends(FileGiver)]


@router.get("")
def list_set_files(
    eval_set_id: str,
    services: ServicesHere,
    gateway: Gateway,
    user: User,
    kind: FileKind = "log",
    sample_uuid: Annotated[str | None, Query(pattern=r"^[A-Za-z0-9_-]{1,64}$", description="Only its files.")] = None,
    after: Annotated[str, Query(max_length=1000, pattern=r"^[^\x00]*$", description="`next_after` of a page.")] = "",
    limit: Annotated[int, Query(ge=1, le=MAX_PAGE)] = 200,
) -> SetFileListResponse:
    """Return the set's logs, or its samples' artifacts and reports, by name."""
    with services.database.connection() as connection:
        gateway.visible_set(connection, user, eval_set_id)
    page = list_files(
        services.s3,
        services.settings.bucket,
        eval_set_id,
        kind,
        sample_uuid=sample_uuid,
        after=after.encode("utf-8", "replace").decode(),
        limit=limit,
    )
    files = [
        SetFileResponse(
            name=listed.file.name,
            kind=listed.file.kind,
            size_bytes=listed.size_bytes,
            etag=listed.etag,
            last_modified=listed.last_modified,
        )
        for listed in page.files
    ]
    return SetFileListResponse(eval_set_id=eval_set_id, files=files, next_after=page.next_after)


@router.get("/url")
def file_url(eval_set_id: str, name: Name, giver: Giver) -> FileUrlResponse:
    """Return an address that S3 itself answers, for some minutes and to whoever has it; written into the audit."""
    services = giver.services
    stored = giver.stored(eval_set_id, name, way="address")
    seconds = services.settings.download_url_seconds
    url = services.s3.generate_presigned_url(
        "get_object",
        Params={
            "Bucket": services.settings.bucket,
            "Key": stored.file.key,
            # Files are strangers': nothing that a browser would show as a page.
            "ResponseContentType": "application/octet-stream",
            "ResponseContentDisposition": _attachment(stored),
        },
        ExpiresIn=seconds,
    )
    return FileUrlResponse(
        name=stored.file.name,
        url=url,
        etag=stored.etag,
        size_bytes=stored.size_bytes,
        expires_at=datetime.now(UTC) + timedelta(seconds=seconds),
    )


@router.get("/content", response_class=StreamingResponse, responses={206: {}, 416: {}})
def file_content(
    eval_set_id: str,
    name: Name,
    giver: Giver,
    byte_range: Annotated[str | None, Header(alias="range", max_length=200)] = None,
    if_range: Annotated[str | None, Header(alias="if-range", max_length=200)] = None,
) -> StreamingResponse:
    """Return the file, or one range of it, through the API: for who cannot reach S3."""
    services = giver.services
    stored = giver.stored(eval_set_id, name, way="content")
    etag = f'"{stored.etag}"'
    wanted = asked_range(byte_range if if_range in (None, etag) else None, stored.size_bytes)
    headers = {
        "accept-ranges": "bytes",
        "etag": etag,
        "content-length": str(wanted.length),
        "content-disposition": _attachment(stored),
        "content-security-policy": "sandbox; default-src 'none'",
    }
    if wanted.is_part:
        headers["content-range"] = f"bytes {wanted.first}-{wanted.last}/{stored.size_bytes}"
    pieces = file_pieces(services.s3, services.settings.bucket, stored, wanted.first, wanted.last)
    return StreamingResponse(
        pieces, status_code=206 if wanted.is_part else 200, headers=headers, media_type="application/octet-stream"
    )


def _attachment(stored: StoredFile) -> str:
    """Return a Content-Disposition that saves under the file's own last name (RFC 6266)."""
    return f"attachment; filename*=UTF-8''{quote(stored.file.name.rpartition('/')[2], safe='')}"
