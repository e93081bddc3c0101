"""Finds messages by their words, newest imports first, with the places in their texts."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg.rows import class_row, tuple_row

from hawk.errors import UserError

MAX_HITS = 200
MAX_QUERY_CHARACTERS = 1000
TIMEOUT_SECONDS = 10
MATCH_BEGIN, MATCH_END = "\ue000", "\ue001"  # around matches in snippets; no text has them, see _FOUND

_FOUND = f"""
with query as materialized (select websearch_to_tsquery('simple', %(query)s) as words),
hits as materialized (
    select found.* from query, raw.find_messages(
        query.words, %(eval_set_ids)s::text[], %(after_import_id)s::bigint, %(after_sample_uuid)s::text,
        %(after_message_index)s::int, %(per_sample)s::int, %(limit)s::int
    ) as found
)
select eval.eval_set_id, eval.eval_id, eval.task_name, eval.model, hits.import_id, hits.sample_uuid, sample.sample_id,
    sample.epoch, hits.message_index, message.role,
    ts_headline(
        'simple', translate(left(message.text, 500000), '{MATCH_BEGIN}{MATCH_END}', ''), query.words,
        'StartSel="{MATCH_BEGIN}", StopSel="{MATCH_END}", MaxFragments=2, MinWords=8, MaxWords=24,'
        ' FragmentDelimiter=" … "'
    ) as snippet,
    owner.import_id is not null as counts
from query
cross join hits
join raw.message as message
    on message.import_id = hits.import_id and message.sample_uuid = hits.sample_uuid
    and message.message_index = hits.message_index
join raw.sample as sample on sample.import_id = hits.import_id and sample.sample_uuid = hits.sample_uuid
join raw.eval as eval on eval.import_id = hits.import_id
left join raw.sample_owner as owner
    on owner.sample_uuid = hits.sample_uuid and owner.import_id = hits.import_id
order by hits.import_id desc, hits.sample_uuid, hits.message_index
"""  # noqa: S608  # two characters of ours
_HAS_WORDS = "select numnode(websearch_to_tsquery('simple', %s)) > 0"


@dataclass(frozen=True)
class MessageHit:
    """A message that has the words."""

    eval_set_id: str
    eval_id: str
    task_name: str
    model: str
    import_id: int
    sample_uuid: str
    sample_id: str
    epoch: int
    message_index: int
    role: str
    snippet: str
    counts: bool  # false: of an attempt that another log's took the place of


@dataclass(frozen=True)
class HitPage:
    """Some hits, and where to go on: the last of them, if there are more."""

    hits: list[MessageHit]
    next_after: MessageHit | None


def search_messages(
    connection: psycopg.Connection[Any],
    query: str,
    *,
    eval_set_ids: Sequence[str] | None = None,
    after: MessageHit | None = None,
    per_sample: int = 3,
    limit: int = 50,
) -> HitPage:
    """Return messages that have the words, newest import first, at most so many of a sample.

    Words of a query must all be there; `"in this order"`, `or` and `-without` mean what they do in web searches.
    `eval_set_ids` are those to look in, by default all. Raises UserError where the query has no word, or so many
    messages have its words that they cannot be gone through in 10 s.
    """
    limit = max(1, min(limit, MAX_HITS))
    values = {
        "query": query,
        "eval_set_ids": None if eval_set_ids is None else list(eval_set_ids),
        "after_import_id": after.import_id if after else None,
        "after_sample_uuid": after.sample_uuid if after else None,
        "after_message_index": after.message_index if after else None,
        "per_sample": per_sample,
        "limit": limit + 1,
    }
    try:
        with connection.transaction(), connection.cursor(row_factory=class_row(MessageHit)) as cursor:
            _require_words(connection, query)
            cursor.execute(f"set local statement_timeout = '{TIMEOUT_SECONDS}s'")
            hits = cursor.execute(_FOUND, values).fetchall()
    except psycopg.errors.QueryCanceled as error:
        raise UserError(
            f"So many messages have {query!r} that they cannot be gone through in {TIMEOUT_SECONDS} s.",
            hint="Add a rarer word, or look in fewer eval sets.",
            value=query,
            field="query",
        ) from error
    return HitPage(hits[:limit], hits[limit - 1] if len(hits) > limit else None)


def _require_words(connection: psycopg.Connection[Any], query: str) -> None:
    with connection.cursor(row_factory=tuple_row) as cursor:
        if len(query) > MAX_QUERY_CHARACTERS or "\0" in query:
            raise UserError(
                f"The query has {len(query)} characters; it may have {MAX_QUERY_CHARACTERS}, and none that is NUL.",
                hint="Search for some words of the message.",
                field="query",
            )
        if cursor.execute(_HAS_WORDS, (query,)).fetchone() != (True,):
            raise UserError(f"{query!r} has no word to search for.", hint="Give a word or a number.", field="query")
