"""Messages are found by their words, soon after their import, in pieces that a dying process cannot lose."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import psycopg
import pytest

from hawk.errors import UserError
from hawk.warehouse import search_index
from hawk.warehouse.search import MATCH_BEGIN, MATCH_END, search_messages
from hawk.warehouse.search_index import index_messages, search_backlog

TEXTS = [
    "The quick brown fox jumps over the lazy dog.",
    "A fox, and a second fox.",
    f"Nothing of the kind {MATCH_BEGIN}here{MATCH_END}.",
    "",
    "the dog of the fox",
]


@pytest.fixture
def talk(warehouse: Any) -> Iterator[Any]:
    """Put a conversation into the raw tables, as an import does."""

    def add(texts: list[str], *, eval_set_id: str = "set-a", eval_id: str = "eval", sample_uuid: str = "u") -> int:
        import_id = warehouse.execute(
            "insert into raw.eval_import (eval_id, eval_set_id, location, etag, size_bytes, last_modified, log_status,"
            " sample_count, message_count, event_count, seconds, first_imported_at, imported_at)"
            " values (%s, %s, 'l', 'e', 1, now(), 'success', 1, %s, 0, 0, now(), now()) returning import_id",
            (eval_id, eval_set_id, len(texts)),
        ).fetchone()["import_id"]
        warehouse.execute(
            "insert into raw.eval (import_id, eval_id, eval_set_id, task_name, model, status, is_invalidated, location)"
            " values (%s, %s, %s, 'task', 'model', 'success', false, 'l')",
            (import_id, eval_id, eval_set_id),
        )
        warehouse.execute(
            "insert into raw.sample (import_id, sample_uuid, eval_id, sample_id, epoch, is_invalidated, is_complete,"
            " message_count, event_count, model_call_count, tool_call_count)"
            " values (%s, %s, %s, 's1', 1, false, true, %s, 0, 0, 0)",
            (import_id, sample_uuid, eval_id, len(texts)),
        )
        for index, text in enumerate(texts):
            warehouse.execute(
                "insert into raw.message (import_id, sample_uuid, message_index, role, text)"
                " values (%s, %s, %s, 'user', %s)",
                (import_id, sample_uuid, index, text),
            )
        warehouse.execute("insert into raw.search_queue values (%s, %s, 0, '', -1, now())", (import_id, len(texts)))
        return int(import_id)

    yield add


def found(warehouse: Any, query: str, **options: Any) -> list[int]:
    return [hit.message_index for hit in search_messages(warehouse, query, **options).hits]


def test_words_phrases_alternatives_and_exclusions_are_found(talk: Any, warehouse: Any) -> None:
    talk(TEXTS)
    index_messages(warehouse)

    assert found(warehouse, "fox") == [0, 1, 4]
    assert found(warehouse, "FOX dog") == [0, 4]
    assert found(warehouse, '"lazy dog"') == [0]
    assert found(warehouse, "second or lazy") == [0, 1]
    assert found(warehouse, "fox -dog") == [1]
    assert found(warehouse, "unicorn") == []


def test_hit_says_where_it_is_and_shows_the_place(talk: Any, warehouse: Any) -> None:
    import_id = talk(TEXTS)
    warehouse.execute("insert into raw.sample_owner values ('u', 'eval', %s, now())", (import_id,))
    index_messages(warehouse)

    (hit,) = search_messages(warehouse, "kind").hits

    assert (hit.eval_set_id, hit.eval_id, hit.import_id, hit.sample_uuid) == ("set-a", "eval", import_id, "u")
    assert (hit.sample_id, hit.epoch, hit.message_index, hit.role, hit.counts) == ("s1", 1, 2, "user", True)
    assert hit.snippet == f"Nothing of the {MATCH_BEGIN}kind{MATCH_END} here"


def test_pages_follow_one_another_newest_import_first(talk: Any, warehouse: Any) -> None:
    older, newer = talk(["fox"] * 5, eval_id="1"), talk(["fox"] * 5, eval_id="2")
    index_messages(warehouse)

    pages: list[list[tuple[int, int]]] = []
    after = None
    while not pages or after:
        page = search_messages(warehouse, "fox", after=after, limit=3, per_sample=4)
        pages.append([(hit.import_id, hit.message_index) for hit in page.hits])
        after = page.next_after

    assert pages == [
        [(newer, 0), (newer, 1), (newer, 2)],
        [(newer, 3), (older, 0), (older, 1)],
        [(older, 2), (older, 3)],
    ]


def test_only_the_given_eval_sets_are_looked_in(talk: Any, warehouse: Any) -> None:
    talk(["fox"], eval_id="1")
    talk(["a fox"], eval_set_id="set-b", eval_id="2")
    index_messages(warehouse)

    assert [hit.eval_set_id for hit in search_messages(warehouse, "fox", eval_set_ids=["set-b"]).hits] == ["set-b"]
    assert search_messages(warehouse, "fox", eval_set_ids=[]).hits == []


@pytest.mark.parametrize("query", ["", "!!", "x" * 2000, "a\0b"], ids=["empty", "no word", "long", "NUL"])
def test_query_that_cannot_be_searched_for_is_refused(query: str, warehouse: Any) -> None:
    with pytest.raises(UserError):
        search_messages(warehouse, query)


def test_index_goes_on_where_it_stopped_and_tells_how_far_it_is_behind(
    talk: Any, warehouse: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_index, "BATCH_MESSAGES", 2)
    talk(TEXTS)

    behind = [search_backlog(warehouse).messages]
    while search_backlog(warehouse).imports:
        index_messages(warehouse, seconds=0)
        behind.append(search_backlog(warehouse).messages)

    assert behind == [5, 3, 1, 0, 0]
    assert found(warehouse, "fox") == [0, 1, 4]
    assert warehouse.execute("select count(*) as n from raw.message_search").fetchone() == {"n": 4}


def test_batch_holds_so_many_bytes_and_at_least_one_message(
    talk: Any, warehouse: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(search_index, "BATCH_BYTES", 10)
    talk(["a text of more than ten bytes", "short", "of more than ten bytes too"])

    index_messages(warehouse, seconds=0)
    assert search_backlog(warehouse).messages == 2
    index_messages(warehouse)
    assert search_backlog(warehouse).imports == 0


def test_text_with_more_words_than_an_index_entry_holds_is_found_by_its_beginning(talk: Any, warehouse: Any) -> None:
    talk(["beginning " + " ".join(f"word{number:06d}" for number in range(100_000))])

    assert index_messages(warehouse) == 1
    assert found(warehouse, "beginning word000001") == [0]


def test_import_that_replaces_another_takes_its_index_along(
    logs_by_kind: dict[str, Path], import_file: Any, warehouse: Any, database_url: str
) -> None:
    import_file(logs_by_kind["started"], name="log.eval")
    assert search_backlog(warehouse).imports == 0  # searchable when it has ended
    import_file(logs_by_kind["plain"], name="log.eval")
    index_messages(warehouse)
    first = search_messages(warehouse, "ANSWER", per_sample=100).hits

    second = import_file(logs_by_kind["plain"], name="log.eval", force=True)
    with psycopg.connect(database_url, autocommit=True) as connection:
        index_messages(connection)

    hits = search_messages(warehouse, "ANSWER", per_sample=100).hits
    assert len(hits) == len(first) > 0
    assert {hit.import_id for hit in hits} == {second.import_id}
    rows = warehouse.execute("select count(*) as n, count(distinct import_id) as i from raw.message_search").fetchone()
    assert rows["i"] == 1
    assert rows["n"] == second.message_count
