"""Tables of who may do what, and of who did: groups of benchmarks, the audit."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Boolean,
    CheckConstraint,
    Column,
    DateTime,
    Identity,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from hawk.naming import OPS_SCHEMA
from hawk.warehouse.tables import metadata

# Which group one must hold to run a benchmark (a task package). One that is not here is open, unlike a model.
benchmark_group = Table(
    "benchmark_group",
    metadata,
    Column("benchmark", Text, primary_key=True),  # canonical, as distributions are compared: inspect-evals
    Column("model_group", Text, nullable=False),
    schema=OPS_SCHEMA,
)

# One row per act or denial. Append-only: a trigger refuses to change, delete or truncate.
audit = Table(
    "audit",
    metadata,
    Column("audit_id", BigInteger, Identity(), primary_key=True),
    Column("occurred_at", DateTime(timezone=True), nullable=False, server_default=text("clock_timestamp()")),
    Column("door", Text, nullable=False),  # api | broker | dagster
    Column("action", Text, nullable=False),  # eval_set.launch; see hawk/audit.py
    Column("outcome", Text, CheckConstraint("outcome in ('allowed', 'denied')"), nullable=False),
    Column("subject", Text),  # null: not signed in
    Column("email", Text),
    Column("principal_kind", Text),  # user | job
    Column("object_kind", Text, nullable=False, server_default=""),
    Column("object_id", Text, nullable=False, server_default=""),
    Column("client_address", Text, nullable=False, server_default=""),
    Column("request_id", Text, nullable=False, server_default=""),
    Column("detail", JSONB, nullable=False, server_default="{}"),
    Index("ix_audit_subject", "subject", "audit_id"),
    Index("ix_audit_object_id", "object_id", "audit_id"),
    schema=OPS_SCHEMA,
)

# One row per launch through Dagster's door: on whose behalf its run acts. Dagster has only the stamp, a tag of the run.
launch_stamp = Table(
    "launch_stamp",
    metadata,
    Column("stamp", Text, primary_key=True),
    Column("subject", Text, nullable=False),
    Column("email", Text),
    Column("permissions", ARRAY(Text), nullable=False),
    Column("is_admin", Boolean, nullable=False),
    Column("config", JSONB),  # the launchpad's YAML, which readers of Dagster's pages need not see
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    schema=OPS_SCHEMA,
)

# One row per browser that looks at logs: first a code for one use, then a session until its person's token ends.
browser_session = Table(
    "browser_session",
    metadata,
    Column("browser_session_id", BigInteger, Identity(), primary_key=True),
    Column("code_hash", LargeBinary, unique=True),  # SHA-256; null once it was exchanged
    Column("code_until", DateTime(timezone=True), nullable=False),
    Column("token_hash", LargeBinary, unique=True),  # SHA-256 of the cookie's value
    Column("subject", Text, nullable=False),
    Column("email", Text),
    Column("permissions", ARRAY(Text), nullable=False),
    Column("is_admin", Boolean, nullable=False),
    Column("until", DateTime(timezone=True), nullable=False),
    Column("created_at", DateTime(timezone=True), nullable=False, server_default=text("now()")),
    schema=OPS_SCHEMA,
)

# One row per different answer to the question who may see an eval; rows of evals have its id. Ids begin with 0 and are
# looked up as bits. `required_groups` follows the registry, see row_security.sql.
access_set = Table(
    "access_set",
    metadata,
    Column("access_set_id", Integer, Identity(start=0, minvalue=0), primary_key=True),
    Column("fingerprint", Text, nullable=False, unique=True),
    Column("model_names", ARRAY(Text), nullable=False),
    Column("other_groups", ARRAY(Text), nullable=False),  # of benchmarks, and what a set declared besides
    Column("required_groups", ARRAY(Text), nullable=False),
    schema=OPS_SCHEMA,
)

# One row per person with a Postgres role of his own, and until when he has the groups that the identity provider said.
sql_user = Table(
    "sql_user",
    metadata,
    Column("subject", Text, primary_key=True),
    Column("role_name", Text, nullable=False, unique=True),
    Column("model_groups", ARRAY(Text), nullable=False),
    Column("confirmed_at", DateTime(timezone=True), nullable=False),
    Column("confirmed_until", DateTime(timezone=True), nullable=False),
    schema=OPS_SCHEMA,
)
