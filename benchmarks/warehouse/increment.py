"""Measures what a batch of 20 logs costs the marts on top of a million samples, and of a tenth of them.

`python -m benchmarks.warehouse.increment [--samples 1000000]` seeds servers of its own; ends with one line of JSON. The
seconds are those of `dbt run` in a process that has parsed the project, the middle of three batches.
"""

import argparse
import json
import statistics
import sys
import tempfile
import time
from pathlib import Path

from benchmarks.warehouse.seed import SAMPLES_OF_AN_EVAL, add_evals, seed
from hawk.dev.postgres import EmbeddedPostgres
from hawk.warehouse.migrate import migrate
from tests.marts import dbt

BATCH = 20
BATCHES = 3


def main() -> None:
    """Seed both, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--samples", type=int, default=1_000_000)
    whole = parser.parse_args().samples
    seconds = {samples: increment_seconds(samples) for samples in (whole // 10, whole)}
    result = {
        "benchmark": "warehouse-increment",
        "samples": whole,
        "increment_seconds": seconds[whole],
        "increment_seconds_at_tenth": seconds[whole // 10],
    }
    _say(json.dumps(result))


def increment_seconds(samples: int) -> float:
    """Return the seconds in which a batch reaches the marts of a warehouse with so many samples."""
    evals, times = samples // SAMPLES_OF_AN_EVAL, []
    with tempfile.TemporaryDirectory() as folder:
        server = EmbeddedPostgres(Path(folder) / "postgres")
        server.start()
        try:
            migrate(server.url)
            began = time.perf_counter()
            seed(server.url, samples=samples)
            _say(f"{samples:,} samples and their marts: made in {time.perf_counter() - began:.0f} s")
            for first in range(evals + 1, evals + 1 + BATCH * BATCHES, BATCH):
                add_evals(server.url, first=first, last=first + BATCH - 1, evals=evals)
                began = time.perf_counter()
                statuses = dbt(server.url, "run")
                times.append(round(time.perf_counter() - began, 2))
                assert set(statuses.values()) <= {"success"}, statuses
        finally:
            server.delete()
    _say(f"{samples:,} samples: batches in {times} s")
    return statistics.median(times)


def _say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


if __name__ == "__main__":
    main()
