"""Judges logs by what their owner says of them, before any of their bytes come."""

from psycopg import Connection
from psycopg.rows import DictRow

from hawk.api.contracts import BeginImportRequest, BeginImportResponse, LogToImport, LogToImportResponse
from hawk.api.services import Services
from hawk.auth import Principal
from hawk.errors import Conflict, NotAllowed, UserError
from hawk.log_import.content import PART_BYTES
from hawk.log_import.facts import NO_MODELS, LogFacts, benchmarks_of
from hawk.log_import.rules import (
    check_admission,
    check_set_is_open,
    known_by_content,
    new_imported_id,
)
from hawk.log_import.uploads import (
    FileToBring,
    UploadRow,
    begin_upload,
    check_file,
    open_bytes,
    open_uploads,
    received_parts,
)


def begin(
    connection: Connection[DictRow], request: BeginImportRequest, user: Principal, services: Services
) -> BeginImportResponse:
    """Return what is to be done with each log, in the request's order; wanted ones have an upload then.

    Raises a HawkError where the set cannot be added to, or too much has been begun.
    """
    hashes = [log.content_hash for log in request.logs]
    begun = open_uploads(connection, user.subject, hashes)
    target = _target(connection, request, begun, user)
    known = known_by_content(connection, hashes, user)
    verdicts: dict[str, LogToImportResponse] = {}
    for log in request.logs:
        if log.content_hash in known:
            verdict = LogToImportResponse(
                content_hash=log.content_hash, state="known", eval_set_id=known[log.content_hash]
            )
        else:
            verdict = _verdict(connection, log, target, user, most_bytes=services.settings.import_max_file_bytes)
        verdicts[log.content_hash] = verdict
    wanted = [log for log in request.logs if verdicts[log.content_hash].state == "wanted"]
    _check_room(connection, wanted, begun, user, most_bytes=services.settings.import_max_pending_bytes)
    if not request.dry_run:
        for verdict in _begun(connection, request, wanted, target, user):
            verdicts[verdict.content_hash] = verdict
    is_real = bool(wanted) and not (request.dry_run and request.eval_set_id is None)
    return BeginImportResponse(
        eval_set_id=target if is_real else None,
        part_bytes=PART_BYTES,
        viewer_url=services.viewer_url(target) if is_real else None,
        logs=[verdicts[content_hash] for content_hash in hashes],
    )


def _target(
    connection: Connection[DictRow], request: BeginImportRequest, begun: list[UploadRow], user: Principal
) -> str:
    """Return the set that the logs are to be part of: the one asked for, that of what was begun, or a new one."""
    if request.eval_set_id is None:
        return begun[0].eval_set_id if begun else new_imported_id(_name(request))
    own = connection.execute(
        "select 1 as there from ops.log_upload where eval_set_id = %s and created_by = %s and state = 'open' limit 1",
        [request.eval_set_id, user.subject],
    ).fetchone()
    if own is None:  # a set that is being begun may have no row yet
        check_set_is_open(connection, request.eval_set_id, user)
    return request.eval_set_id


def _name(request: BeginImportRequest) -> str:
    return request.name or request.logs[0].file_name.rpartition(".")[0] or "logs"


def _verdict(
    connection: Connection[DictRow], log: LogToImport, target: str, user: Principal, *, most_bytes: int
) -> LogToImportResponse:
    try:
        check_file(_file(log), most_bytes=most_bytes)
        facts = LogFacts(log.eval_id, frozenset(log.model_names) - NO_MODELS, benchmarks_of(log.task_name))
        check_admission(connection, facts, user, target)
    except (UserError, NotAllowed, Conflict) as error:
        return LogToImportResponse(content_hash=log.content_hash, state="refused", reason=str(error))
    return LogToImportResponse(content_hash=log.content_hash, state="wanted", eval_set_id=target)


def _check_room(
    connection: Connection[DictRow],
    wanted: list[LogToImport],
    begun: list[UploadRow],
    user: Principal,
    *,
    most_bytes: int,
) -> None:
    counted = {upload.content_hash for upload in begun}
    more = sum(log.size_bytes for log in wanted if log.content_hash not in counted)
    if more and open_bytes(connection, user.subject) + more > most_bytes:
        raise UserError(
            f"Together with what you have begun to bring, these logs have over {most_bytes:,} bytes.",
            hint="Finish what you have begun, or wait: what is left alone for a day is given up.",
            value=more,
            field="logs",
        )


def _begun(
    connection: Connection[DictRow],
    request: BeginImportRequest,
    wanted: list[LogToImport],
    target: str,
    user: Principal,
) -> list[LogToImportResponse]:
    with connection.transaction():
        uploads = [
            begin_upload(connection, _file(log), owner=user, eval_set_id=target, set_name=_name(request))
            for log in wanted
        ]
    parts = received_parts(connection, [upload.upload_id for upload in uploads])
    return [
        LogToImportResponse(
            content_hash=upload.content_hash,
            state="wanted",
            eval_set_id=target,
            upload_id=upload.upload_id,
            received_parts=sorted(parts[upload.upload_id]),
        )
        for upload in uploads
    ]


def _file(log: LogToImport) -> FileToBring:
    return FileToBring(log.file_name, log.size_bytes, log.content_hash)
