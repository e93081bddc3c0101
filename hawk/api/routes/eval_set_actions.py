"""What can be done to an eval set: stop, retry, delete. Dagster's jobs do it; here is who may ask, and when."""

from fastapi import APIRouter

from hawk.api.contracts import EvalSetActionResponse, StopEvalSetRequest
from hawk.api.eval_set_access import changeable_row
from hawk.api.launch import launch_action, retry_eval_set
from hawk.api.request_audit import Audit, RequestAudit
from hawk.api.services import Services, ServicesHere, User
from hawk.audit import Action
from hawk.auth import Principal
from hawk.errors import Conflict
from hawk.eval_set_folder import EvalSetFolder
from hawk.eval_sets import EvalSetRow, mark_status
from hawk.naming import DELETE_JOB, STOP_JOB

router = APIRouter(prefix="/eval_sets", tags=["eval sets"])


@router.post("/{eval_set_id}/stop", status_code=202)
def stop(
    eval_set_id: str, services: ServicesHere, user: User, audit: Audit, request: StopEvalSetRequest | None = None
) -> EvalSetActionResponse:
    """End a set, or one sample of it, early. 409 where the set has ended."""
    row = _changeable(services, user, eval_set_id)
    if not row.is_active:
        raise Conflict(f"Eval set {row.eval_set_id} has ended: it is {row.status}.", value=row.status)
    asked = request or StopEvalSetRequest()
    if asked.sample_uuid is not None:
        _record(services, audit, user, "eval_set.stop", row, running_samples=asked.action, sample=asked.sample_uuid)
        folder = EvalSetFolder(services.s3, services.settings.bucket, row.eval_set_id)
        folder.write_stop_of_sample(asked.sample_uuid, asked.action)
        return EvalSetActionResponse(eval_set_id=row.eval_set_id)
    _record(services, audit, user, "eval_set.stop", row, running_samples=asked.action)
    return _act(services, row, STOP_JOB, {"action": asked.action}, user)


@router.post("/{eval_set_id}/retry", status_code=202)
def retry(eval_set_id: str, services: ServicesHere, user: User, audit: Audit) -> EvalSetActionResponse:
    """Run a set that has ended again, as it was last given; what succeeded is kept. 409 where it is active."""
    row = _changeable(services, user, eval_set_id)
    if row.is_active:
        raise Conflict(
            f"Eval set {row.eval_set_id} is {row.status} already.",
            hint="Watch it with hawk watch, or stop it first with hawk stop.",
            value=row.status,
        )
    if row.config is None:
        raise Conflict(
            f"Eval set {row.eval_set_id} was not launched here; its config is not known.",
            hint="Launch it from its YAML file with this eval_set_id.",
        )
    _record(services, audit, user, "eval_set.retry", row)
    with services.database.connection() as connection:
        # Claimed from here on, so that nobody who looks takes the last launch's end for this one's.
        mark_status(connection, row.eval_set_id, "claimed")
        launch = retry_eval_set(connection, services.dagster, row.eval_set_id, created_by=user.subject)
    return EvalSetActionResponse(
        eval_set_id=row.eval_set_id,
        dagster_run_id=launch.run_id,
        dagster_run_url=services.dagster.run_url(launch.run_id) if launch.run_id else None,
        warnings=[launch.warning] if launch.warning else [],
    )


@router.delete("/{eval_set_id}", status_code=202)
def delete(eval_set_id: str, services: ServicesHere, user: User, audit: Audit) -> EvalSetActionResponse:
    """End a set at once and remove what runs for it; its logs and results stay."""
    row = _changeable(services, user, eval_set_id)
    _record(services, audit, user, "eval_set.delete", row)
    return _act(services, row, DELETE_JOB, {}, user)


def _changeable(services: Services, user: Principal, eval_set_id: str) -> EvalSetRow:
    with services.database.connection() as connection:
        return changeable_row(connection, user, eval_set_id)


def _record(
    services: Services, audit: RequestAudit, user: Principal, action: Action, row: EvalSetRow, **detail: str
) -> None:
    with services.database.connection() as connection:
        audit.record(connection, user, action, object_id=row.eval_set_id, **detail)


def _act(
    services: Services, row: EvalSetRow, job_name: str, options: dict[str, str], user: Principal
) -> EvalSetActionResponse:
    run_id = launch_action(
        services.dagster, row.eval_set_id, job_name=job_name, options=options, created_by=user.subject
    )
    return EvalSetActionResponse(
        eval_set_id=row.eval_set_id, dagster_run_id=run_id, dagster_run_url=services.dagster.run_url(run_id)
    )
