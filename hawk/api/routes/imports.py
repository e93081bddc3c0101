"""Logs on their way into the warehouse: bringing some of one's own, and how far those of an eval set have come."""

from typing import Annotated

from fastapi import APIRouter, Body, Header, Path

from hawk.api.begin_import import begin
from hawk.api.contracts import (
    BeginImportRequest,
    BeginImportResponse,
    FinishUploadResponse,
    LogImportListResponse,
    LogImportResponse,
    RetryImportsRequest,
    RetryImportsResponse,
)
from hawk.api.eval_set_access import changeable_row, visible_row
from hawk.api.request_audit import Audit
from hawk.api.services import Caller, Services, ServicesHere, User
from hawk.errors import Bug
from hawk.log_import.admission import ImportStores, admit
from hawk.log_import.import_states import log_imports, retry_imports
from hawk.log_import.uploads import receive_part, upload_of
from hawk.naming import CONTENT_HASH_HEADER
from hawk.warehouse import inbox

router = APIRouter(tags=["imports"])

UploadId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$")]
Sha256 = Annotated[str, Header(alias=CONTENT_HASH_HEADER, pattern=r"^[0-9a-fA-F]{64}$")]
PartBytes = Annotated[bytes, Body(media_type="application/octet-stream")]


@router.post("/imports")
def begin_import(request: BeginImportRequest, services: ServicesHere, user: User) -> BeginImportResponse:
    """Say of each log whether its bytes are wanted; what was begun before goes on with the parts that came then."""
    with services.database.connection() as connection:
        return begin(connection, request, user, services)


@router.put("/imports/uploads/{upload_id}/parts/{number}", status_code=204)
def put_part(
    upload_id: UploadId, number: int, data: PartBytes, sha256: Sha256, services: ServicesHere, user: User
) -> None:
    """Keep one part of a log; the same part may come again."""
    with services.database.connection() as connection:
        upload = upload_of(connection, upload_id, user)
        receive_part(connection, _stores(services).pending, upload, number, data, sha256)


@router.post("/imports/uploads/{upload_id}/finish")
def finish_upload(upload_id: UploadId, services: ServicesHere, user: User, audit: Audit) -> FinishUploadResponse:
    """Take a log that has arrived whole into its set. 403, 409 and 422 say why it is refused."""
    stores = _stores(services)
    with services.database.connection() as connection:
        upload = upload_of(connection, upload_id, user)
        entry = audit.entry("log.import", object_kind="eval_set", object_id=upload.eval_set_id)
        settled = admit(connection, stores, upload, user, audit_entry=entry)
    if settled.eval_id is None or settled.key is None:
        raise Bug("An accepted log has no place.")
    return FinishUploadResponse(
        eval_set_id=settled.eval_set_id, eval_id=settled.eval_id, log=settled.key.rpartition("/")[2]
    )


@router.get("/eval_sets/{eval_set_id}/imports")
def list_imports(eval_set_id: str, services: ServicesHere, caller: Caller) -> LogImportListResponse:
    """Return how far each log of a set has come, and why it came no further."""
    with services.database.connection() as connection:
        row = visible_row(connection, caller, eval_set_id)
    with services.database.reading_as(caller) as connection:
        found = log_imports(connection, row.eval_set_id)
    logs = [LogImportResponse.model_validate({"log": entry.log, **entry.model_dump()}) for entry in found]
    return LogImportListResponse(eval_set_id=row.eval_set_id, logs=logs)


@router.post("/eval_sets/{eval_set_id}/imports/retry", status_code=202)
def retry(
    eval_set_id: str, request: RetryImportsRequest, services: ServicesHere, user: User, audit: Audit
) -> RetryImportsResponse:
    """Import logs of a set again; Dagster's next look at the inbox finds them."""
    with services.database.connection() as connection:
        row = changeable_row(connection, user, eval_set_id)
        audit.record(connection, user, "log.reimport", object_id=row.eval_set_id, force=request.force)
        if request.force:
            reopened = inbox.reopen(connection, row.eval_set_id, force=True)
        else:
            reopened = retry_imports(connection, row.eval_set_id, request.logs)
    return RetryImportsResponse(eval_set_id=row.eval_set_id, reopened=reopened)


def _stores(services: Services) -> ImportStores:
    settings = services.settings
    return ImportStores(services.s3, settings.bucket, settings.import_max_json_bytes)
