"""How much memory the API takes to pass a large log on, and how fast: `python -m benchmarks.log_gateway.run [MiB]`.

A real API in a process of its own, on an embedded Postgres and S3. The log is one sample of bytes that do not compress.
Reads it whole, by ranges as Inspect's viewer does, and its header; prints one JSON line.
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import urllib.parse
import zipfile
from pathlib import Path

import httpx
import psutil
from cryptography.fernet import Fernet

from hawk.dev.issuer_tokens import Grant, TokenMint
from hawk.dev.object_store import EmbeddedObjectStore
from hawk.dev.ports import free_port
from hawk.dev.postgres import EmbeddedPostgres
from hawk.naming import eval_set_key
from hawk.object_store import s3_client
from hawk.settings import DatabaseSettings, IssuerSettings
from hawk.warehouse.connection import connect
from hawk.warehouse.migrate import migrate
from tests.fakes.small_logs import header_of

ROOT = Path(__file__).resolve().parents[2]
MEBIBYTE = 1024 * 1024
LOG = "2026-05-01T12-00-00_large_abc.eval"
RANGES = 200
RANGE_BYTES = 256 * 1024


def main() -> None:
    size = int(sys.argv[1] if len(sys.argv) > 1 else 4096) * MEBIBYTE
    with tempfile.TemporaryDirectory() as folder, EmbeddedObjectStore(Path(folder) / "s3") as store:
        postgres = EmbeddedPostgres(Path(folder) / "postgres", port=free_port())
        postgres.start()
        try:
            print(json.dumps({"benchmark": "log_gateway", **measure(Path(folder), postgres, store, size)}))
        finally:
            postgres.delete()


def measure(folder: Path, postgres: EmbeddedPostgres, store: EmbeddedObjectStore, size: int) -> dict[str, float]:
    migrate(postgres.url)
    prepare(folder, postgres, store, size)
    issuer_port, port = free_port(), free_port()
    issuer = f"http://127.0.0.1:{issuer_port}"
    settings = store.settings()
    environment = {
        **os.environ,
        "HAWK_HOME": str(folder),
        "HAWK_DATABASE_URL": postgres.url,
        "HAWK_ISSUER": issuer,
        "HAWK_ISSUER_PORT": str(issuer_port),
        "HAWK_JOB_TOKEN_KEY": "k" * 40,
        "HAWK_SECRET_KEY": Fernet.generate_key().decode(),
        "HAWK_DAGSTER_URL": "http://127.0.0.1:9",
        "HAWK_API_PORT": str(port),
        "HAWK_BUCKET": settings.bucket,
        "HAWK_S3_ENDPOINT_URL": store.url,
        "HAWK_S3_ACCESS_KEY_ID": settings.s3_access_key_id or "",
        "HAWK_S3_SECRET_ACCESS_KEY": settings.s3_secret_access_key.get_secret_value()
        if settings.s3_secret_access_key
        else "",
    }
    programs = [
        subprocess.Popen([sys.executable, "-m", module], env=environment, cwd=ROOT, stderr=subprocess.DEVNULL)
        for module in ("hawk.dev.issuer", "hawk.api")
    ]
    try:
        return read(programs[1].pid, f"http://127.0.0.1:{port}", issuer, folder, size)
    finally:
        for program in programs:
            program.terminate()
            program.wait(20)


def read(pid: int, url: str, issuer: str, folder: Path, size: int) -> dict[str, float]:
    for _ in range(300):
        try:
            httpx.get(f"{url}/health/live").raise_for_status()
            httpx.get(f"{issuer}/.well-known/openid-configuration").raise_for_status()
            break
        except httpx.HTTPError:
            time.sleep(0.2)
    token = TokenMint(IssuerSettings(home=folder, issuer=issuer)).access_token(
        Grant("researcher", "hawk-cli", "openid")
    )
    client = httpx.Client(base_url=url, headers={"authorization": f"Bearer {token}"}, timeout=600)
    name = urllib.parse.quote(f"large/{LOG}", safe="")
    begun = time.monotonic()
    client.get(f"/view/logs/logs/{name}").raise_for_status()
    first_look = time.monotonic() - begun
    process = psutil.Process(pid)
    before = process.memory_info().rss
    highest, got = before, 0
    begun = time.monotonic()
    with client.stream("GET", f"/view/logs/log-download/{name}") as answer:
        answer.raise_for_status()
        for number, piece in enumerate(answer.iter_raw()):
            got += len(piece)
            if number % 500 == 0:
                highest = max(highest, process.memory_info().rss)
    whole = time.monotonic() - begun
    assert got > size, f"{got} of {size} bytes came"
    begun = time.monotonic()
    for number in range(RANGES):
        start = number * (size // RANGES)
        answer = client.get(f"/view/logs/log-bytes/{name}", params={"start": start, "end": start + RANGE_BYTES - 1})
        answer.raise_for_status()
        highest = max(highest, process.memory_info().rss)
    return {
        "log_mib": round(got / MEBIBYTE),
        "first_look_seconds": round(first_look, 2),
        "memory_before_mib": round(before / MEBIBYTE, 1),
        "memory_more_mib": round((highest - before) / MEBIBYTE, 1),
        "whole_mib_per_second": round(got / MEBIBYTE / whole, 1),
        "range_milliseconds": round(1000 * (time.monotonic() - begun) / RANGES, 1),
    }


def prepare(folder: Path, postgres: EmbeddedPostgres, store: EmbeddedObjectStore, size: int) -> None:
    """Put a set with one large log where the API finds it."""
    path = folder / LOG
    with zipfile.ZipFile(path, "w", zipfile.ZIP_STORED, allowZip64=True) as archive:
        with archive.open("samples/1_epoch_1.json", "w", force_zip64=True) as sample:
            block = os.urandom(MEBIBYTE)
            for _ in range(size // MEBIBYTE):
                sample.write(block)
        header = header_of()
        archive.writestr("_journal/start.json", json.dumps({"version": 2, "eval": header["eval"], "plan": {}}))
        archive.writestr("header.json", json.dumps(header))
    s3, bucket = s3_client(store.settings()), store.settings().bucket
    s3.upload_file(str(path), bucket, eval_set_key("large", LOG))
    path.unlink()
    gate_file = {"model_names": ["openai/small"], "model_groups": ["model-access-public"]}
    s3.put_object(Bucket=bucket, Key=eval_set_key("large", ".models.json"), Body=json.dumps(gate_file).encode())
    with connect(DatabaseSettings(home=folder, database_url=postgres.url), autocommit=True) as connection:
        connection.execute("insert into ops.model_group values ('openai/small', 'model-access-public')")
        connection.execute(
            """
            insert into ops.eval_set (eval_set_id, name, origin, created_by, model_names, model_groups, status,
                created_at, status_changed_at)
            values ('large', 'large', 'import', 'researcher', '{openai/small}', '{model-access-public}', 'complete',
                now(), now())
            """
        )


if __name__ == "__main__":
    main()
