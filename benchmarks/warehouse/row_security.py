"""What row security costs: queries of people who see all, half, 0.05 % and none, against the same without it.

`python -m benchmarks.warehouse.row_security [--samples 1000000] [--explain]` seeds a server of its own, and prints one
JSON line at the end. A query's time is the middle of five, as EXPLAIN (ANALYZE, BUFFERS) has it.
"""

import argparse
import json
import statistics
import sys
import tempfile
from pathlib import Path
from typing import Any

import psycopg

from benchmarks.warehouse.seed import GROUPS, seed
from hawk.dev.postgres import EmbeddedPostgres
from hawk.warehouse.migrate import migrate
from hawk.warehouse.reader_roles import reading_as

REPEATS = 5
# Over the whole table: what each row costs.
SCANS = {
    "scores by task and model": "select task_name, model, count(*), avg(score), sum(total_tokens) from marts.fct_sample"
    " where is_canonical group by 1, 2",
    "count of samples": "select count(*), avg(score) from marts.fct_sample",
    "samples joined to evals": "select eval.status, count(*) from marts.fct_sample as sample"
    " inner join marts.fct_eval as eval using (eval_id) group by 1",
    "raw samples": "select count(*), sum(total_tokens) from raw.sample",
}
# A page of a list, which names the access sets as the viewer may, so that the planner can count them.
PAGES = {
    "newest": "select sample_uuid from marts.fct_sample {where} order by completed_at desc nulls last limit 50",
    "of a task and model": "select sample_uuid from marts.fct_sample {where_and} task_name = 'task-2'"
    " and model = 'lab/half-a-2' order by completed_at desc nulls last limit 50",
}


def main() -> None:
    """Seed, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1_000_000)
    parser.add_argument("--explain", action="store_true", help="print every plan, too")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Path(folder) / "postgres")
        server.start()
        try:
            migrate(server.url)
            seed(server.url, samples=given.samples)
            with psycopg.connect(server.url, autocommit=True) as connection:
                result = measure(connection, explain=given.explain)
        finally:
            server.delete()
    _say(json.dumps({"benchmark": "row-security", "samples": given.samples, **result}))


def measure(connection: psycopg.Connection[Any], *, explain: bool) -> dict[str, Any]:
    """Return the worst ratio of whole scans, and the slowest page."""
    ratios, pages = {}, {}
    for name, query in SCANS.items():
        free = _milliseconds(connection, query, None, explain=explain)
        for person, groups in GROUPS.items():
            ratios[f"{name}, {person}"] = _milliseconds(connection, query, groups, explain=explain) / free
            _say(f"{name:28} {person:5} {ratios[f'{name}, {person}']:5.2f} of {free:8.1f} ms")
    for name, query in PAGES.items():
        for person, groups in GROUPS.items():
            with reading_as(connection, groups):
                row = connection.execute("select ops.visible_access_sets(current_user)").fetchone()
            sets = f"where access_set_id = any ('{{{','.join(map(str, row[0] if row else []))}}}')"
            named = query.format(where=sets, where_and=f"{sets} and")
            pages[f"{name}, {person}"] = _milliseconds(connection, named, groups, explain=explain)
            _say(f"{name:28} {person:5} {pages[f'{name}, {person}']:8.2f} ms")
    return {"rls_overhead_ratio": round(max(ratios.values()), 2), "slowest_page_ms": round(max(pages.values()), 2)}


def _milliseconds(connection: psycopg.Connection[Any], query: str, groups: list[str] | None, *, explain: bool) -> float:
    """Return how long planning and execution take, as somebody with these groups; None: above row security."""
    times = []
    for turn in range(REPEATS):
        explained = f"explain (analyze, buffers, timing off, format json) {query}".encode()
        if groups is None:
            row = connection.execute(explained).fetchone()
        else:
            with reading_as(connection, groups):
                row = connection.execute(explained).fetchone()
        plan = (row or [[{}]])[0][0]
        times.append(float(plan["Planning Time"]) + float(plan["Execution Time"]))
        if explain and turn == 0:
            _say(f"-- {query}\n-- groups {groups}\n{json.dumps(plan, indent=1)}")
    return statistics.median(times)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
