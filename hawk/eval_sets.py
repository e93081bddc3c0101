"""Eval sets as the platform holds them: the row in ops.eval_set, its statuses, and what a set's job is given.

Rows come to be in hawk.eval_set_claim. Starting and watching the jobs is Dagster's.
"""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Literal

from psycopg import Connection
from psycopg.rows import DictRow
from pydantic import BaseModel, ConfigDict

from hawk.auth import mint_job_token
from hawk.config.load import validate_eval_set_mapping
from hawk.errors import Conflict, NotFound, UserError
from hawk.ids import JobId
from hawk.job_secrets import read_secrets
from hawk.job_spec import InfraConfig, JobSpec
from hawk.naming import TOKEN_PATH, eval_set_prefix
from hawk.provider_environment import provider_environment
from hawk.settings import OrchestrationSettings

EvalSetState = Literal["claimed", "launched", "complete", "failed", "stopped", "deleted"]
Priority = Literal["low", "medium", "high"]

ACTIVE_STATES: frozenset[EvalSetState] = frozenset({"claimed", "launched"})
# Where each state may be reached from; a set may always stay where it is.
ALLOWED_FROM: Mapping[EvalSetState, frozenset[EvalSetState]] = {
    "claimed": frozenset({"complete", "failed", "stopped", "deleted"}),
    "launched": frozenset({"claimed", "complete", "failed", "stopped", "deleted"}),
    "complete": frozenset({"launched"}),
    "failed": frozenset({"claimed", "launched"}),
    "stopped": frozenset({"claimed", "launched"}),
    "deleted": frozenset({"claimed", "launched", "complete", "failed", "stopped"}),
}

_MARK_STATUS = """
update ops.eval_set
set status = %(status)s,
    status_reason = %(reason)s,
    dagster_run_id = case
        when %(status)s = 'claimed' and status <> 'claimed' then %(run)s else coalesce(%(run)s, dagster_run_id)
    end,
    status_changed_at = case when status = %(status)s then status_changed_at else now() end
where eval_set_id = %(id)s
"""
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class EvalSetRow(BaseModel):
    """One row of ops.eval_set."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    eval_set_id: JobId
    name: str
    origin: Literal["api", "launchpad", "import", "listing"]
    config: dict[str, Any] | None
    created_by: str | None
    email: str | None
    model_names: tuple[str, ...]
    model_groups: tuple[str, ...]
    priority: Priority
    log_dir_allow_dirty: bool
    status: EvalSetState
    status_reason: str
    dagster_run_id: str | None
    created_at: datetime
    status_changed_at: datetime

    @property
    def is_active(self) -> bool:
        return self.status in ACTIVE_STATES


def find_eval_set(connection: Connection[DictRow], eval_set_id: str) -> EvalSetRow | None:
    """Return the set's row, or None if there is none."""
    row = connection.execute("select * from ops.eval_set where eval_set_id = %s", [eval_set_id]).fetchone()
    return EvalSetRow.model_validate(row) if row else None


def eval_set_row(connection: Connection[DictRow], eval_set_id: str) -> EvalSetRow:
    """Return the set's row. Raises NotFound."""
    row = find_eval_set(connection, eval_set_id)
    if row is None:
        raise no_such_eval_set(eval_set_id)
    return row


def no_such_eval_set(eval_set_id: str) -> NotFound:
    """Return the one answer for a set that is not there and for one that the caller may not know of."""
    return NotFound(
        f"There is no eval set {eval_set_id!r} that you may see.",
        hint="List yours: hawk list eval-sets.",
        value=eval_set_id,
        field="eval_set_id",
    )


def mark_status(
    connection: Connection[DictRow],
    eval_set_id: str,
    status: EvalSetState,
    *,
    reason: str = "",
    dagster_run_id: str | None = None,
) -> bool:
    """Move the set to a status, or renew its reason if it is there already; say whether the status changed.

    A run id that is not given stays as it was, but a set that is claimed anew has none. Raises NotFound, and Conflict
    where the set may not come to this status from the one it has.
    """
    with connection.transaction():
        row = connection.execute(
            "select status from ops.eval_set where eval_set_id = %s for update", [eval_set_id]
        ).fetchone()
        if row is None:
            raise no_such_eval_set(eval_set_id)
        if row["status"] != status and row["status"] not in ALLOWED_FROM[status]:
            raise Conflict(
                f"Eval set {eval_set_id} is {row['status']} and cannot become {status}.",
                hint="See how it stands: hawk status.",
                value=row["status"],
                field="status",
            )
        connection.execute(
            _MARK_STATUS,
            {"status": status, "reason": _storable_text(reason), "run": dagster_run_id, "id": eval_set_id},
        )
    return bool(row["status"] != status)


def note_run(connection: Connection[DictRow], eval_set_id: str, dagster_run_id: str) -> None:
    """Remember the Dagster run that works for a set, whatever status that run has brought it to meanwhile."""
    connection.execute(
        "update ops.eval_set set dagster_run_id = %s where eval_set_id = %s", [dagster_run_id, eval_set_id]
    )


def job_spec_for(row: EvalSetRow, settings: OrchestrationSettings) -> JobSpec:
    """Return what the set's runner is told; the same row gives the same bytes.

    Raises UserError for a set that was never launched here, so that nobody knows its config.
    """
    if row.config is None or row.created_by is None:
        raise UserError(
            f"Eval set {row.eval_set_id} was found by its logs; its config is not known.",
            hint="Launch it from its YAML file with this eval_set_id.",
            value=row.eval_set_id,
            field="config",
        )
    infra = InfraConfig(
        created_by=row.created_by,
        email=row.email,
        model_groups=row.model_groups,
        priority=row.priority,
        log_dir=f"s3://{settings.bucket}/{eval_set_prefix(row.eval_set_id)}".rstrip("/"),
        proxy_url=settings.proxy_url,
        log_shared_seconds=settings.log_shared_seconds,
        log_dir_allow_dirty=row.log_dir_allow_dirty,
        metadata={"eval_set_id": row.eval_set_id, "created_by": row.created_by},
    )
    return JobSpec(job_id=row.eval_set_id, config=validate_eval_set_mapping(row.config).config, infra=infra)


def job_environment(
    row: EvalSetRow, settings: OrchestrationSettings, connection: Connection[DictRow]
) -> dict[str, str]:
    """Return what the set's runner finds in its environment, secrets in the clear: never log it.

    Later ones win: the place of S3, the job's token and who takes it, the config's runner.environment, the user's
    secrets. No key to S3 is among them: the job's token gets it some for its own folder. Raises UserError where a
    secret that the config asks for is not kept any more.
    """
    config = validate_eval_set_mapping(row.config or {}).config
    secrets = read_secrets(connection, row.eval_set_id, key=settings.secret_key)
    asked = {secret.name for _, secret in config.secret_places() if secret.type == "env"}
    missing = sorted(asked - secrets.keys())
    if missing:
        raise UserError(
            f"The secrets {', '.join(missing)} of eval set {row.eval_set_id} are not kept any more.",
            hint="Launch it again from its YAML file with this eval_set_id, and give them.",
            value=missing,
            field="secrets",
        )
    return {
        **_object_store_environment(settings),
        **_identity_environment(row, settings),
        **config.runner.environment,
        **secrets,
    }


def edit_job_environment(
    row: EvalSetRow, settings: OrchestrationSettings, connection: Connection[DictRow], *, job_id: JobId, created_by: str
) -> dict[str, str]:
    """Return what the runner of edits of the set's logs finds in its environment, secrets in the clear.

    The set's environment and secrets, as far as they are kept, since installing its packages may need them; the way
    to models is not among it. What is ours wins.
    """
    config = validate_eval_set_mapping(row.config).config if row.config else None
    secrets = read_secrets(connection, row.eval_set_id, key=settings.secret_key) if row.config else {}
    environment = {**(config.runner.environment if config else {}), **secrets, **_object_store_environment(settings)}
    if settings.job_token_key is None:
        return environment
    token = mint_job_token(
        settings.job_token_key,
        job_id=job_id,
        permissions=row.model_groups,
        created_by=created_by,
        lifetime=timedelta(days=1),
    )
    environment |= {"HAWK_JOB_ID": job_id, "HAWK_JOB_TYPE": "edit", "HAWK_JOB_TOKEN": token}
    if settings.api_url is not None:
        environment["HAWK_TOKEN_BROKER_URL"] = f"{settings.api_url.rstrip('/')}{TOKEN_PATH}"
    return environment


def _object_store_environment(settings: OrchestrationSettings) -> dict[str, str]:
    environment = {"AWS_REGION": settings.s3_region, "AWS_DEFAULT_REGION": settings.s3_region}
    if settings.s3_endpoint_url:
        environment["AWS_ENDPOINT_URL_S3"] = settings.s3_endpoint_url
    return environment


def _identity_environment(row: EvalSetRow, settings: OrchestrationSettings) -> dict[str, str]:
    """Return the job's own token, and where it is taken: for S3 credentials by the broker, for models by the proxy."""
    if settings.job_token_key is None:
        return {}
    token = mint_job_token(
        settings.job_token_key,
        job_id=row.eval_set_id,
        permissions=row.model_groups,
        created_by=row.created_by or "",
        lifetime=timedelta(days=settings.job_token_days),
    )
    environment = {"HAWK_JOB_ID": row.eval_set_id, "HAWK_JOB_TOKEN": token}
    if settings.api_url is not None:
        environment["HAWK_TOKEN_BROKER_URL"] = f"{settings.api_url.rstrip('/')}{TOKEN_PATH}"
    if settings.proxy_url is not None:
        environment |= provider_environment(settings.proxy_url, token, row.model_names)
    return environment


def _storable_text(text: str) -> str:
    """Return the text without what Postgres cannot hold; reasons quote what strangers' programs printed."""
    return _UNSTORABLE.sub("\ufffd", text)
