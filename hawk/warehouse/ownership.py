"""Which log's copy of a sample counts, where several logs hold the same uuid; dbt decides among attempts.

The winner is the eval that completed last (not yet completed lowest), then the one created last, then the higher id;
but one that has only a sample's summary never wins over one that has all of it.

Every import decides anew for the samples it adds or takes away, in two steps. First it locks their rows, in the order
of uuids so that two imports never wait for each other: a uuid that nobody has yet becomes its own, and one that
another import is about to take makes it wait until that one has committed. Then it decides from what is committed.
So imports in any order, and at once, end in the same state, and those that share no samples do not wait.
"""

from typing import Any

import psycopg
from psycopg.rows import tuple_row

_LOCK = """
with affected as (
    select sample_uuid from raw.sample where import_id = %(import_id)s
    union
    select sample_uuid from raw.sample_owner where eval_id = %(eval_id)s
),
taken as (
    insert into raw.sample_owner as owner (sample_uuid, eval_id, import_id, decided_at)
    select sample_uuid, %(eval_id)s, %(import_id)s, now() from affected order by sample_uuid
    on conflict (sample_uuid) do update set decided_at = owner.decided_at where false
    returning 1
)
select (select count(*) from affected) = (select count(*) from taken)
"""
_DECIDE = """
with affected as (
    select sample_uuid from raw.sample where import_id = %(import_id)s
    union
    select sample_uuid from raw.sample_owner where eval_id = %(eval_id)s
),
winner as (
    select distinct on (sample.sample_uuid) sample.sample_uuid, eval.eval_id, eval.import_id
    from affected
    join raw.sample as sample on sample.sample_uuid = affected.sample_uuid
    join raw.eval as eval on eval.import_id = sample.import_id
    order by
        sample.sample_uuid,
        sample.is_complete desc,
        eval.completed_at desc nulls last,
        eval.created_at desc nulls last,
        eval.eval_id desc
),
orphaned as (
    delete from raw.sample_owner as owner
    where owner.eval_id = %(eval_id)s
      and not exists (select 1 from winner where winner.sample_uuid = owner.sample_uuid)
)
insert into raw.sample_owner as owner (sample_uuid, eval_id, import_id, decided_at)
select sample_uuid, eval_id, import_id, now() from winner
on conflict (sample_uuid) do update
set eval_id = excluded.eval_id, import_id = excluded.import_id, decided_at = excluded.decided_at
where (owner.eval_id, owner.import_id) is distinct from (excluded.eval_id, excluded.import_id)
"""


def decide_owners(connection: psycopg.Connection[Any], *, eval_id: str, import_id: int) -> None:
    """Decide for all samples that the import holds or that its eval held before.

    Needs the isolation level READ COMMITTED. The locks last until the transaction ends, so call it last.
    """
    values = {"eval_id": eval_id, "import_id": import_id}
    with connection.cursor(row_factory=tuple_row) as cursor:
        were_nobodys = cursor.execute(_LOCK, values).fetchone()
        if were_nobodys != (True,):
            cursor.execute(_DECIDE, values)
