import contextlib
import json
import zipfile
from datetime import UTC, datetime
from pathlib import Path

import pytest
import zipfile_zstd  # noqa: F401  (teaches zipfile the method of Inspect's logs)
from hypothesis import given, settings
from hypothesis import strategies as st
from inspect_ai.log import read_eval_log

from hawk.log_import.json_edit import members_of, with_members
from hawk.log_import.stamp import Stamp, StampedSource, stamp_log, stamped_document
from hawk.warehouse.eval_rows import summarize
from hawk.warehouse.log_archive import BrokenLog
from hawk.warehouse.log_source import FileSource
from hawk.warehouse.reader import open_log

STAMP = Stamp(
    eval_set_id="imported-logs-1",
    created_by="researcher",
    imported_at=datetime(2026, 5, 1, tzinfo=UTC),
    file_name="a.eval",
    content_hash="abc",
)
LOGS = sorted((Path(__file__).parents[1] / "data" / "evals").glob("*.eval"))

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=5), inner, max_size=4),
    max_leaves=12,
)


def stamped_file(path: Path, target: Path, stamp: Stamp = STAMP) -> Path:
    with contextlib.closing(FileSource(path)) as source:
        stamped = stamp_log(source, stamp)
    target.write_bytes(path.read_bytes()[: stamped.kept_bytes] + stamped.tail)
    return target


def refuse(path: Path) -> None:
    with contextlib.closing(FileSource(path)) as source:
        stamp_log(source, STAMP)


def small_archive(path: Path, *, header: bytes | None, method: int = zipfile.ZIP_DEFLATED, **members: bytes) -> Path:
    with zipfile.ZipFile(path, "w", method) as zipped:
        for name, data in members.items():
            zipped.writestr(name, data)
        if header is not None:
            zipped.writestr("header.json", header)
    return path


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem[-24:])
def test_stamped_log_says_whose_it_is_and_nothing_else_has_changed(path: Path, tmp_path: Path):
    target = stamped_file(path, tmp_path / path.name)

    before, after = (read_eval_log(str(log), header_only=True) for log in (path, target))
    assert after.eval.metadata is not None
    assert after.eval.metadata["eval_set_id"] == "imported-logs-1"
    assert after.eval.metadata["created_by"] == "researcher"
    assert after.eval.metadata["imported"]["content_hash"] == "abc"
    changed = {"metadata"}
    assert after.eval.model_dump(exclude=changed) == before.eval.model_dump(exclude=changed)
    assert after.model_dump_json(exclude={"eval", "metadata", "location"}) == before.model_dump_json(
        exclude={"eval", "metadata", "location"}
    )


@pytest.mark.parametrize("path", LOGS, ids=lambda path: path.stem[-24:])
def test_members_other_than_headers_keep_their_bytes_and_places(path: Path, tmp_path: Path):
    target = stamped_file(path, tmp_path / path.name)

    with zipfile.ZipFile(path) as before, zipfile.ZipFile(target) as after:
        places = {info.filename: (info.header_offset, info.CRC, info.compress_type) for info in after.infolist()}
        kept = {
            info.filename: (info.header_offset, info.CRC, info.compress_type)
            for info in before.infolist()
            if info.filename not in ("header.json", "_journal/start.json")
        }
        assert after.testzip() is None
    assert kept.items() <= places.items()


def test_stamped_log_can_be_read_before_it_is_written():
    with contextlib.closing(FileSource(LOGS[0])) as source:
        before = summarize(open_log(source))

        after = summarize(open_log(StampedSource(source, stamp_log(source, STAMP))))

    assert after.declared_eval_set_id == "imported-logs-1"
    assert after.eval_id == before.eval_id


def test_log_that_was_cut_off_is_whole_as_far_as_it_goes_and_says_so(tmp_path: Path):
    body = LOGS[1].read_bytes()
    samples = [name for name in zipfile.ZipFile(LOGS[1]).namelist() if name.startswith("samples/")]
    cut = tmp_path / "cut.eval"
    cut.write_bytes(body[: body.rindex(samples[-1].encode(), 0, body.index(b"PK\1\2")) + 100])

    target = stamped_file(cut, tmp_path / "stamped.eval")

    log = read_eval_log(str(target))
    found = {f"samples/{sample.id}_epoch_{sample.epoch}.json" for sample in log.samples or []}
    assert found == set(samples[:-1])
    assert log.eval.metadata is not None
    assert samples[-1] in log.eval.metadata["imported"]["damage"]
    again = read_eval_log(str(stamped_file(target, tmp_path / "again.eval")), header_only=True)
    assert again.eval.metadata["imported"]["damage"] == log.eval.metadata["imported"]["damage"]


def test_same_log_and_stamp_give_the_same_bytes(tmp_path: Path):
    first = stamped_file(LOGS[1], tmp_path / "first.eval")
    second = stamped_file(LOGS[1], tmp_path / "second.eval")

    assert first.read_bytes() == second.read_bytes()


def test_what_the_log_said_before_is_kept_and_a_second_import_keeps_the_first():
    header = b'{"eval": {"metadata": {"eval_set_id": "theirs", "created_by": "ann", "x": 1.50}}}'

    once = stamped_document(header, STAMP)
    metadata = json.loads(stamped_document(once, STAMP))["eval"]["metadata"]

    assert metadata["x"] == 1.5
    assert metadata["imported"]["original_eval_set_id"] == "imported-logs-1"
    assert metadata["imported"]["earlier"]["original_eval_set_id"] == "theirs"
    assert metadata["imported"]["earlier"]["original_created_by"] == "ann"


def test_log_in_json_keeps_its_samples_to_the_byte():
    numbers = b'"score": 1.10, "big": 123456789012345678901234567890, "x": NaN'
    samples = b'[{"id": 1, ' + numbers + b', "y": "\\ud800 {\\"eval\\": "}]'
    start = b'{"version":2,"eval": {"eval_id":"e","metadata":null},\n "samples" : '
    document = start + samples + b', "metadata": {"a": 1}}'

    stamped = stamped_document(document, STAMP)

    assert samples in stamped
    parsed = json.loads(stamped)
    assert parsed["eval"]["metadata"]["eval_set_id"] == "imported-logs-1"
    assert parsed["metadata"]["a"] == 1
    assert parsed["metadata"]["eval_set_id"] == "imported-logs-1"


@pytest.mark.parametrize(
    "header",
    [b"", b"[]", b"null", b'"x"', b'{"eval": ', b'{"eval": {"a": 1}', b'{"eval": []}', b"{}", b'x{"eval": {}}'],
    ids=repr,
)
def test_header_that_is_none_is_refused(header: bytes, tmp_path: Path):
    path = small_archive(tmp_path / "a.eval", header=header)

    with pytest.raises(BrokenLog):
        refuse(path)


def test_directory_that_a_member_reaches_into_is_refused(tmp_path: Path):
    path = small_archive(tmp_path / "a.eval", header=b'{"eval": {}}', sample=b"x" * 100, method=zipfile.ZIP_STORED)
    data = bytearray(path.read_bytes())
    directory = data.rindex(b"PK\x01\x02", 0, data.rindex(b"PK\x01\x02"))
    data[directory + 20 : directory + 24] = (100_000).to_bytes(4, "little")  # the compressed size of `sample`
    path.write_bytes(data)

    with pytest.raises(BrokenLog, match="overlaps"):
        refuse(path)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(max_size=8), json_values, max_size=5), st.dictionaries(st.text(max_size=8), json_values))
def test_setting_members_is_what_a_dict_does(document: dict, values: dict):
    text = json.dumps(document).encode()

    changed = with_members(text, values)

    assert json.dumps(json.loads(changed)) == json.dumps(document | values)


@settings(max_examples=100, deadline=None)
@given(st.dictionaries(st.text(max_size=8), json_values, max_size=5), st.sampled_from([None, 1, "\t"]))
def test_members_are_where_they_are_said_to_be(document: dict, indent: int | str | None):
    text = json.dumps(document, indent=indent, ensure_ascii=False).encode("utf-8", "replace")

    members, end = members_of(text)

    found = {name: json.dumps(json.loads(text[begin:stop])) for name, (begin, stop) in members.items()}
    assert end == len(text)
    assert found == {name: json.dumps(value) for name, value in json.loads(text).items()}
