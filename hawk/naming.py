"""Every name that two programs must agree on: S3 keys, Kubernetes names, labels, Dagster jobs, schemas.

Programs talk by data, so a name here is a contract; change it in one place only.
"""

import hashlib
import re
from urllib.parse import quote

from hawk.ids import JobId

# S3 layout, the same as METR's Hawk so that its tools read our bucket.
EVALS_ROOT = "evals"
CONFIG_FILE = ".config.yaml"
MODELS_FILE = ".models.json"
STORAGE_GRANTS_FILE = ".storage-grants.json"
ONLINE_SCAN_MODEL_FILE = ".online-scan-model.json"
PROGRESS_FOLDER = ".progress"
COMMANDS_FOLDER = ".commands"
BUFFER_FOLDER = ".buffer"
# What samples leave behind, in a folder each: `artifacts/{sample uuid}/…`.
ARTIFACTS_FOLDER = "artifacts"
REPORTS_FOLDER = "reports"
# What says who may see a folder and what its job is told: Hawk writes these, a job never.
GATE_FILES = (MODELS_FILE, CONFIG_FILE, STORAGE_GRANTS_FILE, ONLINE_SCAN_MODEL_FILE, f"{COMMANDS_FOLDER}/*")
SCANS_ROOT = "scans"
# Files that people bring and that nobody has judged yet; outside of every set's folder.
PENDING_ROOT = "pending"

# Postgres schemas.
RAW_SCHEMA = "raw"
OPS_SCHEMA = "ops"
STAGING_SCHEMA = "staging"
INTERMEDIATE_SCHEMA = "intermediate"
MARTS_SCHEMA = "marts"

# Postgres roles; row_security.sql and reader_roles.sql spell them out.
WRITER_ROLE = "hawk_writer"  # owns all tables and stands above policies; importer and dbt take it
ROLE_KEEPER_ROLE = "hawk_roles"  # owns the functions that make roles
READER_ROLE = "hawk_reader"  # may read what policies show
SERVICE_ROLE = "hawk_services"  # reads and writes what runs; sees no results
# Logins of programs, and the role that each has when it connects. They have no rights of their own: the viewer takes a
# reader's role for each query, and the API one for each time it reads results.
API_ROLE = "hawk_api"
VIEWER_ROLE = "hawk_viewer"
LOGIN_ROLES = {
    API_ROLE: SERVICE_ROLE,
    VIEWER_ROLE: None,
    "hawk_dagster": WRITER_ROLE,
    "hawk_door": SERVICE_ROLE,
    "hawk_proxy": SERVICE_ROLE,
}

# Dagster.
CODE_LOCATION = "hawk"
EVAL_SET_PARTITIONS = "eval_set"
EVAL_JOBS_ASSET = "eval_jobs"
EVAL_LOGS_ASSET = "eval_logs"
LAUNCH_JOB = "launch_eval_set"  # materializes eval_jobs[eval_set_id]
SUBMIT_JOB = "submit_eval_set"
STOP_JOB = "stop_eval_set"
DELETE_JOB = "delete_eval_set"
RETRY_JOB = "retry_eval_set"
SHOW_JOB = "show_eval_set"
STACKTRACE_JOB = "show_stack_trace"
IMPORT_JOB = "import_logs"
REIMPORT_JOB = "reimport_eval_set"
CHECK_JOB = "check_warehouse"
SEARCH_JOB = "index_messages"
UPKEEP_JOB = "keep_up_warehouse"
EDIT_JOB = "apply_edits"
ANALYSES_JOB = "analyse_marts"
EVAL_SET_TAG = "hawk/eval_set_id"
EDIT_REQUEST_TAG = "hawk/edit_request_id"
CREATED_BY_TAG = "hawk/created_by"
LAUNCH_STAMP_TAG = "hawk/launch_stamp"  # where Dagster's door noted who launches; see hawk/launch_stamps.py
LAUNCHPAD_ORDER = "launchpad_order"  # the only key of a launchpad's run config that the door has put elsewhere
NEWS_ONLY_TAG = "hawk/news_only"  # of an import: marts are built only if it brings something; see assets/imports.py
PROMPT_TAG = "hawk/prompt"  # a run that somebody waits for; see orchestration/run_coordinator.py

# Kubernetes.
MAX_NAMESPACE = 63  # RFC 1123 label
MAX_SERVICE_ACCOUNT = 63  # RFC 1123 label, which a service account's name must fit where IAM trusts it
APP_NAME = "hawk"
LABEL_PREFIX = "hawk.dagster.io"
SANDBOX_SUFFIX = "-s"
RUNNER_COMPONENT = "runner"
SANDBOX_COMPONENT = "sandbox"
NAME_LABEL = "app.kubernetes.io/name"
COMPONENT_LABEL = "app.kubernetes.io/component"
MANAGED_BY_LABEL = "app.kubernetes.io/managed-by"
JOB_ID_LABEL = f"{LABEL_PREFIX}/job-id"
JOB_TYPE_LABEL = f"{LABEL_PREFIX}/job-type"
CREATED_BY_LABEL = f"{LABEL_PREFIX}/created-by"
NAMESPACE_PREFIX_LABEL = f"{LABEL_PREFIX}/namespace-prefix"  # which of several deployments on a cluster it is of
EMAIL_ANNOTATION = f"{LABEL_PREFIX}/email"
CREATED_BY_ANNOTATION = f"{LABEL_PREFIX}/created-by"
MODEL_ACCESS_ANNOTATION = f"{LABEL_PREFIX}/model-access"
SPEC_HASH_ANNOTATION = f"{LABEL_PREFIX}/spec-hash"
STOP_ANNOTATION = f"{LABEL_PREFIX}/stop"  # on a pod, where its keeper reads it
STACKTRACE_ANNOTATION = f"{LABEL_PREFIX}/stacktrace"
SANDBOX_CLUSTER_ROLE = "hawk-sandboxes"  # what a runner may do in its sandbox namespace; infra/kubernetes

# HTTP.
TOKEN_PATH = "/token"  # noqa: S105 - of the API: the token broker
POD_TOKEN_HEADER = "x-hawk-pod-token"  # noqa: S105 - a name
REQUEST_ID_HEADER = "x-request-id"
CLIENT_VERSION_HEADER = "x-hawk-client-version"
SERVER_VERSION_HEADER = "x-hawk-server-version"
JOB_ID_HEADER = "x-hawk-job-id"
CONTENT_HASH_HEADER = "x-content-sha256"

# What a runner tells the LLM proxy of each call; the eval set and the user are in its token.
EVAL_ID_HEADER = "x-inspect-eval-id"
TASK_NAME_HEADER = "x-inspect-task-name"
SAMPLE_UUID_HEADER = "x-inspect-sample-uuid"
SAMPLE_ID_HEADER = "x-inspect-sample-id"
EPOCH_HEADER = "x-inspect-epoch"

# Postgres tells this channel that models, providers, prices, limits or budgets have changed.
REGISTRY_CHANNEL = "hawk_registry"

# The proxy's address in a job's environment.
PROXY_URL_VARIABLE = "HAWK_PROXY_URL"
# A file with the proxy's token of the moment, for a run on somebody's own machine, whose sign-in is renewed meanwhile.
TOKEN_FILE_VARIABLE = "HAWK_TOKEN_FILE"  # noqa: S105 - a name

# What Inspect takes for a log in its JSON format; `logs.json` and `eval-set.json` beside it are none.
_JSON_LOG_NAME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}[:-]\d{2}[:-]\d{2}.*\.json")


def eval_set_prefix(eval_set_id: str) -> str:
    """Return the S3 key prefix of a set's logs, slash included, so that `a` never reaches `ab`."""
    return f"{EVALS_ROOT}/{eval_set_id}/"


def eval_set_key(eval_set_id: str, name: str) -> str:
    """Return the S3 key of a file in a set's folder."""
    return eval_set_prefix(eval_set_id) + name


def eval_set_id_of_key(key: str) -> str | None:
    """Return the eval set that an S3 key lies under, or None if it lies under none."""
    parts = key.split("/", 2)
    return parts[1] if len(parts) == 3 and parts[0] == EVALS_ROOT and parts[1] and parts[2] else None


def is_eval_log_key(key: str) -> bool:
    """Say whether a key is a log to import: `evals/{id}/{file}`, directly in the set's folder."""
    parts = key.split("/")
    return len(parts) == 3 and parts[0] == EVALS_ROOT and is_eval_log_name(parts[2])


def is_eval_log_name(name: str) -> bool:
    """Say whether a file's name is that of a log: `*.eval`, or `{time}_{task}_{id}.json` in the older format."""
    if name.startswith("."):
        return False
    return name.endswith(".eval") or _JSON_LOG_NAME.fullmatch(name) is not None


def pending_key(upload_id: str) -> str:
    """Return the S3 key of a file that somebody uploads, until it is judged."""
    return f"{PENDING_ROOT}/{upload_id}"


def viewer_eval_set_url(viewer_url: str, eval_set_id: str) -> str:
    """Return the viewer's page of a set: the list of its evals."""
    return f"{viewer_url.rstrip('/')}/evals?eval_set_id={quote(eval_set_id, safe='')}"


def viewer_sample_url(viewer_url: str, sample_uuid: str, eval_id: str) -> str:
    """Return the viewer's page of a sample, as one of its evals has it."""
    return f"{viewer_url.rstrip('/')}/sample?uuid={quote(sample_uuid, safe='')}&eval_id={quote(eval_id, safe='')}"


def runner_namespace(prefix: str, job_id: JobId) -> str:
    """Return `{prefix}-{id}`, cut and ended with 12 hex of a hash where that or its `-s` sibling is over 63.

    An id that ends with `-s` gets the hash, too: it would name the sandboxes of another.
    """
    name = f"{prefix}-{job_id}"
    longest = MAX_NAMESPACE - len(SANDBOX_SUFFIX)
    if len(name) <= longest and not name.endswith(SANDBOX_SUFFIX):
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{name[: longest - 13].rstrip('-')}-{digest}"


def runner_service_account(job_type: str, job_id: JobId) -> str:
    """Return the name of the service account that a job's pod runs under, cut as its namespace is."""
    name = f"{APP_NAME}-{job_type}-runner-{job_id}"
    if len(name) <= MAX_SERVICE_ACCOUNT:
        return name
    digest = hashlib.sha256(name.encode()).hexdigest()[:12]
    return f"{name[: MAX_SERVICE_ACCOUNT - 13].rstrip('-')}-{digest}"


def sandbox_namespace(prefix: str, job_id: JobId) -> str:
    """Return `{prefix}-{id}-s`, where the set's sandboxes live; at most 63 characters."""
    return runner_namespace(prefix, job_id) + SANDBOX_SUFFIX
