"""Gives a job credentials for its own folder on S3, and for nothing else."""

import json
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import Connection
from psycopg.rows import DictRow

from hawk.api.contracts import CredentialsRequest, CredentialsResponse
from hawk.auth import Principal
from hawk.config.load import validate_eval_set_mapping
from hawk.errors import Conflict, NotAllowed, NotFound, Upstream
from hawk.eval_set_groups import declared_models, required_groups
from hawk.eval_sets import EvalSetRow, find_eval_set
from hawk.ids import JobId
from hawk.naming import eval_set_prefix, runner_namespace, runner_service_account
from hawk.permissions import UNRESOLVED_GROUP, may_view, missing_groups, unseen_groups
from hawk.pod_tokens import PodTokenVerifier
from hawk.session_policy import job_policy, policy_too_large, scan_prefix
from hawk.settings import ApiSettings

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client
    from mypy_boto3_sts import STSClient

MAX_SESSION_NAME = 64  # AssumeRole's limit


@dataclass(frozen=True)
class TokenBroker:
    """Checks who asks, and lets STS make the session."""

    settings: ApiSettings
    s3: "S3Client"
    sts: "STSClient"
    pods: PodTokenVerifier

    def grant(
        self, connection: Connection[DictRow], caller: Principal, request: CredentialsRequest, pod_token: str | None
    ) -> CredentialsResponse:
        """Return credentials for the job's folder.

        Raises NotAllowed, NotSignedIn, NotFound; Conflict where the job has ended; UserError where its rights are more
        than a session can hold; Upstream.
        """
        job_id = self._job_id(caller, request, pod_token)
        row = find_eval_set(connection, _set_of_job(connection, job_id, request.job_type))
        if row is None:
            raise NotFound(f"There is no job {job_id}.", field="job_id", value=job_id)
        self._check(connection, caller, row, is_edit=request.job_type == "edit")
        for source in request.source_eval_set_ids:
            self._check_source(connection, caller, source)
        prefix = scan_prefix(job_id) if request.job_type == "scan" else eval_set_prefix(row.eval_set_id)
        policy = job_policy(
            self.settings.bucket,
            prefix,
            sources=request.source_eval_set_ids,
            secrets=_secret_arns(row),
            key_arn=self.settings.log_key_arn,
        )
        return self._session(job_id, policy, sources=len(request.source_eval_set_ids))

    def _job_id(self, caller: Principal, request: CredentialsRequest, pod_token: str | None) -> JobId:
        """Return the job that asks, proven by its own token or its pod's."""
        job_id = JobId(request.job_id)
        if caller.kind == "job" and caller.job_id != job_id:
            raise NotAllowed("The token is of another job.", field="job_id", value=job_id)
        if self.pods.is_configured:
            expected = (
                runner_namespace(self.settings.namespace_prefix, job_id),
                runner_service_account(request.job_type, job_id),
            )
            if pod_token is None or self.pods.service_account(pod_token) != expected:
                raise NotAllowed("The request does not come from the job's own pod.", field="job_id", value=job_id)
        elif caller.kind != "job":
            raise NotAllowed(
                "Credentials are for jobs, not for people.", hint="Download logs with hawk download.", field="job_id"
            )
        return job_id

    def _check(self, connection: Connection[DictRow], caller: Principal, row: EvalSetRow, *, is_edit: bool) -> None:
        if is_edit and caller.kind != "job":
            raise NotAllowed("Credentials of an edit are for its job alone.", field="job_id")
        if caller.kind == "user" and caller.subject != row.created_by:
            raise NotAllowed(f"The job {row.eval_set_id} is not yours.", field="job_id")
        if not row.is_active and not is_edit:  # an edit's own request is due, else it has no set here
            raise Conflict(
                f"The job {row.eval_set_id} has ended: it is {row.status}.", field="job_id", value=row.status
            )
        # A model without a group is no reason to cut a job off from the folder that it writes; people see it by groups.
        required = self._required_groups(connection, row) - {UNRESOLVED_GROUP}
        missing = missing_groups(caller, required)
        if missing or not required:
            raise NotAllowed(
                f"The job {row.eval_set_id} lacks {', '.join(missing) or 'any group'}.",
                hint="Its logs name models of other groups than its config; launch it again with those.",
                field="job_id",
                value=missing,
            )

    def _check_source(self, connection: Connection[DictRow], caller: Principal, eval_set_id: str) -> None:
        row = find_eval_set(connection, eval_set_id)
        required = self._required_groups(connection, row) if row else frozenset()
        if not may_view(caller, required):
            detail = f" It lacks {', '.join(unseen_groups(caller, required))}." if row and caller.kind == "job" else ""
            raise NotAllowed(
                f"The job may not read the eval set {eval_set_id!r}.{detail}",
                field="source_eval_set_ids",
                value=eval_set_id,
            )

    def _required_groups(self, connection: Connection[DictRow], row: EvalSetRow) -> frozenset[str]:
        return required_groups(connection, row, declared_models(self.s3, self.settings.bucket, row.eval_set_id))

    def _session(self, job_id: JobId, policy: str, *, sources: int) -> CredentialsResponse:
        from botocore.exceptions import BotoCoreError, ClientError

        if self.settings.log_role_arn is None:
            raise Upstream("This server gives no credentials: HAWK_LOG_ROLE_ARN is not set.")
        try:
            made = self.sts.assume_role(
                RoleArn=self.settings.log_role_arn,
                RoleSessionName=f"hawk-{job_id}"[:MAX_SESSION_NAME],
                Policy=policy,
                DurationSeconds=self.settings.session_seconds,
            )["Credentials"]
        except ClientError as error:
            if error.response.get("Error", {}).get("Code") == "PackedPolicyTooLarge":
                raise policy_too_large(sources) from error
            raise Upstream("The credentials were refused by STS.", hint="Try again in a moment.") from error
        except BotoCoreError as error:
            raise Upstream("STS does not answer.", hint="Try again in a moment.") from error
        return CredentialsResponse(
            AccessKeyId=made["AccessKeyId"],
            SecretAccessKey=made["SecretAccessKey"],
            SessionToken=made["SessionToken"],
            Expiration=made["Expiration"],
        )


def token_broker(settings: ApiSettings, s3: "S3Client") -> TokenBroker:
    """Return a broker; it has not connected yet."""
    from hawk.object_store import sts_client

    return TokenBroker(settings, s3, sts_client(settings), PodTokenVerifier(settings))


def _set_of_job(connection: Connection[DictRow], job_id: str, job_type: str) -> str:
    """Return the set whose folder a job works in: its own, or the one whose logs it edits as long as that is due."""
    if job_type != "edit":
        return job_id
    found = connection.execute(
        """
        select edit_log.eval_set_id from ops.edit_log inner join ops.edit_request as request using (edit_request_id)
        where edit_log.job_id = %s and request.state = 'running' limit 1
        """,
        [job_id],
    ).fetchone()
    return str(found["eval_set_id"]) if found else ""


def _secret_arns(row: EvalSetRow) -> list[str]:
    """Return the ARNs, or patterns of them, of the secrets that the job's runner fetches from AWS."""
    config: dict[str, Any] = row.config or {}
    if "aws-secrets-manager" not in json.dumps(config):
        return []
    places = validate_eval_set_mapping(config).config.secret_places()
    fetched = [secret for _, secret in places if secret.type == "aws-secrets-manager"]
    # AWS ends an ARN with six characters that the name does not have.
    return sorted(
        {secret.arn or f"arn:aws:secretsmanager:*:*:secret:{secret.secret_name}-??????" for secret in fetched}
    )
