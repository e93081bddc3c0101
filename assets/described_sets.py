"""Which eval sets everybody who sees Dagster may read of; of the others only ids, states and counts are shown."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from psycopg import Connection
from psycopg.rows import DictRow

from hawk.settings import OrchestrationSettings

# Names of files have tasks in them, and reasons quote what logs hold.
TELLING = frozenset({"log", "task", "task_name", "reason", "why", "remark", "error_message"})
NOT_SHOWN = "not shown here"

_DESCRIBED = """
select eval_set_id from ops.eval_set
where eval_set_id = any(%(ids)s) and model_groups <> '{}' and model_groups <@ %(groups)s::text[]
"""


def shown_rows(
    connection: Connection[DictRow], settings: OrchestrationSettings, rows: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """Return the rows, each with an `eval_set_id`, without what tells of sets that not all readers may know of."""
    described = described_sets(connection, settings, (row["eval_set_id"] for row in rows))
    return [
        {
            name: NOT_SHOWN if name in TELLING and value and row["eval_set_id"] not in described else value
            for name, value in row.items()
        }
        for row in rows
    ]


def described_sets(
    connection: Connection[DictRow], settings: OrchestrationSettings, eval_set_ids: Iterable[str]
) -> frozenset[str]:
    """Return those of the sets whose groups all readers of Dagster hold."""
    values = {"ids": sorted(set(eval_set_ids)), "groups": list(settings.dagster_described_groups)}
    return frozenset(row["eval_set_id"] for row in connection.execute(_DESCRIBED, values))
