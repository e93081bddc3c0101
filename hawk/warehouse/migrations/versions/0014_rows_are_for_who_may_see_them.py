"""Every eval has an access set: the models and groups that decide who may see its rows.

The functions of who may see what are in hawk/warehouse/row_security.sql, which each migration brings up to date.
"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

# dbt refuses new columns of tables that it adds to; it builds them anew with the next import.
INCREMENTAL_MARTS = ("fct_sample", "fct_score", "fct_model_usage")


def upgrade() -> None:
    op.create_table(
        "access_set",
        sa.Column("access_set_id", sa.Integer(), sa.Identity(always=False, start=0, minvalue=0), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("model_names", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("other_groups", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("required_groups", sa.ARRAY(sa.Text()), nullable=False),
        sa.PrimaryKeyConstraint("access_set_id", name=op.f("pk_access_set")),
        sa.UniqueConstraint("fingerprint", name=op.f("uq_access_set_fingerprint")),
        schema="ops",
    )
    op.create_table(
        "sql_user",
        sa.Column("subject", sa.Text(), nullable=False),
        sa.Column("role_name", sa.Text(), nullable=False),
        sa.Column("model_groups", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("confirmed_until", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("subject", name=op.f("pk_sql_user")),
        sa.UniqueConstraint("role_name", name=op.f("uq_sql_user_role_name")),
        schema="ops",
    )
    op.add_column("eval_import", sa.Column("access_set_id", sa.Integer(), nullable=True), schema="raw")
    op.create_index("ix_eval_import_access_set_id", "eval_import", ["access_set_id"], schema="raw")
    op.add_column("eval_set", sa.Column("access_set_id", sa.Integer(), nullable=True), schema="ops")
    op.add_column(
        "eval_set",
        sa.Column("other_groups", sa.ARRAY(sa.Text()), server_default="{}", nullable=False),
        schema="ops",
    )
    for mart in INCREMENTAL_MARTS:
        op.execute(f"drop table if exists marts.{mart} cascade")


def downgrade() -> None:
    op.drop_column("eval_set", "other_groups", schema="ops")
    op.drop_column("eval_set", "access_set_id", schema="ops")
    op.drop_column("eval_import", "access_set_id", schema="raw")
    op.drop_table("sql_user", schema="ops")
    op.drop_table("access_set", schema="ops")
