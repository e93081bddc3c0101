"""A log that is broken or hostile is set aside with a reason its owner understands, and leaves no row."""

import io
import json
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hawk.warehouse.tables import RAW_TABLES
from tests.made_archives import HEADER, SAMPLE, START, archive


def of_sample(**fields: Any) -> bytes:
    return archive({"header.json": HEADER, "samples/1_epoch_1.json": {**SAMPLE, **fields}})


def with_wrong_crc(name: bytes) -> bytes:
    """Return an archive in which the CRC of a member is wrong, in both places where it stands."""
    body = archive({"header.json": HEADER, "samples/1_epoch_1.json": SAMPLE})
    data = json.dumps(SAMPLE if name.startswith(b"samples") else HEADER).encode()
    crc = zlib.crc32(data).to_bytes(4, "little")
    assert body.count(crc) == 2
    return body.replace(crc, b"\0\1\2\3")


def encrypted() -> bytes:
    body = bytearray(archive({"header.json": HEADER}))
    body[6] |= 1
    body[body.rindex(b"PK\x01\x02") + 8] |= 1
    return bytes(body)


def unknown_method() -> bytes:
    body = bytearray(archive({"header.json": HEADER}))
    body[8] = 99
    body[body.rindex(b"PK\x01\x02") + 10] = 99
    return bytes(body)


def longer_than_declared() -> bytes:
    """Return an archive whose member inflates to far more than its directory says."""
    data = json.dumps({**SAMPLE, "input": "x" * 1_000_000}).encode()
    body = bytearray(archive({"header.json": HEADER, "samples/1_epoch_1.json": data}))
    size = len(data).to_bytes(4, "little")
    return bytes(body.replace(size, (1000).to_bytes(4, "little")))


BROKEN: dict[str, tuple[Callable[[], bytes], str]] = {
    "empty": (lambda: b"", "empty"),
    "no zip": (lambda: b"this is a text about something else" * 10, "not a complete zip"),
    "only the end of a zip": (lambda: archive({"header.json": HEADER})[-22:], "not a complete zip"),
    "zip without a log": (lambda: archive({"readme.txt": b"hello"}), "neither header.json nor _journal/start.json"),
    "empty zip": (lambda: archive({}), "neither header.json nor _journal/start.json"),
    "header is no JSON": (lambda: archive({"header.json": b"{"}), "header.json is not what Inspect writes"),
    "header is a list": (lambda: archive({"header.json": b"[]"}), "header.json is not what Inspect writes"),
    "eval without a task": (lambda: archive({"header.json": {**HEADER, "eval": {"model": "m"}}}), "eval is not what"),
    "eval without id and time": (
        lambda: archive({"header.json": {**HEADER, "eval": {"task": "t", "model": "m"}}}),
        "neither an eval id nor a time of creation",
    ),
    "wrong CRC of the header": (lambda: with_wrong_crc(b"header.json"), "header.json does not match its checksum"),
    "wrong CRC of a sample": (lambda: with_wrong_crc(b"samples"), "samples/1_epoch_1.json does not match its checksum"),
    "entry with NUL in its name": (
        lambda: archive({"header.json": HEADER, "samples/1%epoch.json": b"oops"}).replace(b"1%epoch", b"1\0epoch"),
        "samples/1\ufffdepoch.json is not what Inspect writes",
    ),
    "sample is no JSON": (
        lambda: archive({"header.json": HEADER, "samples/1_epoch_1.json": b"oops"}),
        "samples/1_epoch_1.json is not what Inspect writes",
    ),
    "sample without an id": (
        lambda: archive({"header.json": HEADER, "samples/1_epoch_1.json": {"epoch": 1}}),
        "missing required field `id`",
    ),
    "messages are no list": (lambda: of_sample(messages={"a": 1}), "samples/1_epoch_1.json is not what"),
    "message without a role": (lambda: of_sample(messages=[{"content": "x"}]), "Sample 1, epoch 1, is not what"),
    "event without a kind": (lambda: of_sample(events=[{"timestamp": "now"}]), "Sample 1, epoch 1, is not what"),
    "usage that is a word": (lambda: of_sample(model_usage={"m": {"input_tokens": "many"}}), "is not what"),
    "nested too deeply": (
        lambda: archive({"header.json": HEADER, "samples/1_epoch_1.json": b'{"id":1,"input":' + b"[" * 100_000}),
        "nested too deeply",
    ),
    "epoch that no column holds": (lambda: of_sample(epoch=2**31), "Expected `int` <= 2147483647"),
    "tokens that no column holds": (lambda: of_sample(model_usage={"m": {"input_tokens": 2**63}}), "is not what"),
    "tokens that no column holds together": (
        lambda: of_sample(model_usage={name: {"input_tokens": 2**63 - 1} for name in "ab"}),
        "Postgres cannot keep",
    ),
    "number that jsonb cannot hold": (
        lambda: archive(
            {
                "header.json": HEADER,
                "samples/1_epoch_1.json": b'{"id":1,"epoch":1,"store":{"n":1e999999}}',
            }
        ),
        "Postgres cannot keep",
    ),
    "encrypted": (encrypted, "encrypted"),
    "unknown compression": (unknown_method, "zip method 99"),
    "longer than declared": (longer_than_declared, "does not match its checksum"),
    "chunk that is missing": (
        lambda: archive({"header.json": HEADER, "samples/1_epoch_1/sample.json": {**SAMPLE, "message_refs": [[0, 1]]}}),
        "messages/0.json is missing",
    ),
}


@pytest.mark.parametrize("case", BROKEN)
def test_broken_log_is_quarantined_with_a_reason(case: str, import_file: Any, warehouse: Any) -> None:
    make, reason = BROKEN[case]

    outcome = import_file(make(), name="broken.eval")

    assert outcome.state == "quarantined", outcome
    assert reason in outcome.reason
    assert_nothing_is_there(warehouse)
    row = warehouse.execute("select state, reason from ops.log_inbox").fetchone()
    assert row == {"state": "quarantined", "reason": outcome.reason}


@pytest.mark.parametrize("fraction", [0.3, 0.6, 0.9, 0.999])
def test_readable_samples_of_a_truncated_log_are_imported_and_marked(
    fraction: float, import_file: Any, warehouse: Any, logs_by_kind: dict[str, Path]
) -> None:
    body = logs_by_kind["plain"].read_bytes()

    outcome = import_file(body[: int(len(body) * fraction)], name="cut.eval")

    assert outcome.state == "imported"
    assert outcome.reason.startswith("Only what could be read is here.")
    assert warehouse.execute("select damage, sample_count from raw.eval_import").fetchone() == {
        "damage": outcome.reason,
        "sample_count": outcome.sample_count,
    }
    assert warehouse.execute("select state, reason from ops.log_inbox").fetchone() == {
        "state": "imported",
        "reason": outcome.reason,
    }


def test_log_that_is_cut_off_in_its_beginning_is_quarantined(
    import_file: Any, warehouse: Any, logs_by_kind: dict[str, Path]
) -> None:
    outcome = import_file(logs_by_kind["plain"].read_bytes()[:100], name="cut.eval")

    assert outcome.state == "quarantined"
    assert "cut off" in outcome.reason
    assert_nothing_is_there(warehouse)


def test_whole_log_stays_when_its_next_version_is_cut_off(
    import_file: Any, warehouse: Any, logs_by_kind: dict[str, Path]
) -> None:
    import_file(logs_by_kind["plain"], name="log.eval")
    body = logs_by_kind["edited"].read_bytes()

    outcome = import_file(body[: len(body) - 10], name="log.eval")

    assert outcome.state == "quarantined"
    assert "stays" in outcome.reason
    assert warehouse.execute("select damage from raw.eval_import").fetchone() == {"damage": None}
    assert import_file(logs_by_kind["edited"], name="log.eval").state == "imported"


def test_earlier_version_stays_when_the_next_is_broken(
    import_file: Any, warehouse: Any, logs_by_kind: dict[str, Path]
) -> None:
    import_file(logs_by_kind["plain"], name="log.eval")
    body = bytearray(logs_by_kind["edited"].read_bytes())
    body[len(body) // 2] ^= 0xFF

    outcome = import_file(bytes(body), name="log.eval")

    assert outcome.state == "quarantined"
    assert warehouse.execute("select count(*) as n from raw.sample").fetchone() == {"n": 4}


def damaged_sample(kind: str) -> bytes:
    """Return a sample, its uuid u2, that cannot be read: at once, or only after some of its rows were written."""
    events = [{"event": "info", "data": "x" * 500_000} for _ in range(5)]
    return {
        "no JSON": b"oops",
        "no sample": json.dumps({"epoch": 1}).encode(),
        "bad event at its end": json.dumps({**SAMPLE, "id": 2, "uuid": "u2", "messages": [{"role": "user"}],
                                            "events": [*events, {"timestamp": "now"}]}).encode(),
        "wrong CRC": json.dumps({**SAMPLE, "id": 2, "uuid": "u2"}).encode(),
    }[kind]  # fmt: skip


def log_with_a_damaged_sample(kind: str, **members: Any) -> bytes:
    summaries = [{"id": number, "epoch": 1, "input": "hello", "target": "x", "uuid": f"u{number}", "scores": {}}
                 for number in (1, 2, 3)]  # fmt: skip
    damaged = damaged_sample(kind)
    body = archive(
        {
            **{f"samples/{number}_epoch_1.json": {**SAMPLE, "id": number, "uuid": f"u{number}"} for number in (1, 3)},
            "samples/2_epoch_1.json": damaged,
            "summaries.json": summaries,
            "header.json": HEADER,
            **members,
        }
    )
    if kind == "wrong CRC":
        crc = zlib.crc32(damaged).to_bytes(4, "little")
        assert body.count(crc) == 2
        body = body.replace(crc, b"\0\1\2\3")
    return body


@pytest.mark.parametrize("kind", ["no JSON", "no sample", "bad event at its end", "wrong CRC"])
def test_one_damaged_sample_is_represented_by_its_summary_and_named(
    kind: str, import_file: Any, warehouse: Any
) -> None:
    outcome = import_file(log_with_a_damaged_sample(kind))

    assert outcome.state == "imported", outcome
    assert outcome.reason.startswith("Only what could be read is here. ")
    assert outcome.reason.endswith("Lost (1): samples/2_epoch_1.json.")
    damage = warehouse.execute("select damage, sample_count, event_count from raw.eval_import").fetchone()
    assert damage == {"damage": outcome.reason, "sample_count": 3, "event_count": 0}
    assert warehouse.execute("select sample_uuid, is_complete from raw.sample order by 1").fetchall() == [
        {"sample_uuid": "u1", "is_complete": True},
        {"sample_uuid": "u2", "is_complete": False},
        {"sample_uuid": "u3", "is_complete": True},
    ]
    for table in ("message", "event"):
        assert warehouse.execute(f"select count(*) as n from raw.{table}").fetchone() == {"n": 0}


def test_log_whose_header_is_damaged_is_imported_by_its_beginning(import_file: Any, warehouse: Any) -> None:
    outcome = import_file(
        archive({"_journal/start.json": START, "samples/1_epoch_1.json": SAMPLE, "header.json": b"{"})
    )

    assert outcome.state == "imported"
    assert "Lost (1): header.json." in outcome.reason
    assert warehouse.execute("select status from raw.eval").fetchone() == {"status": "started"}
    assert warehouse.execute("select sample_uuid from raw.sample").fetchall() == [{"sample_uuid": "u1"}]


def test_damaged_parts_beside_samples_cost_only_themselves(import_file: Any, warehouse: Any) -> None:
    outcome = import_file(
        archive(
            {
                "_journal/start.json": START,
                "_journal/config_updates/1.json": b"oops",
                "_journal/config_updates/2.json": {"limit": 3},
                "_journal/summaries/1.json": b"oops",
                "reductions.json": b"oops",
                "samples/1_epoch_1.json": SAMPLE,
            }
        )
    )

    assert outcome.state == "imported"
    assert "Lost (3): " in outcome.reason
    row = warehouse.execute("select other, reductions from raw.eval").fetchone()
    assert (row["other"]["log"]["config_updates"], row["reductions"]) == ([{"limit": 3}], None)


def test_damaged_sample_of_a_log_in_json_is_left_out_and_named(import_file: Any, warehouse: Any) -> None:
    samples = [SAMPLE, {**SAMPLE, "id": 2, "uuid": "u2", "events": [{"timestamp": "now"}]}, {"epoch": 1}]

    outcome = import_file(
        json.dumps({**HEADER, "samples": samples}).encode(), name="2026-01-01T00-00-00+00-00_task_abc.json"
    )

    assert outcome.state == "imported", outcome
    assert outcome.reason.endswith("Lost (2): samples[1], samples[2].")
    assert warehouse.execute("select sample_uuid from raw.sample").fetchall() == [{"sample_uuid": "u1"}]


def test_whole_version_stays_when_a_sample_of_the_next_is_damaged_unless_that_is_forced(
    import_file: Any, warehouse: Any
) -> None:
    whole = {f"samples/{number}_epoch_1.json": {**SAMPLE, "id": number, "uuid": f"u{number}"} for number in (1, 2, 3)}
    import_file(archive({**whole, "header.json": HEADER}))
    damaged = log_with_a_damaged_sample("bad event at its end")

    outcome = import_file(damaged)

    assert outcome.state == "quarantined"
    assert "An earlier version of it is whole, and stays." in outcome.reason
    assert warehouse.execute("select count(*) as n from raw.sample where is_complete").fetchone() == {"n": 3}
    assert import_file(damaged, force=True).state == "imported"


def test_strange_values_are_kept_as_far_as_sql_can(import_file: Any, warehouse: Any) -> None:
    sample = (
        b'{"id":"a\\u0000b","epoch":1,"input":"\\ud83d\\ude00 \\ud800 lone \\\\u0000","target":"\xff",'
        b'"scores":{"s":{"value":NaN,"answer":"NaN"},"t":{"value":Infinity},"u":{"value":1e400}},'
        b'"metadata":{"n":[-Infinity,NaN,1],"huge":123456789012345678901234567890,"text":"say NaN, Infinity"},'
        b'"store":null,"uuid":"u1","working_time":NaN,'
        b'"messages":[{"role":"user","content":"a\\u0000b"}],"events":[{"event":"brand_new","timestamp":"never"}]}'
    )

    outcome = import_file(archive({"header.json": HEADER, "samples/x_epoch_1.json": sample}))

    assert (outcome.state, outcome.reason) == ("imported", "")
    row = warehouse.execute("select * from raw.sample").fetchone()
    assert row["sample_id"] == "ab"
    assert row["input_text"] == "\U0001f600 \ufffd lone \\u0000"
    assert row["target"] == "\ufffd"
    assert row["metadata"] == {
        "n": [None, None, 1],
        "huge": 123456789012345678901234567890,
        "text": "say NaN, Infinity",
    }
    assert (row["store"], row["working_seconds"]) == (None, None)
    scores = warehouse.execute("select scorer, value, value_number, answer from raw.score order by 1").fetchall()
    assert [score["value_number"] for score in scores] == [None, None, None]
    assert (scores[0]["value"], scores[0]["answer"]) == (None, "NaN")
    assert warehouse.execute("select text from raw.message").fetchone() == {"text": "ab"}
    event = warehouse.execute("select kind, started_at, data from raw.event").fetchone()
    assert (event["kind"], event["started_at"]) == ("brand_new", None)


def test_two_samples_under_one_uuid_are_both_kept(import_file: Any, warehouse: Any) -> None:
    body = archive({"header.json": HEADER, "samples/1_epoch_1.json": SAMPLE,
                    "samples/1_epoch_2.json": {**SAMPLE, "epoch": 2}})  # fmt: skip

    assert import_file(body).state == "imported"

    rows = warehouse.execute("select epoch, sample_uuid from raw.sample order by epoch").fetchall()
    assert (rows[0]["epoch"], rows[0]["sample_uuid"]) == (1, "u1")
    assert (rows[1]["epoch"], rows[1]["sample_uuid"] != "u1") == (2, True)


def test_member_that_stands_twice_counts_as_inspect_counts_it(import_file: Any, warehouse: Any) -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as file:
        file.writestr("samples/1_epoch_1.json", json.dumps({**SAMPLE, "target": "first"}))
        with pytest.warns(UserWarning, match="Duplicate name"):
            file.writestr("samples/1_epoch_1.json", json.dumps({**SAMPLE, "target": "second"}))
        file.writestr("header.json", json.dumps(HEADER))

    assert import_file(body.getvalue()).state == "imported"
    assert warehouse.execute("select target from raw.sample").fetchall() == [{"target": "second"}]


def test_value_over_64_mib_only_says_how_large_it_was(import_file: Any, warehouse: Any) -> None:
    body = of_sample(store={"log": "x" * (64 * 1024 * 1024)})

    assert import_file(body).state == "imported"

    store = warehouse.execute("select store from raw.sample").fetchone()["store"]
    assert store["hawk_omitted_bytes"] > 64 * 1024 * 1024


def test_log_without_samples_is_imported(import_file: Any, warehouse: Any) -> None:
    outcome = import_file(archive({"header.json": HEADER}))

    assert (outcome.state, outcome.sample_count) == ("imported", 0)
    assert warehouse.execute("select total_samples from raw.eval").fetchone() == {"total_samples": 1}


def test_scores_of_the_oldest_logs_have_the_name_of_their_scorer(import_file: Any, warehouse: Any) -> None:
    results = {
        "total_samples": 1,
        "scorer": {"name": "match"},
        "metrics": {"accuracy": {"name": "accuracy", "value": 1}},
    }
    transcript = {"events": [{"event": "state"}], "content": {"h": "long"}}
    sandbox = ["docker", "compose.yaml"]
    sample = {**SAMPLE, "score": {"value": "C"}, "transcript": transcript, "sandbox": sandbox}
    del sample["events"], sample["uuid"]
    header = {**HEADER, "results": results, "eval": {**HEADER["eval"], "sandbox": sandbox}}

    assert import_file(archive({"header.json": header, "samples/1_epoch_1.json": sample})).state == "imported"

    assert warehouse.execute("select scorer, value_number from raw.score").fetchall() == [
        {"scorer": "match", "value_number": 1.0}
    ]
    assert warehouse.execute("select kind from raw.event").fetchall() == [{"kind": "state"}]
    assert warehouse.execute("select hash, content from raw.attachment").fetchall() == [
        {"hash": "h", "content": "long"}
    ]
    assert warehouse.execute("select score_name, metric, value from raw.eval_metric").fetchall() == [
        {"score_name": "match", "metric": "accuracy", "value": 1.0}
    ]
    assert warehouse.execute("select sandbox_type, sandbox_config from raw.eval").fetchall() == [
        {"sandbox_type": "docker", "sandbox_config": "compose.yaml"}
    ]


def test_fields_of_a_later_inspect_are_kept(import_file: Any, warehouse: Any) -> None:
    header = {**HEADER, "novelty": 1, "eval": {**HEADER["eval"], "eval_novelty": [2]}}
    body = archive({"header.json": header, "samples/1_epoch_1.json": {**SAMPLE, "sample_novelty": {"a": 3}}})

    assert import_file(body).state == "imported"

    of_eval = warehouse.execute("select other from raw.eval").fetchone()["other"]
    assert (of_eval["log"]["novelty"], of_eval["eval"]["eval_novelty"]) == (1, [2])
    assert warehouse.execute("select other from raw.sample").fetchone()["other"] == {"sample_novelty": {"a": 3}}


def assert_nothing_is_there(warehouse: Any) -> None:
    for table in RAW_TABLES:
        assert warehouse.execute(f"select count(*) as n from raw.{table.name}").fetchone() == {"n": 0}, table.name
