"""Fills a warehouse with raw rows that are made in SQL, and builds the marts that stand on them."""

from typing import Any

import psycopg

from tests.marts import dbt

SAMPLES_OF_AN_EVAL = 500
EVALS_OF_A_TASK = 10
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
# A batch is evals from a number on; history is the batch from 1. A task is run by ten models, then by one more.
_IMPORTS = """
insert into raw.eval_import (eval_id, eval_set_id, location, etag, size_bytes, last_modified, log_status, sample_count,
    message_count, event_count, seconds, first_imported_at, imported_at)
select 'eval-' || number, 'set-' || number / 20, 's3://logs/eval-' || number, '', 1, now(), 'success', %(samples)s,
    0, 0, 1, now(), now()
from generate_series(%(first)s::int, %(last)s::int) as number
"""
_BATCH = """
create temporary table batch on commit drop as
select *, substr(eval_id, 6)::int as number from raw.eval_import
where substr(eval_id, 6)::int between %(first)s::int and %(last)s::int
"""
_EVALS = """
insert into raw.eval (import_id, eval_id, eval_set_id, task_id, task_name, model, status, is_invalidated, location,
    created_at, started_at, completed_at, results)
select import_id, eval_id, eval_set_id, eval_id, 'task-' || mod(number, %(tasks)s::int),
    'lab/' || case when number = %(few)s::int then 'few' when mod(number, 2) = 0 then 'half-a' else 'half-b' end
        || '-' || mod(number / %(tasks)s::int, %(models)s::int),
    'success', false, location, now() - number * interval '1 min', now() - number * interval '1 min',
    now() - number * interval '50 s', '{"scores": [{"name": "match", "scorer": "match", "metrics": {}}]}'
from batch
"""
_SAMPLES = """
insert into raw.sample (import_id, sample_uuid, eval_id, sample_id, epoch, input_text, output_text, target,
    is_invalidated, is_complete, total_seconds, working_seconds, message_count, event_count, model_call_count,
    tool_call_count,
    input_tokens, output_tokens, total_tokens, started_at, completed_at)
select import_id, md5(eval_id || '-' || sample), eval_id, sample::text, 1, repeat(md5(sample::text), 8),
    repeat(md5(eval_id), 8), '"yes"', false, true, 20 + mod(hashtext(eval_id || sample), 1000) / 50.0, 20,
    8 + mod(sample, 40), 12, 3, 2, 900, 300, 1200 + mod(hashtext(eval_id || sample), 1000), now(),
    now() - sample * interval '1 s' - mod(number, 10000) * interval '50 s'
from batch, generate_series(1, %(samples)s::int) as sample
"""
_OWNERS = """
insert into raw.sample_owner
select sample_uuid, sample.eval_id, import_id, now() from raw.sample inner join batch using (import_id)
"""
_SCORES = """
insert into raw.score (import_id, sample_uuid, scorer, score_index, value, value_number, is_intermediate)
select import_id, sample_uuid, 'match', 0, '"C"', (hashtext(sample_uuid) & 1)::float8, false
from raw.sample inner join batch using (import_id)
"""
_USAGES = """
insert into raw.sample_model_usage (import_id, sample_uuid, model, input_tokens, output_tokens, total_tokens)
select import_id, sample_uuid, eval.model, 900, 300, 1200
from raw.sample inner join batch using (import_id) inner join raw.eval as eval using (import_id)
"""
_EVENTS = """
insert into raw.event (import_id, sample_uuid, event_index, kind, started_at, completed_at, working_seconds, model,
    tool_name, input_tokens, output_tokens, total_tokens)
select import_id, sample_uuid, place, case when place < 3 then 'model' else 'tool' end, now(), now(), 4,
    case when place < 3 then eval.model end, case when place >= 3 then 'bash' end, 300, 100, 400
from raw.sample inner join batch using (import_id) inner join raw.eval as eval using (import_id),
    generate_series(0, 4) as place
"""


def add_evals(database_url: str, *, first: int, last: int, evals: int) -> None:
    """Make the raw rows of evals with these numbers; `evals`, the size of the history, decides on the tasks."""
    values: dict[str, Any] = {
        "first": first,
        "last": last,
        "few": evals,
        "tasks": max(evals // EVALS_OF_A_TASK, 2),
        "samples": SAMPLES_OF_AN_EVAL,
        "models": MODELS_OF_A_GROUP,
    }
    with psycopg.connect(database_url) as connection:
        for statement in (_IMPORTS, _BATCH, _EVALS, _SAMPLES, _OWNERS, _SCORES, _USAGES, _EVENTS):
            connection.execute(statement.encode(), values)


def seed(database_url: str, *, samples: int) -> None:
    """Make so many samples, each with a score, three model calls and two tool calls, and the marts of them."""
    evals = samples // SAMPLES_OF_AN_EVAL
    with psycopg.connect(database_url) as connection:
        connection.execute(_REGISTRY.encode(), {"models": MODELS_OF_A_GROUP})
    add_evals(database_url, first=1, last=evals, evals=evals)
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("vacuum (analyze)")
    assert set(dbt(database_url, "run").values()) <= {"success"}
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute("vacuum (analyze)")
