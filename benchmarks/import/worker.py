"""Imports what waits in the inbox, as a process of its own, and prints how long that took and how large it became.

python worker.py disk|s3       (HAWK_DATABASE_URL and the settings of S3 say where; begins at a line on stdin)
"""

import json
import resource
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
from psycopg.rows import dict_row

from hawk.object_store import s3_client
from hawk.settings import DatabaseSettings, ObjectStoreSettings
from hawk.warehouse import inbox
from hawk.warehouse.importer import ImportOutcome, import_from, import_log
from hawk.warehouse.reader import open_file

CLAIMED_AT_ONCE = 2  # as the product's workers do where there are several


def outcomes(connection: psycopg.Connection[dict[str, Any]], source: str) -> Iterator[ImportOutcome]:
    s3 = s3_client(ObjectStoreSettings()) if source == "s3" else None
    while entries := inbox.claim_batch(connection, CLAIMED_AT_ONCE):
        for entry in entries:
            if s3 is not None:
                yield import_log(connection, s3, entry)
            else:
                yield import_from(connection, lambda path=Path("/", entry.key): open_file(path), entry)


def main() -> None:
    url = DatabaseSettings().database_url.get_secret_value()
    with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
        print("ready", flush=True)
        sys.stdin.readline()
        begun, cpu_begun = time.perf_counter(), time.process_time()
        files = rows = 0
        for outcome in outcomes(connection, sys.argv[1]):
            if outcome.state != "imported":
                raise SystemExit(f"{outcome.entry.key} was not imported: {outcome.reason}")
            files += 1
            rows += outcome.row_count
        seconds, cpu_seconds = time.perf_counter() - begun, time.process_time() - cpu_begun
    usage = resource.getrusage(resource.RUSAGE_SELF)
    rss_mb = usage.ru_maxrss / (1024 * 1024 if sys.platform == "darwin" else 1024)
    print(json.dumps({"seconds": seconds, "cpu_seconds": cpu_seconds, "files": files, "rows": rows, "rss_mb": rss_mb}))


if __name__ == "__main__":
    main()
