"""Imports write without checks by row, events lie in a partition a month, and messages can be searched."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

TABLES_OF_IMPORTS = (
    "eval", "eval_metric", "eval_model_role", "eval_model_usage", "sample", "sample_model_usage", "score", "message",
    "event", "event_pool", "attachment",
)  # fmt: skip
JSON_OF_TRANSCRIPTS = {
    "message": ("content", "tool_calls", "tool_error", "metadata", "other"),
    "event": ("data",),
    "event_pool": ("data",),
}
PARTITIONED = ("event", "event_pool")

# Year and month first: an import's id says in which partition its events are. Ten digits are left for its number.
NEXT_IMPORT_ID = """
create function raw.next_import_id() returns bigint language sql volatile as $$
    select to_char(now() at time zone 'UTC', 'YYYYMM')::bigint * 10000000000 + nextval('raw.import_number')
$$
"""
FIRST_ID_WITH_A_MONTH = 10**15

DELETE_ROWS = """
create function raw.delete_rows_of_import() returns trigger language plpgsql as $$
begin
    {deletes}
    return null;
end
$$
"""
TRIGGER = """
create trigger rows_go_with_their_import after delete on raw.eval_import
for each row execute function raw.delete_rows_of_import()
"""

# A tsvector holds a megabyte at most; of a text with more words than that, its first half is taken, or a quarter, ...
SEARCHABLE_WORDS = """
create function raw.searchable_words(source text) returns tsvector language plpgsql immutable parallel safe as $$
declare
    part text := left(source, 500000);
begin
    loop
        begin
            return to_tsvector('simple', part);
        exception when program_limit_exceeded then
            part := left(part, length(part) / 2);
        end;
    end loop;
end
$$
"""


def upgrade() -> None:
    for table in TABLES_OF_IMPORTS:
        op.drop_constraint(f"fk_{table}_import_id", table, schema="raw", type_="foreignkey")
    op.drop_index("ix_sample_owner_import_id", table_name="sample_owner", schema="raw")
    _keep_transcripts_as_logged()
    _number_imports_by_month()
    for table in PARTITIONED:
        _partition(table)
    op.add_column("eval_import", sa.Column("damage", sa.Text(), nullable=True), schema="raw")
    op.add_column(
        "eval_import", sa.Column("events_dropped_at", sa.DateTime(timezone=True), nullable=True), schema="raw"
    )
    for column in ("is_forced", "is_begun"):
        op.add_column(
            "log_inbox", sa.Column(column, sa.Boolean(), server_default="false", nullable=False), schema="ops"
        )
    _make_search()
    _make_retention()
    tables = (*TABLES_OF_IMPORTS, "message_search", "search_queue")
    deletes = "\n    ".join(
        f"delete from raw.{table} where import_id = old.import_id;"  # noqa: S608  # tables of ours
        for table in tables
    )
    op.execute(DELETE_ROWS.format(deletes=deletes))
    op.execute(TRIGGER)


def downgrade() -> None:
    raise NotImplementedError("Events would have to be copied back into one table; restore a backup instead.")


def _keep_transcripts_as_logged() -> None:
    for table, columns in JSON_OF_TRANSCRIPTS.items():
        changes = ", ".join(f"alter column {column} type json using {column}::text::json" for column in columns)
        op.execute(f"alter table raw.{table} {changes}")


def _number_imports_by_month() -> None:
    op.execute("alter table raw.eval_import alter column import_id drop identity")
    op.execute("create sequence raw.import_number as bigint maxvalue 9999999999 cycle")
    op.execute(NEXT_IMPORT_ID)
    op.execute("alter table raw.eval_import alter column import_id set default raw.next_import_id()")


def _partition(table: str) -> None:
    earliest = f"{table}_earliest"
    op.execute(f"alter table raw.{table} rename to {earliest}")
    op.execute(f"alter index raw.pk_{table} rename to pk_{earliest}")
    op.execute(
        f"create table raw.{table} (like raw.{earliest} including defaults including comments including compression)"
        " partition by range (import_id)"
    )
    keys = {"event": "event_index", "event_pool": "pool, pool_index"}
    op.execute(f"alter table raw.{table} add constraint pk_{table} primary key (import_id, sample_uuid, {keys[table]})")
    op.execute(
        f"alter table raw.{table} attach partition raw.{earliest}"
        f" for values from (minvalue) to ({FIRST_ID_WITH_A_MONTH})"
    )


def _make_search() -> None:
    op.create_table(
        "message_search",
        sa.Column("import_id", sa.BigInteger(), nullable=False),
        sa.Column("sample_uuid", sa.Text(), nullable=False),
        sa.Column("message_index", sa.Integer(), nullable=False),
        sa.Column("words", postgresql.TSVECTOR(), nullable=False),
        schema="raw",
    )
    op.create_index("ix_message_search_import_id", "message_search", ["import_id"], schema="raw")
    op.create_index("ix_message_search_words", "message_search", ["words"], schema="raw", postgresql_using="gin")
    op.create_table(
        "search_queue",
        sa.Column("import_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("message_count", sa.Integer(), nullable=False),
        sa.Column("indexed_count", sa.Integer(), server_default="0", nullable=False),
        sa.Column("after_sample_uuid", sa.Text(), server_default="", nullable=False),
        sa.Column("after_message_index", sa.Integer(), server_default="-1", nullable=False),
        sa.Column("queued_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("import_id", name=op.f("pk_search_queue")),
        schema="raw",
    )
    op.execute(SEARCHABLE_WORDS)
    op.execute(
        "insert into raw.search_queue (import_id, message_count, queued_at)"
        " select import_id, message_count, now() from raw.eval_import where log_status <> 'started'"
    )


def _make_retention() -> None:
    op.create_table(
        "retention_drop",
        sa.Column("retention_drop_id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("table_name", sa.Text(), nullable=False),
        sa.Column("partition_name", sa.Text(), nullable=False),
        sa.Column("retention_days", sa.Double(), nullable=False),
        sa.Column("import_count", sa.Integer(), nullable=False),
        sa.Column("eval_set_count", sa.Integer(), nullable=False),
        sa.Column("event_count", sa.BigInteger(), nullable=False),
        sa.Column("size_bytes", sa.BigInteger(), nullable=False),
        sa.Column("last_imported_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("dropped_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("retention_drop_id", name=op.f("pk_retention_drop")),
        schema="ops",
    )
