"""Measures the importer against the floor, on the same logs and the same embedded Postgres, in turns.

    python benchmarks/import/run.py [--rounds 3] [--logs FOLDER] [--floor PROGRAM] [--json FILE]

Ends with one line of JSON: medians of wall times as ratios to the floor's, and what the targets are about. The floor
compresses large values with pglz, as Postgres does by itself. Times begin when a process is ready and end with its
last commit; sizes are those of whole processes that read from S3.
"""

import argparse
import contextlib
import json
import os
import platform
import statistics
import subprocess
import sys
import tempfile
import time
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import psutil
import psycopg
import zipfile_zstd  # noqa: F401  (teaches zipfile the method of Inspect's logs)
from logs import make_logs

from hawk.dev.object_store import EmbeddedObjectStore
from hawk.dev.postgres import EmbeddedPostgres
from hawk.object_store import s3_client
from hawk.settings import ObjectStoreSettings
from hawk.warehouse.migrate import migrate

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
CACHE_VARIABLE = "HAWK_BENCHMARK_CACHE"
FLOOR_OPTIONS = "?options=-c%20default_toast_compression%3Dpglz"
AT_MOST = {"M_to_floor": 1.5, "F20_to_floor": 1.5, "L_to_floor": 0.7, "L_rss_mb": 300, "L2_rss_mb": 300}
FILES_PER_S, SPEEDUP, CPU_BUSY = 25, 1.5, 0.85


@dataclass
class Run:
    """One measured import: by processes of ours, or by the floor."""

    seconds: float
    files: int
    rss_mb: float = 0.0
    cpu_busy: float = 0.0  # of all cores, by the importing processes and Postgres


@dataclass
class Stack:
    """The servers that imports are measured on."""

    database_url: str
    postgres: psutil.Process
    object_store: ObjectStoreSettings
    runs: dict[str, list[Run]] = field(default_factory=dict)

    def environment(self) -> dict[str, str]:
        secret = self.object_store.s3_secret_access_key
        return {
            **{name: value for name, value in os.environ.items() if not name.startswith("HAWK_")},
            "PYTHONPATH": str(REPOSITORY),
            "HAWK_DATABASE_URL": self.database_url,
            "HAWK_BUCKET": self.object_store.bucket,
            "HAWK_S3_ENDPOINT_URL": self.object_store.s3_endpoint_url or "",
            "HAWK_S3_REGION": self.object_store.s3_region,
            "HAWK_S3_ACCESS_KEY_ID": self.object_store.s3_access_key_id or "",
            "HAWK_S3_SECRET_ACCESS_KEY": secret.get_secret_value() if secret else "",
        }

    def note(self, name: str, run: Run) -> None:
        self.runs.setdefault(name, []).append(run)
        details = f"{run.rss_mb:5.0f} MB  {run.cpu_busy:4.0%} of all cores" if run.rss_mb else ""
        print(f"  {name:24} {run.seconds:7.2f} s  {run.files / run.seconds:6.1f} files/s  {details}", flush=True)

    def median(self, name: str) -> float:
        return statistics.median(run.seconds for run in self.runs[name])

    def ratio(self, kind: str) -> float:
        """Return how many times the floor's time an import takes."""
        return self.median(kind) / self.median(f"{kind} floor")


def main() -> None:
    arguments = _arguments()
    make_logs(arguments.logs)
    kinds = {kind: sorted((arguments.logs / kind).glob("*.eval")) for kind in ("M", "F20", "L", "L2", "F")}
    with _stack() as stack:
        _measure(stack, kinds, rounds=arguments.rounds, floor=arguments.floor)
        result = _result(stack)
        print("\n".join(_table(stack)))
        print(f"missed: {', '.join(_missed(result)) or 'nothing'}")
    if arguments.json:
        arguments.json.write_text(json.dumps(result) + "\n")
    print(json.dumps(result))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    cache = os.environ.get(CACHE_VARIABLE) or Path(tempfile.gettempdir()) / "hawk-benchmark-logs"
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--logs", type=Path, default=Path(cache), help=f"made there if missing (${CACHE_VARIABLE})")
    parser.add_argument("--floor", type=Path, default=HERE / "floor.py", help="another program that is the floor")
    parser.add_argument("--json", type=Path, help="where to write the last line too")
    return parser.parse_args()


@contextlib.contextmanager
def _stack() -> Iterator[Stack]:
    with tempfile.TemporaryDirectory(prefix="hawk-benchmark-") as folder:
        postgres, store = EmbeddedPostgres(Path(folder) / "postgres"), EmbeddedObjectStore(Path(folder) / "store")
        try:
            postgres.start()
            store.start()
            migrate(postgres.url)
            yield Stack(postgres.url, _server_process(postgres), store.settings())
        finally:
            store.delete()
            postgres.delete()


def _measure(stack: Stack, kinds: dict[str, list[Path]], *, rounds: int, floor: Path) -> None:
    for number in range(rounds):
        print(f"round {number + 1} of {rounds}")
        for kind in ("M", "F20", "L"):
            stack.note(f"{kind} floor", _floor(stack, floor, kinds[kind]))
            stack.note(kind, _import(stack, kinds[kind]))
        for workers in (1, 2):
            stack.note(f"F {workers} workers", _import(stack, kinds["F"], workers=workers))
    print("from S3")
    for kind in ("M", "L", "L2"):
        stack.note(f"{kind} from S3", _import(stack, kinds[kind], source="s3"))


def _floor(stack: Stack, program: Path, paths: Sequence[Path]) -> Run:
    _empty(stack)
    environment = {**stack.environment(), "LIMIT_DSN": stack.database_url + FLOOR_OPTIONS}
    command = [sys.executable, str(program), "copyidx", *map(str, paths)]
    result = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    said = json.loads(result.stdout.splitlines()[-1])
    return Run(seconds=said["wall_s"], files=len(paths))


def _import(stack: Stack, paths: Sequence[Path], *, workers: int = 1, source: str = "disk") -> Run:
    _empty(stack)
    keys = _upload(stack, paths) if source == "s3" else [str(path.resolve())[1:] for path in paths]
    _fill_inbox(stack, paths, keys)
    command = [sys.executable, str(HERE / "worker.py"), source]
    processes = [
        subprocess.Popen(command, env=stack.environment(), stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        for _ in range(workers)
    ]
    for process in processes:
        if process.stdout is None or process.stdout.readline() != "ready\n":
            raise SystemExit("A worker did not start.")
    before = _cpu_seconds(stack.postgres)
    for process in processes:
        if process.stdin is not None:
            process.stdin.write("\n")
            process.stdin.flush()
    said = [json.loads(process.communicate()[0]) for process in processes]
    time.sleep(0.5)  # until the server has noticed that its processes for them have ended
    cpu_seconds = _cpu_seconds(stack.postgres) - before + sum(each["cpu_seconds"] for each in said)
    if sum(each["files"] for each in said) != len(paths):
        raise SystemExit("Not every log was imported.")
    seconds = max(each["seconds"] for each in said)
    return Run(
        seconds=seconds,
        files=len(paths),
        rss_mb=max(each["rss_mb"] for each in said),
        cpu_busy=cpu_seconds / seconds / (psutil.cpu_count() or 1),
    )


def _server_process(postgres: EmbeddedPostgres) -> psutil.Process:
    with psycopg.connect(postgres.url) as connection:
        return psutil.Process(connection.info.backend_pid).parent() or psutil.Process()


def _cpu_seconds(server: psutil.Process) -> float:
    """Return what the server and all its processes have used, those that have ended too."""
    own = server.cpu_times()
    running = [child.cpu_times() for child in server.children()]
    return sum(times.user + times.system for times in (own, *running)) + own.children_user + own.children_system


def _empty(stack: Stack) -> None:
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        tables = connection.execute(
            "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname = 'raw'"
        ).fetchall()
        connection.execute(f"truncate ops.log_inbox, {', '.join(name for (name,) in tables)}".encode())
        connection.execute("drop schema if exists floor, lim cascade")
        connection.execute("vacuum")  # of the catalog, where dropped tables leave their rows
        connection.execute("checkpoint")


def _upload(stack: Stack, paths: Sequence[Path]) -> list[str]:
    s3 = s3_client(stack.object_store)
    keys = [f"evals/{_eval_set_id(path)}/{path.name}" for path in paths]
    for path, key in zip(paths, keys, strict=True):
        s3.upload_file(str(path), stack.object_store.bucket, key)
    return keys


def _fill_inbox(stack: Stack, paths: Sequence[Path], keys: Sequence[str]) -> None:
    s3 = s3_client(stack.object_store)
    with psycopg.connect(stack.database_url, autocommit=True) as connection:
        for path, key in zip(paths, keys, strict=True):
            is_on_s3 = key.startswith("evals/")
            head = s3.head_object(Bucket=stack.object_store.bucket, Key=key) if is_on_s3 else {"ETag": "1"}
            connection.execute(
                "insert into ops.log_inbox (bucket, key, etag, eval_set_id, size_bytes, last_modified, source, state,"
                " discovered_at, state_changed_at) values (%s, %s, %s, %s, %s, now(), 'import',"
                " 'pending', now(), now())",
                (stack.object_store.bucket, key, head["ETag"].strip('"'), _eval_set_id(path), path.stat().st_size),
            )


def _eval_set_id(path: Path) -> str:
    """Return the set that a log says it belongs to, or else any: it must lie in that set's folder."""
    with zipfile.ZipFile(path) as archive:
        metadata = json.loads(archive.read("header.json"))["eval"].get("metadata") or {}
    return str(metadata.get("eval_set_id", "bench"))


def _result(stack: Stack) -> dict[str, Any]:
    runs = stack.runs
    one, two = stack.median("F 1 workers"), stack.median("F 2 workers")
    return {
        "benchmark": "import",
        **{
            f"{kind}_to_floor": round(stack.median(kind) / stack.median(f"{kind} floor"), 2)
            for kind in ("M", "L", "F20")
        },
        "L_rss_mb": round(runs["L from S3"][0].rss_mb),
        "L2_rss_mb": round(runs["L2 from S3"][0].rss_mb),
        "F_files_per_s": round(runs["F 2 workers"][0].files / two, 1),
        "two_workers_speedup": round(one / two, 2),
        "one_worker_cpu_busy": round(statistics.median(run.cpu_busy for run in runs["M"]), 2),
    }


def _missed(result: dict[str, Any]) -> list[str]:
    """Return the names of figures that do not keep to their targets."""
    missed = [name for name, most in AT_MOST.items() if result[name] > most]
    if result["F_files_per_s"] < FILES_PER_S:
        missed.append("F_files_per_s")
    if result["two_workers_speedup"] < SPEEDUP and result["one_worker_cpu_busy"] < CPU_BUSY:
        missed.append("two_workers_speedup")
    return missed


def _table(stack: Stack) -> Iterator[str]:
    yield f"\n{platform.system()}, {psutil.cpu_count()} cores, CPython {platform.python_version()}\n"
    yield "| what | median seconds | all | largest process |"
    yield "|---|---|---|---|"
    for name, runs in stack.runs.items():
        times = ", ".join(f"{run.seconds:.2f}" for run in runs)
        rss_mb = max(run.rss_mb for run in runs)
        yield f"| {name} | {stack.median(name):.2f} | {times} | {f'{rss_mb:.0f} MB' if rss_mb else ''} |"


if __name__ == "__main__":
    main()
