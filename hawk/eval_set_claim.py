"""Claiming an eval set: an id that is nobody else's, groups that never shrink, and nothing half-written.

The API and Dagster's launchpad both create sets through here, so that they obey the same rules.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

from psycopg import Connection
from psycopg.pq import TransactionStatus
from psycopg.rows import DictRow
from psycopg.types.json import Jsonb
from pydantic import BaseModel, ConfigDict, Field, SecretStr

from hawk.audit import AuditEntry, record
from hawk.auth import Principal
from hawk.config.benchmark_names import benchmark_names
from hawk.config.eval_set import DEFAULT_EVAL_SET_NAME, EvalSetConfig
from hawk.config.installation import local_packages
from hawk.config.load import LoadedConfig, validate_eval_set_mapping
from hawk.config.model_names import model_names
from hawk.errors import Bug, Conflict, NotAllowed, TooManyRequests, UserError
from hawk.eval_set_folder import EvalSetFolder, ModelsFile, models_file
from hawk.eval_sets import ACTIVE_STATES, EvalSetRow, Priority, find_eval_set
from hawk.ids import IMPORTED_PREFIX, JobId, new_job_id, parse_job_id
from hawk.job_secrets import check_environment, store_secrets, stored_secret_names
from hawk.permissions import groups_of_benchmarks, may_change, missing_groups, require_use, required_groups

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

LAUNCHPAD_SUBJECT = "dagster"
MAX_CONFIG_BYTES = 1024 * 1024

_LOCK_SPACE = 0x6861776B  # "hawk": the first key of our advisory locks on eval sets
_OWNER_LOCK_SPACE = _LOCK_SPACE + 1
_UNSTORABLE = re.compile("[\0\ud800-\udfff]")


class EvalSetOrder(BaseModel):
    """What somebody asks for."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    origin: Literal["api", "launchpad"]
    config: dict[str, Any] = Field(description="The YAML file's mapping, as it stands.")
    eval_set_id: str | None = Field(default=None, description="Wins over the config's own; neither: one is made.")
    secrets: dict[str, SecretStr] = Field(default_factory=dict)
    priority: Priority = "medium"
    log_dir_allow_dirty: bool = False


@dataclass(frozen=True)
class EvalSetStores:
    """Where an eval set is kept besides the database."""

    s3: "S3Client"
    bucket: str
    secret_key: SecretStr


@dataclass(frozen=True)
class ClaimedEvalSet:
    """A set whose row has status `claimed`; its launch is up to Dagster."""

    eval_set_id: JobId
    is_relaunch: bool
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class _Claim:
    """An order that was looked at and may be written down."""

    eval_set_id: JobId
    order: EvalSetOrder
    config: EvalSetConfig
    principal: Principal
    models: ModelsFile


def create_eval_set(
    connection: Connection[DictRow],
    order: EvalSetOrder,
    *,
    principal: Principal,
    stores: EvalSetStores,
    allow_local_packages: bool = False,
    audit_entry: AuditEntry | None = None,
    max_unfinished: int | None = None,
) -> ClaimedEvalSet:
    """Claim an id for the order, or its existing set anew, in one transaction that is committed on return.

    `audit_entry` is written in the same transaction; TooManyRequests where the principal has `max_unfinished` sets.

    The claim is a conditional put on S3, so two racing requests make one set. A claim whose maker died before the
    row was committed is adopted by the same owner's next request. Raises UserError for a bad order, NotAllowed where
    the models or the set are not the caller's to use, Conflict where the set is active or its id is taken, and
    Upstream where S3 fails; each leaves the row, the secrets and the folder's claim as they were.
    """
    if connection.info.transaction_status != TransactionStatus.IDLE:
        raise Bug("create_eval_set needs a connection that is in no transaction.")
    loaded = check_order(order, allow_local_packages=allow_local_packages)
    config = loaded.config
    given_id = order.eval_set_id or config.eval_set_id
    eval_set_id = _parse_given_id(given_id) if given_id else new_job_id(config.name or DEFAULT_EVAL_SET_NAME)
    with connection.transaction():
        groups = required_groups(connection, model_names(config))
        benchmarks = groups_of_benchmarks(connection, benchmark_names(config))
        require_use(principal, groups, benchmarks)
        _lock(connection, eval_set_id)
        models = models_file(groups.keys(), [*groups.values(), *benchmarks.values()], principal.subject)
        claim = _Claim(eval_set_id, order, config, principal, models)
        row = find_eval_set(connection, eval_set_id)
        if row is not None:
            _check_may_claim_again(claim, row)
        if max_unfinished is not None:
            _check_unfinished(connection, claim, max_unfinished)
        _check_secrets_given(connection, claim)
        store_secrets(connection, eval_set_id, order.secrets, key=stores.secret_key)
        folder = EvalSetFolder(stores.s3, stores.bucket, eval_set_id)
        if row is None:
            _claim_new(connection, claim, folder)
        else:
            _claim_again(connection, claim, folder, row)
        if audit_entry is not None:
            detail = {**audit_entry.detail, "models": sorted(groups), "benchmarks": sorted(benchmarks)}
            found = {"object_kind": "eval_set", "object_id": eval_set_id, "detail": detail}
            record(connection, audit_entry.model_copy(update=found), principal)
    warnings = tuple(str(problem) for problem in loaded.warnings)
    return ClaimedEvalSet(eval_set_id, is_relaunch=row is not None, warnings=warnings)


def check_order(order: EvalSetOrder, *, allow_local_packages: bool = False) -> LoadedConfig[EvalSetConfig]:
    """Return the order's config, validated, with what was ignored in it; needs no store.

    Raises ConfigError or UserError.
    """
    _check_storable(order.config)
    loaded = validate_eval_set_mapping(order.config)
    config = loaded.config
    secrets = {name: value.get_secret_value() for name, value in order.secrets.items()}
    check_environment(secrets, field="secrets")
    check_environment(config.runner.environment, field="runner.environment")
    local = local_packages(config)
    if local and not allow_local_packages:
        raise UserError(
            f"{local[0]!r} is a path of one machine, and the job runs on another.",
            hint="Name a package of an index, or a URL such as git+https://github.com/OWNER/REPOSITORY@COMMIT.",
            value=list(local),
            field="packages",
        )
    return loaded


def operator(connection: Connection[DictRow]) -> Principal:
    """Return the principal of Dagster's launchpad: its users run the platform, and so hold every group."""
    rows = connection.execute(
        "select model_group from ops.model_group union select model_group from ops.benchmark_group"
    ).fetchall()
    groups = frozenset(row["model_group"] for row in rows)
    return Principal(subject=LAUNCHPAD_SUBJECT, permissions=groups, is_admin=True)


def _parse_given_id(text: str) -> JobId:
    eval_set_id = parse_job_id(text)
    if eval_set_id.startswith(IMPORTED_PREFIX):
        raise UserError(
            f"Ids that begin with {IMPORTED_PREFIX!r} are for imported logs.",
            hint="Use another eval_set_id, or leave it out.",
            value=text,
            field="eval_set_id",
        )
    return eval_set_id


def _check_storable(config: Mapping[str, Any]) -> None:
    try:
        size = len(json.dumps(config, allow_nan=False))
        _refuse_strange_text(config)
    except (ValueError, TypeError, RecursionError) as error:
        raise UserError("The config has a value that JSON cannot hold.", hint=f"({error})", field="config") from error
    if size > MAX_CONFIG_BYTES:
        raise UserError(f"The config has {size} bytes.", hint=f"Use at most {MAX_CONFIG_BYTES}.", field="config")


def _refuse_strange_text(value: object, path: str = "config") -> None:
    """Raise UserError for the first text that Postgres' jsonb cannot hold: with a NUL or half a surrogate pair."""
    if isinstance(value, str):
        if _UNSTORABLE.search(value):
            raise UserError(f"{path} has a character that cannot be stored: {value!r}.", hint="Remove it.", field=path)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            _refuse_strange_text(key, path)
            _refuse_strange_text(item, f"{path}.{key}")
    elif isinstance(value, list):
        for index, item in enumerate(value):
            _refuse_strange_text(item, f"{path}[{index}]")


def _check_may_claim_again(claim: _Claim, row: EvalSetRow) -> None:
    if not may_change(claim.principal, row.created_by):
        raise _taken(row.eval_set_id)
    _require_all(claim.principal, row.model_groups)
    is_unlaunched_same = row.status == "claimed" and row.dagster_run_id is None and row.config == claim.order.config
    if row.is_active and not is_unlaunched_same:
        raise Conflict(
            f"Eval set {row.eval_set_id} is {row.status} already.",
            hint="Watch it with hawk watch, or stop it first with hawk stop.",
            value=row.status,
            field="eval_set_id",
        )


def _check_unfinished(connection: Connection[DictRow], claim: _Claim, most: int) -> None:
    owner = claim.principal.subject
    # Two launches of one person at once must not both find room for one.
    connection.execute("select pg_advisory_xact_lock(%s, hashtext(%s))", [_OWNER_LOCK_SPACE, owner])
    found = connection.execute(
        "select count(*) as number from ops.eval_set where created_by = %s and status = any(%s) and eval_set_id <> %s",
        [owner, sorted(ACTIVE_STATES), claim.eval_set_id],
    ).fetchone()
    number = found["number"] if found else 0
    if number >= most:
        raise TooManyRequests(
            f"You have {number} eval sets that have not ended; {most} are allowed at a time.",
            hint="Wait for one to end, stop one with hawk stop, or launch it all the same with --force.",
            field="eval_set_id",
        )


def _check_secrets_given(connection: Connection[DictRow], claim: _Claim) -> None:
    held = claim.order.secrets.keys() | stored_secret_names(connection, claim.eval_set_id)
    asked = [secret for _, secret in claim.config.secret_places() if secret.type == "env"]
    missing = {secret.name: secret.description for secret in asked if secret.name not in held}
    if missing:
        wanted = "; ".join(f"{name} ({text})" if text else name for name, text in sorted(missing.items()))
        raise UserError(
            f"The config needs secrets that were not given: {wanted}.",
            hint="Give each with --secret NAME, from your environment, or with --secrets-file.",
            value=sorted(missing),
            field="secrets",
        )


def _lock(connection: Connection[DictRow], eval_set_id: str) -> None:
    """Keep others from launching this set until the transaction ends."""
    row = connection.execute(
        "select pg_try_advisory_xact_lock(%s, hashtext(%s)) as is_ours", [_LOCK_SPACE, eval_set_id]
    ).fetchone()
    if row is None or not row["is_ours"]:
        raise Conflict(
            f"Eval set {eval_set_id} is being launched by another request.",
            hint="Wait a moment, then see how it stands: hawk status.",
            value=eval_set_id,
            field="eval_set_id",
        )


def _claim_new(connection: Connection[DictRow], claim: _Claim, folder: EvalSetFolder) -> None:
    # The row comes first: whatever Postgres refuses is refused before S3 knows of the set.
    connection.execute(
        """
        insert into ops.eval_set (eval_set_id, name, origin, config, created_by, email, model_names, model_groups,
                                  priority, log_dir_allow_dirty, status, created_at, status_changed_at)
        values (%(id)s, %(name)s, %(origin)s, %(config)s, %(created_by)s, %(email)s, %(names)s, %(groups)s,
                %(priority)s, %(dirty)s, 'claimed', now(), now())
        """,
        _row_values(claim, claim.models),
    )
    if folder.claim(claim.models):
        try:
            _refuse_foreign_objects(claim, folder)
            folder.write_config(claim.order.config)
        except Exception:
            folder.release()
            raise
        return
    _adopt(connection, claim, folder)


def _adopt(connection: Connection[DictRow], claim: _Claim, folder: EvalSetFolder) -> None:
    """Take over a folder that is claimed and has no row: an earlier request of the same owner died midway."""
    found = folder.read_models()
    if found is None or (found.created_by != claim.principal.subject and not claim.principal.is_admin):
        raise _taken(claim.eval_set_id)
    models = claim.models.union(found)
    _require_all(claim.principal, models.model_groups)
    connection.execute(
        "update ops.eval_set set model_names = %(names)s, model_groups = %(groups)s where eval_set_id = %(id)s",
        _row_values(claim, models),
    )
    folder.write_models(models)
    folder.write_config(claim.order.config)


def _claim_again(connection: Connection[DictRow], claim: _Claim, folder: EvalSetFolder, row: EvalSetRow) -> None:
    owner = row.created_by or claim.principal.subject
    models = models_file(row.model_names, row.model_groups, owner).union(claim.models)
    found = folder.read_models()
    if found is not None:
        models = models.union(found)
    _require_all(claim.principal, models.model_groups)
    connection.execute(
        """
        update ops.eval_set
        set name = %(name)s, origin = %(origin)s, config = %(config)s, created_by = %(owner)s,
            email = case when %(owner)s = %(created_by)s then %(email)s else email end,
            model_names = %(names)s, model_groups = %(groups)s, priority = %(priority)s,
            log_dir_allow_dirty = %(dirty)s, status = 'claimed', status_reason = '', dagster_run_id = null,
            status_changed_at = now()
        where eval_set_id = %(id)s
        """,
        {**_row_values(claim, models), "owner": owner},
    )
    folder.write_models(models)
    folder.write_config(claim.order.config)


def _row_values(claim: _Claim, models: ModelsFile) -> dict[str, Any]:
    return {
        "id": claim.eval_set_id,
        "name": claim.config.name or claim.eval_set_id,
        "origin": claim.order.origin,
        "config": Jsonb(claim.order.config),
        "created_by": claim.principal.subject,
        "email": claim.principal.email,
        "names": sorted(models.model_names),
        "groups": sorted(models.model_groups),
        "priority": claim.order.priority,
        "dirty": claim.order.log_dir_allow_dirty,
    }


def _refuse_foreign_objects(claim: _Claim, folder: EvalSetFolder) -> None:
    # Logs without a .models.json are of unknown groups; claiming them would show them to holders of ours.
    if folder.has_other_objects() and not (claim.principal.is_admin and claim.order.log_dir_allow_dirty):
        raise _taken(claim.eval_set_id)


def _require_all(principal: Principal, groups: Iterable[str]) -> None:
    missing = missing_groups(principal, groups)
    if missing:
        raise NotAllowed(
            f"The eval set has models of groups that you lack: {', '.join(missing)}.",
            hint="Ask an administrator for the group, or leave eval_set_id out to launch a new set.",
            value=missing,
            field="eval_set_id",
        )


def _taken(eval_set_id: str) -> Conflict:
    return Conflict(
        f"The id {eval_set_id} is taken.",
        hint="Use another eval_set_id, or leave it out and one is made.",
        value=eval_set_id,
        field="eval_set_id",
    )
