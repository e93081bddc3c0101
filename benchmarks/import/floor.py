"""The floor of an import: what it costs to unpack, decode and COPY a log's rows with everything else left out.

    python floor.py copyidx FILE...      (LIMIT_DSN names the database)

Seven tables with the keys that any warehouse of logs needs, text COPY in batches of 16 MB, one commit a file; JSON is
cut out of the log and not looked into beyond four fields of an event. Prints one line of JSON; `wall_s` is the time.
"""

import json
import mmap
import os
import struct
import sys
import time
import zlib
from collections.abc import Iterator
from pathlib import Path

import msgspec
import psycopg
import zstandard
from msgspec import Raw

BATCH_BYTES = 16_000_000
NULL = Raw(b"null")

TABLES = {
    "eval": "pk bigint, id text, task text, model text, status text, header jsonb, path text",
    "sample": "pk bigint, eval_pk bigint, uuid text, id text, epoch int, input jsonb, target jsonb, output jsonb,"
    " metadata jsonb, store jsonb, model_usage jsonb, started_at timestamptz, completed_at timestamptz,"
    " total_time float8, working_time float8, messages int, events int",
    "message": "sample_pk bigint, place int, role text, id text, data jsonb",
    "score": "sample_pk bigint, scorer text, value jsonb, answer text, explanation text, data jsonb",
    "event": "sample_pk bigint, place int, kind text, uuid text, moment timestamptz, span_id text, data jsonb",
    "pool": "sample_pk bigint, place int, data jsonb",
    "attachment": "sample_pk bigint, key text, content text",
}
INDEXES = (
    "create unique index on floor.eval (pk)",
    "create unique index on floor.sample (pk)",
    "create index on floor.sample (eval_pk)",
    "create unique index on floor.sample (uuid)",
    "create unique index on floor.message (sample_pk, place)",
    "create unique index on floor.score (sample_pk, scorer)",
    "create unique index on floor.event (sample_pk, place)",
    "create index on floor.event (kind)",
    "create index on floor.event (moment)",
    "create unique index on floor.pool (sample_pk, place)",
    "create unique index on floor.attachment (sample_pk, key)",
)


class Sample(msgspec.Struct):
    id: int | str
    epoch: int
    input: Raw = NULL
    target: Raw = NULL
    messages: list[Raw] = []
    events: list[Raw] = []
    output: Raw = NULL
    scores: dict[str, Raw] | None = None
    metadata: Raw = NULL
    store: Raw = NULL
    model_usage: Raw = NULL
    attachments: dict[str, str] = {}
    events_data: dict[str, list[Raw]] | None = None
    uuid: str | None = None
    started_at: str | None = None
    completed_at: str | None = None
    total_time: float | None = None
    working_time: float | None = None


class Event(msgspec.Struct):
    event: str
    uuid: str | None = None
    timestamp: str | None = None
    span_id: str | None = None


class Message(msgspec.Struct):
    role: str
    id: str | None = None


class Score(msgspec.Struct):
    value: Raw = NULL
    answer: str | None = None
    explanation: str | None = None


_decode_sample, _decode_event, _decode_message, _decode_score = (
    msgspec.json.Decoder(kind).decode for kind in (Sample, Event, Message, Score)
)
_decompressor = zstandard.ZstdDecompressor()


def members(path: Path) -> Iterator[tuple[str, bytes]]:
    """Yield the names and contents of what an archive of less than 4 GB holds."""
    with path.open("rb") as file:
        data = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
    end = data.rfind(b"PK\x05\x06")
    count, _, position = struct.unpack_from("<HII", data, end + 10)
    for _ in range(count):
        (method,) = struct.unpack_from("<H", data, position + 10)
        packed, _, name_length, extra, comment = struct.unpack_from("<IIHHH", data, position + 20)
        (offset,) = struct.unpack_from("<I", data, position + 42)
        name = data[position + 46 : position + 46 + name_length].decode()
        local_name, local_extra = struct.unpack_from("<HH", data, offset + 26)
        start = offset + 30 + local_name + local_extra
        yield name, _unpacked(method, data[start : start + packed])
        position += 46 + name_length + extra + comment


def _unpacked(method: int, data: bytes) -> bytes:
    if method == 93:
        return _decompressor.decompressobj().decompress(data)
    return zlib.decompress(data, -15) if method == 8 else data


def text(value: object) -> bytes:
    if value is None:
        return b"\\N"
    written = str(value).replace("\0", "").replace("\\", "\\\\")
    return written.replace("\n", "\\n").replace("\t", "\\t").replace("\r", "\\r").encode()


def raw(value: Raw) -> bytes:
    data = bytes(value)
    if b"\\u0000" in data:
        data = data.replace(b"\\u0000", b"")
    return data.replace(b"\\", b"\\\\") if b"\\" in data else data


def add_sample(rows: dict[str, list[bytes]], data: bytes, eval_key: bytes, key: bytes) -> None:
    sample = _decode_sample(data)
    values = (sample.uuid, sample.id, sample.epoch)
    json_values = (sample.input, sample.target, sample.output, sample.metadata, sample.store, sample.model_usage)
    numbers = (sample.started_at, sample.completed_at, sample.total_time, sample.working_time)
    counts = (len(sample.messages), len(sample.events))
    rows["sample"].append(
        b"\t".join((key, eval_key, *map(text, values), *map(raw, json_values), *map(text, numbers + counts)))
    )
    for place, each in enumerate(sample.messages):
        message = _decode_message(each)
        rows["message"].append(b"\t".join((key, b"%d" % place, message.role.encode(), text(message.id), raw(each))))
    for name, each in (sample.scores or {}).items():
        score = _decode_score(each)
        rows["score"].append(
            b"\t".join((key, text(name), raw(score.value), text(score.answer), text(score.explanation), raw(each)))
        )
    for place, each in enumerate(sample.events):
        event = _decode_event(each)
        fields = (event.uuid, event.timestamp, event.span_id)
        rows["event"].append(b"\t".join((key, b"%d" % place, event.event.encode(), *map(text, fields), raw(each))))
    for place, each in enumerate((sample.events_data or {}).get("messages", [])):
        rows["pool"].append(b"\t".join((key, b"%d" % place, raw(each))))
    for name, content in sample.attachments.items():
        rows["attachment"].append(b"\t".join((key, name.encode(), text(content))))


def flush(connection: psycopg.Connection, rows: dict[str, list[bytes]]) -> None:
    for table, lines in rows.items():
        if lines:
            with connection.cursor().copy(f"copy floor.{table} from stdin") as copy:
                copy.write(b"\n".join(lines) + b"\n")
            lines.clear()


def import_file(connection: psycopg.Connection, path: Path, keys: Iterator[bytes]) -> None:
    rows: dict[str, list[bytes]] = {table: [] for table in TABLES}
    eval_key, size = next(keys), 0
    for name, data in members(path):
        if name == "header.json":
            header = msgspec.json.decode(data)
            values = [header["eval"][field] for field in ("eval_id", "task", "model")]
            line = (eval_key, *map(text, (*values, header["status"])), raw(Raw(data.replace(b"\n", b" "))), text(path))
            rows["eval"].append(b"\t".join(line))
        elif name.startswith("samples/"):
            add_sample(rows, data, eval_key, next(keys))
            size += len(data)
            if size > BATCH_BYTES:
                flush(connection, rows)
                size = 0
    flush(connection, rows)
    connection.commit()


def main() -> None:
    paths = [Path(name) for name in sys.argv[2:]]
    keys = (b"%d" % number for number in iter(range(1, 2**62)))
    with psycopg.connect(os.environ["LIMIT_DSN"]) as connection:
        connection.execute("drop schema if exists floor cascade")
        connection.execute("create schema floor")
        for table, columns in TABLES.items():
            connection.execute(f"create table floor.{table} ({columns})")
        for index in INDEXES:
            connection.execute(index)
        connection.commit()
        begun = time.perf_counter()
        for path in paths:
            import_file(connection, path, keys)
        print(json.dumps({"wall_s": time.perf_counter() - begun, "files": len(paths)}))


if __name__ == "__main__":
    main()
