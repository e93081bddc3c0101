"""Keeps scores that an eval's earlier version had and its newest lacks: as history, beside the scores that count.

Part of the transaction that replaces a version. Scores of evals that still run are not kept: their end has them all.
"""

from typing import Any

import psycopg

from hawk.naming import RAW_SCHEMA
from hawk.warehouse.tables import score

_COLUMNS = ", ".join(column.name for column in score.columns if column.name != "import_id")
# Those of versions before the last one go along, unless the last one had the score again.
_CARRY_ON = f"update {RAW_SCHEMA}.earlier_score set import_id = %(new)s where import_id = %(old)s"  # noqa: S608  # names of ours
_KEEP = f"""
insert into {RAW_SCHEMA}.earlier_score (import_id, {_COLUMNS}, imported_at)
select %(new)s, {_COLUMNS}, (select imported_at from {RAW_SCHEMA}.eval_import where import_id = %(old)s)
from {RAW_SCHEMA}.score where import_id = %(old)s
"""  # noqa: S608  # names of ours
_DROP_THOSE_THAT_STAND = f"""
delete from {RAW_SCHEMA}.earlier_score as earlier
using {RAW_SCHEMA}.score as score
where earlier.import_id = %(new)s and score.import_id = %(new)s
  and (score.sample_uuid, score.scorer, score.score_index)
      = (earlier.sample_uuid, earlier.scorer, earlier.score_index)
"""  # noqa: S608  # names of ours


def keep_scores(connection: psycopg.Connection[Any], *, old_import_id: int, new_import_id: int) -> None:
    """Keep all scores of the version that is about to be deleted."""
    values = {"old": old_import_id, "new": new_import_id}
    connection.execute(_CARRY_ON, values)
    connection.execute(_KEEP, values)


def forget_scores_that_stand(connection: psycopg.Connection[Any], import_id: int) -> None:
    """Remove what was kept for a score that the new version has as well, when its rows are written."""
    connection.execute(_DROP_THOSE_THAT_STAND, {"new": import_id})
