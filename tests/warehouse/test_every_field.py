"""No field that Inspect's models have is lost on the way into the tables, nor one that later models may have."""

from collections.abc import Callable, Iterator
from typing import Any

import msgspec
import pytest
from inspect_ai.log import EvalLog, EvalSample, EvalSampleSummary
from msgspec import Raw

from hawk.errors import UserError
from hawk.warehouse.eval_rows import eval_detail_rows, eval_row, summarize
from hawk.warehouse.log_sample import LogSample, sample_of_json, sample_of_summary
from hawk.warehouse.log_source import BytesSource
from hawk.warehouse.reader import open_log
from hawk.warehouse.sample_rows import SampleContext, sample_batches
from tests.fakes.full_models import full_value, parent_of, paths

Path = tuple[str | int, ...]

NEW_FIELD = "field_of_a_later_version"
DEEPEST = 5  # steps into JSON; nothing beneath is read as anything but JSON
# Not in the file: Inspect's readers fill them in.
OF_THE_READER = {("location",), ("etag",)}
# What a sample of which only the summary is there says by being one.
OF_A_SUMMARY = {("completed",)}


def sample_rows_of(sample: LogSample) -> list[Any]:
    context = SampleContext(import_id=1, eval_id="e", first_scorer="scorer")
    return [row for batch in sample_batches(context, sample, "uuid") for row in batch.rows]


def rows_of_sample(value: Any) -> list[Any]:
    return sample_rows_of(sample_of_json(msgspec.json.encode(value), "the sample"))


def rows_of_summary(value: Any) -> list[Any]:
    return sample_rows_of(sample_of_summary(Raw(msgspec.json.encode(value)), "the summary"))


def rows_of_log(value: Any) -> list[Any]:
    log = open_log(BytesSource("the log", msgspec.json.encode(value)))
    summary = summarize(log)
    return [eval_row(1, "set", "here", summary, log.reductions()), *eval_detail_rows(1, summary)]


def noticed(read: Callable[[Any], list[Any]], value: Any, rows: str) -> bool:
    """Say whether what is read of a value is other than before; that it cannot be read is a notice, too."""
    try:
        return repr(read(value)) != rows
    except UserError:
        return True


CASES: dict[str, tuple[Any, Callable[[Any], list[Any]], set[Any], tuple[str, ...]]] = {
    "sample": (EvalSample, rows_of_sample, set(), ("uuid",)),
    "summary": (EvalSampleSummary, rows_of_summary, OF_A_SUMMARY, ("uuid",)),
    "log": (EvalLog, rows_of_log, OF_THE_READER, ("samples",)),
}


@pytest.fixture(params=CASES)
def case(request: pytest.FixtureRequest) -> tuple[Any, Callable[[Any], list[Any]], str, set[Any]]:
    model, read, exceptions, left_out = CASES[request.param]
    value = {name: part for name, part in full_value(model).items() if name not in left_out}
    return value, read, repr(read(value)), exceptions


def distinct(value: Any) -> Iterator[Path]:
    """Yield the paths into JSON, one of those that lead to the same field of the same kind of thing."""
    seen = set()
    for path in paths(value):
        kinds = [part.get("event") or part.get("role") or part.get("type") for part in parents(value, path)]
        key = (tuple(step for step in path if isinstance(step, str))[:4], tuple(map(str, kinds[:3])), path[-1])
        if key not in seen and len(path) <= DEEPEST:
            seen.add(key)
            yield path


def parents(value: Any, path: Path) -> Iterator[dict[str, Any]]:
    for step in path[:-1]:
        value = value[step]
        if isinstance(value, dict):
            yield value


def test_every_field_is_kept(case: Any) -> None:
    value, read, rows, exceptions = case

    lost = []
    for path in list(distinct(value)):
        place = parent_of(value, path)
        before = dict(place)
        del place[path[-1]]
        if path not in exceptions and not noticed(read, value, rows):
            lost.append(path)
        place.clear()  # in their order, which is kept, too
        place.update(before)

    assert lost == []


def test_field_of_a_later_version_is_kept_wherever_it_is(case: Any) -> None:
    value, read, rows, _ = case

    lost = []
    for path in [(), *distinct(value)]:
        place = parent_of(value, (*path, NEW_FIELD))
        if isinstance(place, dict):
            place[NEW_FIELD] = "new"
            if not noticed(read, value, rows):
                lost.append(path)
            del place[NEW_FIELD]

    assert lost == []
