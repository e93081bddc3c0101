"""Requests to edit samples: where the samples are, who may ask, approve and look, and handing them to Dagster."""

import logging
from collections import defaultdict
from collections.abc import Iterable, Sequence

from psycopg import Connection
from psycopg.rows import DictRow

from hawk.api.dagster_client import DagsterClient
from hawk.api.eval_set_access import changeable_row
from hawk.api.launch import Launch
from hawk.auth import Principal
from hawk.edit_requests import EditedLog, EditLogRow, EditRequestRow, logs_of_request, no_such_request
from hawk.errors import NotAllowed, NotFound, Upstream, UserError
from hawk.log_edits import MAX_REQUEST_CHARACTERS, PlacedEdit, SampleEdit
from hawk.naming import CREATED_BY_TAG, EDIT_JOB, EDIT_REQUEST_TAG

MAX_TEXT = 100

_PLACES = """
select sample.sample_uuid, sample.sample_id, sample.epoch, eval.eval_set_id, eval.eval_id,
    regexp_replace(eval.location, '^.*/', '') as log
from raw.sample_owner as owner
inner join raw.sample on sample.import_id = owner.import_id and sample.sample_uuid = owner.sample_uuid
inner join raw.eval on eval.import_id = sample.import_id
where owner.sample_uuid = any(%s)
"""

logger = logging.getLogger(__name__)


def place_edits(connection: Connection[DictRow], edits: Sequence[SampleEdit]) -> list[EditedLog]:
    """Return the logs that hold the samples, each with its edits in order, as whoever the connection reads for.

    Of a sample in several logs it is the one that counts. Raises NotFound where one is not there, or may not be seen;
    UserError where the edits together are too long.
    """
    if sum(len(edit.model_dump_json()) for edit in edits) > MAX_REQUEST_CHARACTERS:
        raise UserError(
            f"The edits have more than {MAX_REQUEST_CHARACTERS} characters together.",
            hint="Give them in several requests.",
            field="edits",
        )
    rows = connection.execute(_PLACES, [sorted({edit.sample_uuid for edit in edits})]).fetchall()
    places = {row["sample_uuid"]: row for row in rows}
    grouped: dict[tuple[str, str, str], list[PlacedEdit]] = defaultdict(list)
    for position, edit in enumerate(edits):
        place = places.get(edit.sample_uuid)
        if place is None:
            raise NotFound(
                f"There is no sample {edit.sample_uuid[:MAX_TEXT]!r} that you may see.",
                hint="It is found once its log is imported; see hawk list samples. Nothing was edited.",
                value=edit.sample_uuid[:MAX_TEXT],
                field=f"edits.{position}.sample_uuid",
            )
        placed = PlacedEdit(
            position=position,
            sample_uuid=edit.sample_uuid,
            sample_id=place["sample_id"],
            epoch=place["epoch"],
            details=edit.details,
        )
        grouped[place["eval_set_id"], place["log"], place["eval_id"]].append(placed)
    return [
        EditedLog(eval_set_id=set_id, log=log, eval_id=eval_id, edits=tuple(placed))
        for (set_id, log, eval_id), placed in sorted(grouped.items())
    ]


def require_change(connection: Connection[DictRow], user: Principal, eval_set_ids: Iterable[str]) -> None:
    """Raise NotFound or NotAllowed unless the user may change all of these sets."""
    for eval_set_id in sorted(set(eval_set_ids)):
        changeable_row(connection, user, eval_set_id)


def require_second_person(connection: Connection[DictRow], user: Principal, request: EditRequestRow) -> None:
    """Raise NotAllowed unless the user may decide about a request: another than who asked, who may change the sets."""
    require_change(connection, user, (log.eval_set_id for log in logs_of_request(connection, request.edit_request_id)))
    if user.subject == request.created_by:
        raise NotAllowed(
            "Your own edits are for a second person to approve.",
            hint="Ask the owner of the eval set, or an administrator.",
            field="edit_request_id",
        )


def visible_logs(connection: Connection[DictRow], user: Principal, request: EditRequestRow) -> list[EditLogRow]:
    """Return the request's logs for who asked for it, or may change its sets. Raises NotFound for all others."""
    logs = logs_of_request(connection, request.edit_request_id)
    if user.subject != request.created_by:
        try:
            require_change(connection, user, (log.eval_set_id for log in logs))
        except (NotFound, NotAllowed) as error:
            raise no_such_request(request.edit_request_id) from error
    return logs


def hand_over(dagster: DagsterClient, request: EditRequestRow) -> Launch:
    """Let Dagster carry out a request that is accepted; while Dagster is away a sensor does it later."""
    tags = {EDIT_REQUEST_TAG: request.edit_request_id, CREATED_BY_TAG: request.created_by}
    try:
        run_id = dagster.launch(EDIT_JOB, run_config={"edit_request_id": request.edit_request_id}, tags=tags)
    except Upstream as error:
        logger.warning("left edits accepted", extra={"edit_request_id": request.edit_request_id, "error": str(error)})
        return Launch(None, f"{error.message} The edits are accepted, and are made as soon as Dagster is back.")
    return Launch(run_id)
