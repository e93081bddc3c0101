"""An archive cut off, damaged or made to harm is refused with a reason; what lies whole in it can be salvaged."""

import dataclasses
import io
import json
import struct
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from hawk.errors import UserError
from hawk.warehouse.log_archive import BrokenLog, LogArchive, TruncatedLog
from hawk.warehouse.log_source import BytesSource
from hawk.warehouse.read_limits import DEFAULT_LIMITS, ReadLimits
from hawk.warehouse.reader import EvalLog, open_log, salvage_log

EVAL = {"task": "t", "model": "m", "created": "2026-01-01T00:00:00Z", "eval_id": "e", "dataset": {}, "config": {}}
START = {"version": 2, "eval": EVAL, "plan": {"steps": []}}
HEADER = {**START, "status": "success", "stats": {}, "results": {"total_samples": 2, "completed_samples": 2}}


def sample(number: int) -> dict[str, Any]:
    return {
        "id": number,
        "epoch": 1,
        "input": "hello",
        "target": "x",
        "messages": [],
        "events": [],
        "uuid": f"u{number}",
    }


# In the order in which Inspect writes them.
MEMBERS = {
    "_journal/start.json": START,
    "samples/1_epoch_1.json": sample(1),
    "_journal/summaries/1.json": [{"id": 1, "epoch": 1, "input": "hello", "target": "x"}],
    "samples/2_epoch_1.json": sample(2),
    "summaries.json": [{"id": number, "epoch": 1, "input": "hello", "target": "x"} for number in (1, 2)],
    "header.json": HEADER,
}


def archive(members: dict[str, Any], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", compression) as file:
        for name, data in members.items():
            file.writestr(name, data if isinstance(data, bytes) else json.dumps(data))
    return body.getvalue()


def opened(body: bytes, limits: ReadLimits = DEFAULT_LIMITS) -> EvalLog:
    return open_log(BytesSource("a log", body), limits)


def what_is_read(log: EvalLog) -> list[Any]:
    return [
        (log.header.status, bytes(log.header.eval)),
        *((read.record.id, read.is_complete) for read in log.samples()),
    ]


def test_log_cut_off_at_any_byte_is_refused_and_what_was_whole_is_salvaged() -> None:
    body = archive(MEMBERS)
    salvaged = []

    for length in range(len(body)):
        with pytest.raises(BrokenLog) as refused:
            opened(body[:length])
        try:
            log = salvage_log(BytesSource("a log", body[:length]), refused.value)
        except BrokenLog:
            salvaged.append(-1)
            continue
        assert log.salvage == refused.value.message
        salvaged.append(sum(read.is_complete for read in log.samples()))

    assert sorted(set(salvaged)) == [-1, 0, 1, 2]
    assert salvaged == sorted(salvaged)


def test_byte_that_changed_is_noticed_or_changes_nothing() -> None:
    body = archive(MEMBERS)
    good = what_is_read(opened(body))

    for index in range(len(body)):
        changed = bytearray(body)
        changed[index] ^= 0x55
        try:
            found = what_is_read(opened(bytes(changed)))
        except UserError:
            continue
        # A name that changed hides its member, as a log without it would.
        assert set(found) <= {*good, ("started", good[0][1]), (1, False), (2, False)}, index


def test_log_of_inspect_is_salvaged_with_the_reason_and_the_names_that_are_lost(
    logs_by_kind: dict[str, Path],
) -> None:
    body = logs_by_kind["plain"].read_bytes()
    whole = LogArchive(BytesSource("a log", body))
    assert len(whole.names("samples/")) == 4
    middle = body.index(b"samples/2_epoch_1.json") + 200

    with pytest.raises(TruncatedLog) as refused:
        opened(body[:middle])
    log = salvage_log(BytesSource("a log", body[:middle]), refused.value)

    read = {(found.record.id, found.record.epoch): found.is_complete for found in log.samples()}
    assert log.salvage == "The file is not a complete zip archive (its directory is missing)."
    assert log.lost == ["samples/2_epoch_1.json"]
    assert True in read.values()
    assert log.header.status == "started"


def test_damaged_sample_of_a_salvaged_log_is_passed_over() -> None:
    body = bytearray(archive(MEMBERS, zipfile.ZIP_STORED))
    body[body.index(b'"u1"')] ^= 0x01
    source = BytesSource("a log", bytes(body[:-30]))

    log = salvage_log(source, BrokenLog("It is cut off."))

    assert [(read.record.id, read.is_complete) for read in log.samples()] == [(2, True), (1, False)]
    assert log.lost == ["samples/1_epoch_1.json"]


def test_log_that_was_written_on_behind_its_end_is_salvaged_over_it() -> None:
    body = archive(MEMBERS)
    more = archive({"samples/3_epoch_1.json": sample(3)})

    log = salvage_log(BytesSource("a log", body + more[:-40]), BrokenLog("It is cut off."))

    assert [read.record.id for read in log.samples()] == [1, 2, 3]


class Stream(io.RawIOBase):
    """A file in which nobody can go back, as a pipe."""

    def __init__(self) -> None:
        self.data = b""

    def writable(self) -> bool:
        return True

    def write(self, data: Any, /) -> int:
        self.data += bytes(data)
        return len(data)


def streamed(*, is_large: bool) -> bytes:
    """Return an archive whose members have their sizes behind their data, the second one with a look-alike in it."""
    stream = Stream()
    with zipfile.ZipFile(stream, "w", zipfile.ZIP_STORED) as file:
        for name, data in MEMBERS.items():
            text = json.dumps(data).encode() + b" " * 5
            with file.open(name, "w", force_zip64=is_large) as member:
                member.write(text)
        with file.open("samples/3_epoch_1.json", "w", force_zip64=is_large) as member:
            member.write(json.dumps({**sample(3), "target": "PK\7\10" + "x" * 40}).encode())
    return stream.data


@pytest.mark.parametrize("is_large", [False, True], ids=["sizes of 32 bits", "of 64 bits"])
def test_members_with_their_sizes_behind_them_are_salvaged(is_large: bool) -> None:
    body = streamed(is_large=is_large)
    cut = body[: body.index(b"PK\1\2")]

    log = salvage_log(BytesSource("a log", cut), BrokenLog("It is cut off."))
    assert [read.record.id for read in log.samples()] == [1, 2, 3]
    assert log.lost == []

    log = salvage_log(BytesSource("a log", cut[:-10]), BrokenLog("It is cut off."))
    assert [read.record.id for read in log.samples() if read.is_complete] == [1, 2]
    assert log.lost == ["samples/3_epoch_1.json"]


def test_inspect_writes_sizes_before_the_data(logs_by_kind: dict[str, Path]) -> None:
    for path in logs_by_kind.values():
        if path.suffix == ".eval":
            with zipfile.ZipFile(path) as file:
                assert not any(info.flag_bits & 0x8 for info in file.infolist())


def overlapping() -> bytes:
    """Return an archive in which a second name stands for the same bytes."""
    body = archive({"header.json": HEADER, "samples/1_epoch_1.json": sample(1), "samples/2_epoch_1.json": sample(1)})
    first, second = body.index(b"PK\x03\x04", 4), body.rindex(b"PK\x03\x04")
    return body.replace(struct.pack("<I", second) + b"samples/2", struct.pack("<I", first) + b"samples/2")


def bytes_of(name: str, size: int) -> bytes:
    return archive({"header.json": HEADER, name: b" " * size})


HOSTILE: dict[str, tuple[Callable[[], bytes], dict[str, int], str]] = {
    "overlap": (overlapping, {}, "overlaps with what follows it"),
    "path to the root": (lambda: archive({**MEMBERS, "/etc/passwd": b"x"}), {}, "a path out of it"),
    "path upwards": (lambda: archive({**MEMBERS, "a/../../x": b"x"}), {}, "a path out of it"),
    "path on a drive": (lambda: archive({**MEMBERS, "C:\\x": b"x"}), {}, "a path out of it"),
    "many entries": (lambda: archive(MEMBERS), {"max_entries": 5}, "6 entries, more than the 5"),
    "large log": (lambda: bytes_of("samples/1_epoch_1.json", 9000), {"max_log_bytes": 8000}, "unpacks to"),
    "large entry": (lambda: bytes_of("samples/1_epoch_1.json", 9000), {"max_entry_bytes": 8000}, "has 9000 bytes"),
    "packed too well": (lambda: bytes_of("samples/1_epoch_1.json", 20 * 1024**2), {"max_ratio": 500}, "the 500 times"),
}  # fmt: skip


@pytest.mark.parametrize("case", HOSTILE)
def test_archive_made_to_harm_is_refused_before_it_is_unpacked(case: str) -> None:
    make, limits, reason = HOSTILE[case]

    with pytest.raises(BrokenLog, match=reason):
        opened(make(), dataclasses.replace(DEFAULT_LIMITS, **limits))


def test_zstandard_bomb_is_refused() -> None:
    import zipfile_zstd  # noqa: F401  (teaches zipfile the method)

    body = archive({"header.json": HEADER, "samples/1_epoch_1.json": b"[" + b" " * 100 * 1024**2}, 93)
    assert len(body) < 50_000

    with pytest.raises(BrokenLog, match="unpacks"):
        opened(body)


def test_sample_whose_id_is_a_path_is_a_sample() -> None:
    log = opened(archive({"header.json": HEADER, "samples/../../x_epoch_1.json": sample(1)}))

    assert [read.record.id for read in log.samples()] == [1]


def test_archive_of_more_entries_than_the_old_format_counts_is_read() -> None:
    members = {"header.json": json.dumps(HEADER).encode(), **{f"_journal/x/{number}": b"" for number in range(66_000)}}

    log = opened(archive({**members, "samples/1_epoch_1.json": sample(1)}, zipfile.ZIP_STORED))

    assert [read.record.id for read in log.samples()] == [1]


def test_member_with_sizes_of_64_bits_is_read() -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", zipfile.ZIP_DEFLATED) as file:
        file.writestr("header.json", json.dumps(HEADER))
        with file.open("samples/1_epoch_1.json", "w", force_zip64=True) as member:
            member.write(json.dumps(sample(1)).encode())

    assert [read.record.id for read in opened(body.getvalue()).samples()] == [1]
    log = salvage_log(BytesSource("a log", body.getvalue()[:-30]), BrokenLog("It is cut off."))
    assert [read.record.id for read in log.samples()] == [1]


def test_end_of_a_zip_within_a_comment_does_not_mislead() -> None:
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w") as file:
        file.writestr("header.json", json.dumps(HEADER))
        file.comment = b"PK\x05\x06" + bytes(30)

    assert opened(body.getvalue()).header.status == "success"


def test_settings_changed_while_the_eval_ran_are_in_the_header_of_a_log_without_end() -> None:
    updates = {f"_journal/config_updates/{number}.json": {"number": number} for number in (10, 2)}

    log = opened(archive({"_journal/start.json": START, **updates}))

    assert json.loads(bytes(log.other["config_updates"])) == [{"number": 2}, {"number": 10}]
