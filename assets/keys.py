"""Keys, groups and the owner of every asset, so that Python assets, dbt and checks name the same things."""

from dagster import AssetKey

from hawk.naming import EVAL_JOBS_ASSET, EVAL_LOGS_ASSET, MARTS_SCHEMA, OPS_SCHEMA, RAW_SCHEMA

EVAL_JOBS = AssetKey(EVAL_JOBS_ASSET)
EVAL_LOGS = AssetKey(EVAL_LOGS_ASSET)
SCORE_OVERVIEW = AssetKey("score_overview")
OPS_EVAL_SET = AssetKey([OPS_SCHEMA, "eval_set"])
RETENTION = AssetKey("event_retention")
PENDING_UPLOADS = AssetKey("pending_uploads")
MESSAGE_SEARCH = AssetKey([RAW_SCHEMA, "message_search"])
AGG_TASK_MODEL = AssetKey([MARTS_SCHEMA, "agg_task_model"])

EVAL_SET_GROUP = "eval_set"
RAW_GROUP = "raw"
OPS_GROUP = "ops"
REPORT_GROUP = "report"
ANALYSES_GROUP = "analyses"
SEARCH_GROUP = "search"
UPKEEP_GROUP = "upkeep"

OWNERS = ("team:evals",)

# One import at a time: two would wait for each other's locks, and dbt would build the marts twice.
IMPORT_POOL = "import_logs"
# Words are indexed while logs are imported; two runs of that would only share the work.
SEARCH_POOL = "message_search"
UPKEEP_POOL = "upkeep"
# Beside imports, which it does not hold back; two at a time would compute the same.
ANALYSES_POOL = "analyses"


def raw_key(table_name: str) -> AssetKey:
    """Return the key of a raw table: raw/sample."""
    return AssetKey([RAW_SCHEMA, table_name])


def analysis_key(name: str) -> AssetKey:
    """Return the key of an analysis: analyses/leaderboard."""
    return AssetKey([ANALYSES_GROUP, name])
