"""Fills a warehouse with raw rows that are made in SQL, and builds the marts that stand on them."""

from typing import Any

import psycopg

from tests.marts import dbt

SAMPLES_OF_AN_EVAL = 500
# Who sees which share of the samples, by the groups held. An eval's number decides on its group.
GROUPS = {
    "all": ["half-a", "half-b", "few"],
    "half": ["half-a"],
    "few": ["few"],  # one eval of two thousand: 0.05 %
    "none": [],
}
MODELS_OF_A_GROUP = 20

_REGISTRY = """
insert into ops.model_group
select 'lab/' || model_group || '-' || number, model_group
from unnest(array['half-a', 'half-b', 'few']) as model_group, generate_series(0, %(models)s - 1) as number
"""
_IMPORTS = """
insert into raw.eval_import (eval_id, eval_set_id, location, etag, size_bytes, last_modified, log_status, sample_count,
    message_count, event_count, seconds, first_imported_at, imported_at)
select 'eval-' || number, 'set-' || number / 20, 's3://logs/eval-' || number, '', 1, now(), 'success', %(samples)s,
    0, 0, 1, now(), now()
from generate_series(1, %(evals)s) as number
"""
_EVALS = """
insert into raw.eval (import_id, eval_id, eval_set_id, task_id, task_name, model, status, is_invalidated, location,
    created_at, started_at, completed_at, results)
select import_id, eval_id, eval_set_id, eval_id, 'task-' || mod(number, 30),
    'lab/' || case when number = %(evals)s then 'few' when mod(number, 2) = 0 then 'half-a' else 'half-b' end
        || '-' || mod(number, %(models)s),
    'success', false, location, now() - number * interval '1 min', now() - number * interval '1 min',
    now() - number * interval '50 s', '{"scores": [{"name": "match", "scorer": "match", "metrics": {}}]}'
from (select *, substr(eval_id, 6)::int as number from raw.eval_import) as imported
"""
_SAMPLES = """
insert into raw.sample (import_id, sample_uuid, eval_id, sample_id, epoch, input_text, output_text, target,
    is_invalidated, is_complete, total_seconds, working_seconds, message_count, event_count, model_call_count,
    tool_call_count,
    input_tokens, output_tokens, total_tokens, started_at, completed_at)
select import_id, md5(eval_id || '-' || number), eval_id, number::text, 1, repeat(md5(number::text), 8),
    repeat(md5(eval_id), 8), '"yes"', false, true, 30, 20, 8, 12, 3, 2, 900, 300, 1200, now(),
    now() - number * interval '1 s'
        - mod(import_id, 10000) * interval '50 s'
from raw.eval_import, generate_series(1, %(samples)s) as number
"""
_OWNERS = """
insert into raw.sample_owner select sample_uuid, eval_id, import_id, now() from raw.sample
"""
_SCORES = """
insert into raw.score (import_id, sample_uuid, scorer, score_index, value, value_number, is_intermediate)
select import_id, sample_uuid, 'match', 0, '"C"', (hashtext(sample_uuid) & 1)::float8, false from raw.sample
"""


def seed(database_url: str, *, samples: int) -> None:
    """Make so many samples with a score each, and the marts of evals and samples."""
    values: dict[str, Any] = {
        "evals": samples // SAMPLES_OF_AN_EVAL,
        "samples": SAMPLES_OF_AN_EVAL,
        "models": MODELS_OF_A_GROUP,
    }
    with psycopg.connect(database_url) as connection:
        for statement in (_REGISTRY, _IMPORTS, _EVALS, _SAMPLES, _OWNERS, _SCORES):
            connection.execute(statement.encode(), values)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("vacuum (analyze)")
    assert set(dbt(database_url, "run", "--select", "+fct_eval").values()) <= {"success"}
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("vacuum (analyze) marts.fct_sample")
