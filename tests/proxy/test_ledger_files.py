"""The ledger's first half: lines and segments on disk, without a database."""

import os
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import SecretStr

from hawk.auth import Principal
from hawk.model_registry.prices import TokenUsage
from proxy.budgets import Budgets
from proxy.calls import Call, CallerFacts, new_call_id
from proxy.ledger import Ledger, new_worker_id
from proxy.ledger_lines import COLUMNS, closed_line, fixed_part, interrupted_line, open_line, unclosed
from proxy.providers import provider_of
from proxy.refusals import Refusal
from proxy.registered import Registered, RegisteredModel
from proxy.segments import Segment, left_behind

PROVIDER = provider_of("openai", "openai", "https://api.openai.com", SecretStr("k"))


def call(**fields) -> Call:
    values = {
        "principal": Principal(subject="alice"),
        "model": RegisteredModel("openai/m", "public"),
        "operation": "chat/completions",
        "reserved_usd": Decimal("0.5"),
    }
    return Call(provider=PROVIDER, **{**values, **fields})


def columns(line: bytes) -> dict[str, str]:
    assert line.count(b"\n") == 1
    assert line.endswith(b"\n")
    return dict(zip(COLUMNS, line.decode()[:-1].split("\t"), strict=True))


@given(st.text(max_size=40), st.text(max_size=40))
def test_no_text_breaks_a_line(user, task):
    made = call(principal=Principal(subject=user), facts=CallerFacts(task_name=task))
    fixed = fixed_part(made, "w")

    for line in (open_line(fixed), interrupted_line(fixed), closed_line(made, fixed, ended_at=1.0)):
        assert "\\N" not in columns(line)["user_name"].replace("\\\\", "")


def test_ends_of_a_call_say_what_is_known():
    made = call(state="complete", status=200, usage=TokenUsage(3, 2), usage_state="reported", total_seconds=0.5)
    fixed = fixed_part(made, "w")

    lines = (open_line(fixed), closed_line(made, fixed, ended_at=1.0), interrupted_line(fixed))
    opened, closed, broken_off = map(columns, lines)

    assert (opened["state"], opened["usage_state"], opened["charged_usd"], opened["input_tokens"]) == (
        "open",
        "pending",
        "0.5",
        "\\N",
    )
    assert (closed["state"], closed["input_tokens"], closed["output_tokens"]) == ("complete", "3", "2")
    assert (broken_off["state"], broken_off["usage_state"], broken_off["charged_usd"]) == (
        "interrupted",
        "missing",
        "0.5",
    )


def test_call_ids_are_version_7_uuids_that_sort_by_time():
    ids = [new_call_id() for _ in range(1000)]

    assert len(set(ids)) == 1000
    assert {(len(text), text[12], text[16] in "89ab") for text in ids} == {(32, "7", True)}
    assert [text[:12] for text in ids] == sorted(text[:12] for text in ids)


def new_ledger(folder: Path) -> Ledger:
    return Ledger(folder, new_worker_id(), Budgets())


def test_calls_of_a_dead_process_are_interrupted_but_for_those_that_ended(tmp_path):
    dead = new_ledger(tmp_path)
    ended, running = call(state="complete"), call()
    dead.open(ended)
    dead.open(running)
    dead.close(ended)
    for segment in dead.segments:  # as the kernel does when a process ends
        segment.close()

    ledger = new_ledger(tmp_path)

    assert len(ledger.segments) == 2
    lines = list(ledger.segments[0].lines())
    assert [line.split(b"\t")[20] for line in lines] == [b"open", b"open", b"complete", b"interrupted"]
    assert lines[-1].startswith(running.call_id.encode())
    assert unclosed(iter(lines)) == []
    ledger.finish()


def test_segment_of_a_living_process_is_left_alone(tmp_path):
    living = new_ledger(tmp_path)
    living.open(call())

    assert left_behind(tmp_path) == []
    living.finish()
    assert [len(segment.path.read_bytes()) > 0 for segment in left_behind(tmp_path)] == [True]


@pytest.mark.parametrize("rest", [b"", b"half a line", b"x" * 3_000_000])
def test_line_that_was_not_finished_is_dropped(tmp_path, rest):
    path = tmp_path / "a.ledger"
    path.write_bytes(b"first\nsecond\n" + rest)

    segment = Segment.adopt(path)

    assert segment is not None
    assert path.read_bytes() == b"first\nsecond\n"
    assert segment.uncopied(segment.size_bytes) == b"first\nsecond\n"
    segment.close()


def test_full_segment_is_followed_by_another_that_knows_the_open_calls(tmp_path):
    ledger = Ledger(tmp_path, new_worker_id(), Budgets(), max_segment_bytes=500)
    running, ended = call(), call(state="complete")
    ledger.open(running)
    ledger.open(ended)
    ledger.close(ended)

    ledger.tidy()
    first, second = ledger.segments
    first.copied_bytes = first.size_bytes
    ledger.tidy()

    assert ledger.segments == [second]
    assert [line[:32].decode() for line in second.lines()] == [running.call_id]
    assert not first.path.exists()
    ledger.finish()


def test_call_is_not_forwarded_when_it_cannot_be_written_down(tmp_path):
    budgets = Budgets()
    budgets.replace(Registered(budgets={("user", "alice", "total"): Decimal(1)}))
    ledger = Ledger(tmp_path, new_worker_id(), budgets)
    os.close(ledger.segments[0]._descriptor)

    with pytest.raises(Refusal) as caught:
        ledger.open(call())

    assert caught.value.status == 503
    assert ledger.open_count == 0
    assert budgets.spent(("user", "alice", "total")) == 0
