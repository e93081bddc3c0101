"""A function finds messages by their words, and imports of running evals know how far those had come."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# The one place where words are looked up: whoever may not see everything is given this function and not the table.
FIND_MESSAGES = """
create function raw.find_messages(
    wanted tsquery, of_eval_sets text[], after_import bigint, after_sample text, after_message integer,
    most_of_a_sample integer, most integer
) returns table (import_id bigint, sample_uuid text, message_index integer)
language sql stable as $$
    select hits.import_id, hits.sample_uuid, hits.message_index
    from (
        select search.import_id, search.sample_uuid, search.message_index,
            row_number() over (
                partition by search.import_id, search.sample_uuid order by search.message_index
            ) as place
        from raw.message_search as search
        where search.words @@ wanted
            and (after_import is null or search.import_id <= after_import)
            and (
                of_eval_sets is null
                or search.import_id in (
                    select known.import_id from raw.eval_import as known where known.eval_set_id = any(of_eval_sets)
                )
            )
    ) as hits
    where hits.place <= most_of_a_sample
        and (
            after_import is null
            or hits.import_id < after_import
            or (hits.sample_uuid, hits.message_index) > (after_sample, after_message)
        )
    order by hits.import_id desc, hits.sample_uuid, hits.message_index
    limit most
$$
"""


def upgrade() -> None:
    op.execute(FIND_MESSAGES)
    op.add_column("eval_import", sa.Column("buffer_version", sa.Text(), nullable=True), schema="raw")


def downgrade() -> None:
    op.drop_column("eval_import", "buffer_version", schema="raw")
    op.execute("drop function raw.find_messages")
