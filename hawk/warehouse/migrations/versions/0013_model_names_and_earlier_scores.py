"""Models have canonical names, and scores that a newer version of a log lacks are kept as history."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

TABLES_OF_IMPORTS = (
    "eval", "eval_metric", "eval_model", "eval_model_role", "eval_model_usage", "sample", "sample_model_usage", "score",
    "earlier_score", "message", "event", "event_pool", "attachment", "message_search", "search_queue",
)  # fmt: skip

DELETE_ROWS = """
create or replace function raw.delete_rows_of_import() returns trigger language plpgsql as $$
begin
    {deletes}
    return null;
end
$$
"""
# What was called is not looked for in events that are imported already; importing a log anew finds it.
MODELS_OF_IMPORTS = """
insert into raw.eval_model (import_id, model, model_name)
select import_id, model, case when model like '%/%' then substr(model, strpos(model, '/') + 1) else model end
from (
    select import_id, model from raw.eval
    union
    select import_id, model from raw.eval_model_role
    union
    select import_id, model from raw.eval_model_usage
    union
    select import_id, model from raw.sample_model_usage
) as named
where model <> ''
"""


def upgrade() -> None:
    op.create_table(
        "eval_model",
        sa.Column("import_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("model_name", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("import_id", "model", name=op.f("pk_eval_model")),
        schema="raw",
    )
    op.create_table(
        "earlier_score",
        sa.Column("import_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("sample_uuid", sa.Text(), nullable=False),
        sa.Column("scorer", sa.Text(), nullable=False),
        sa.Column("score_index", sa.Integer(), nullable=False),
        sa.Column("value", postgresql.JSONB(), nullable=True),
        sa.Column("value_number", sa.Double(), nullable=True),
        sa.Column("answer", sa.Text(), nullable=True),
        sa.Column("explanation", sa.Text(), nullable=True),
        sa.Column("is_intermediate", sa.Boolean(), nullable=False),
        sa.Column("metadata", postgresql.JSONB(), nullable=True),
        sa.Column("history", postgresql.JSONB(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.Column("other", postgresql.JSONB(), nullable=True),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("import_id", "sample_uuid", "scorer", "score_index", name=op.f("pk_earlier_score")),
        schema="raw",
    )
    deletes = "\n    ".join(
        f"delete from raw.{table} where import_id = old.import_id;"  # noqa: S608  # tables of ours
        for table in TABLES_OF_IMPORTS
    )
    op.execute(DELETE_ROWS.format(deletes=deletes))
    op.execute(MODELS_OF_IMPORTS)


def downgrade() -> None:
    raise NotImplementedError("Scores that were kept would be lost; restore a backup instead.")
