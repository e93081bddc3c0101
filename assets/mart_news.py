"""Whether the marts lack anything that no import of a log would bring: how eval sets have ended since."""

from psycopg import Connection
from psycopg.rows import DictRow

from hawk.naming import MARTS_SCHEMA

_IS_BUILT = f"select to_regclass('{MARTS_SCHEMA}.dim_eval_set') is not null as is_built"
_IS_BEHIND = f"""
select exists (
    select 1 from ops.eval_set as known
    left join {MARTS_SCHEMA}.dim_eval_set as shown on shown.eval_set_id = known.eval_set_id
    where (shown.status, shown.status_reason, shown.model_groups)
        is distinct from (known.status, known.status_reason, known.model_groups)
) as is_behind
"""  # noqa: S608  # a name of ours


def marts_lack_news_of_sets(connection: Connection[DictRow]) -> bool:
    """Say whether the marts show an eval set otherwise than it is now, or not at all."""
    built = connection.execute(_IS_BUILT).fetchone()
    if not built or not built["is_built"]:
        return True
    behind = connection.execute(_IS_BEHIND).fetchone()
    return bool(behind and behind["is_behind"])
