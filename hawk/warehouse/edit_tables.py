"""The tables of edits of logs: who asked for what, who agreed, and what came of it; they are never deleted."""

from sqlalchemy import Column, DateTime, ForeignKey, Integer, Table, Text
from sqlalchemy.dialects.postgresql import JSONB

from hawk.naming import OPS_SCHEMA
from hawk.warehouse.tables import metadata

# One row per request, of one person, for any number of samples.
edit_request = Table(
    "edit_request",
    metadata,
    Column("edit_request_id", Text, primary_key=True),
    Column("created_by", Text, nullable=False, index=True),
    Column("email", Text),
    # waiting_for_approval -> accepted | rejected; accepted -> running -> applied | partly_applied | failed
    Column("state", Text, nullable=False),
    Column("edit_count", Integer, nullable=False),
    Column("log_count", Integer, nullable=False),
    Column("decided_by", Text),  # who approved or rejected it, where a second person has to
    Column("decision_reason", Text, nullable=False, server_default=""),
    Column("decided_at", DateTime(timezone=True)),
    Column("dagster_run_id", Text),
    Column("created_at", DateTime(timezone=True), nullable=False),
    Column("state_changed_at", DateTime(timezone=True), nullable=False),
    schema=OPS_SCHEMA,
)

# One row per log that a request edits; all of its edits come to be in the log, or none.
edit_log = Table(
    "edit_log",
    metadata,
    Column(
        "edit_request_id",
        Text,
        ForeignKey(f"{OPS_SCHEMA}.edit_request.edit_request_id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("eval_set_id", Text, primary_key=True, index=True),
    Column("log", Text, primary_key=True),  # its name in the set's folder
    Column("eval_id", Text, nullable=False),
    Column("job_id", Text, nullable=False, index=True),  # of the runner job; a set's logs share one
    Column("edits", JSONB, nullable=False),  # hawk.log_edits.PlacedEdit, in order
    Column("edit_count", Integer, nullable=False),
    Column("state", Text, nullable=False),  # waiting -> applied | failed
    Column("reason", Text, nullable=False, server_default=""),
    Column("etag_before", Text),
    Column("etag_after", Text),
    Column("metrics", Text, nullable=False, server_default="untouched"),  # untouched | recomputed | kept
    Column("metrics_reason", Text, nullable=False, server_default=""),
    Column("tries", Integer, nullable=False, server_default="0"),
    Column("settled_at", DateTime(timezone=True)),
    schema=OPS_SCHEMA,
)
