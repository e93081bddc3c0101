"""What the page of one sample reads: facts from the marts, the transcript from the raw tables."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

from hawk.listing.filters import Chosen, ListView, conditions
from hawk.listing.keyset import Cursor, ordering, place_conditions
from viewer.database import Row, fetch

MESSAGES_AT_ONCE = 200
EVENTS_AT_ONCE = 2000
MAX_TEXT_CHARACTERS = 2_000_000  # of one value; more would not show in a browser anyhow

_ATTACHMENT = re.compile(r"(?:attachment|tc)://([0-9a-f]{32})")


@dataclass(frozen=True)
class Neighbours:
    """The samples before and after in a list."""

    previous: Row | None = None
    following: Row | None = None


def sample(sample_uuid: str, eval_id: str | None) -> Row | None:
    """Return an attempt at a sample: of that eval, else the one that counts, else the last."""
    return _first(
        """select * from marts.fct_sample
        where sample_uuid = %(uuid)s and (%(eval_id)s::text is null or eval_id = %(eval_id)s)
        order by is_canonical desc, attempt_number desc limit 1""",
        uuid=sample_uuid,
        eval_id=eval_id,
    )


def attempts(sample: Row) -> list[Row]:
    """Return every attempt at the same sample and epoch of the same task in its eval set, first to last."""
    return fetch(
        """select sample_uuid, eval_id, attempt_number, is_canonical, status, completed_at from marts.fct_sample
        where eval_set_id = %(eval_set_id)s and task_id = %(task_id)s and sample_id = %(sample_id)s
            and epoch = %(epoch)s
        order by attempt_number limit 100""",
        {name: sample[name] for name in ("eval_set_id", "task_id", "sample_id", "epoch")},
    )


def raw_sample(import_id: int, sample_uuid: str) -> Row | None:
    """Return what only the raw row has: input, target, metadata, store, traceback."""
    return _first(
        """select input, target, choices, metadata, store, error_traceback, error_retries, invalidation, is_complete
        from raw.sample where import_id = %(import_id)s and sample_uuid = %(uuid)s""",
        import_id=import_id,
        uuid=sample_uuid,
    )


def scores(eval_id: str, sample_uuid: str) -> list[Row]:
    """Return the sample's scores, the headline's first, intermediate ones last."""
    return fetch(
        """select score.scorer, score.score_index, score.value, score.number, score.label, score.answer,
            score.explanation, score.is_headline, score.is_intermediate, score.is_edited, raw.metadata, raw.history
        from marts.fct_score as score
        left join raw.score as raw on raw.import_id = score.import_id and raw.sample_uuid = score.sample_uuid
            and raw.scorer = score.scorer and raw.score_index = score.score_index
        where score.eval_id = %(eval_id)s and score.sample_uuid = %(uuid)s
        order by score.is_headline desc, score.is_intermediate, score.scorer, score.score_index limit 200""",
        {"eval_id": eval_id, "uuid": sample_uuid},
    )


def usage(eval_id: str, sample_uuid: str) -> list[Row]:
    """Return the tokens of each model that the sample called."""
    return fetch(
        """select model, input_tokens, output_tokens, reasoning_tokens, input_tokens_cache_read,
            input_tokens_cache_write, total_tokens, total_cost_usd
        from marts.fct_model_usage where eval_id = %(eval_id)s and sample_uuid = %(uuid)s
        order by total_tokens desc nulls last, model limit 100""",
        {"eval_id": eval_id, "uuid": sample_uuid},
    )


def messages(import_id: int, sample_uuid: str, *, start: int) -> list[Row]:
    """Return the conversation from the message at `start` on, at most 200 messages."""
    return fetch(
        """select message_index, role, left(text, %(most)s) as text, length(text) as text_length, content, tool_calls,
            tool_call_id, tool_name, tool_error, model, source
        from raw.message where import_id = %(import_id)s and sample_uuid = %(uuid)s and message_index >= %(start)s
        order by message_index limit %(limit)s""",
        {
            "import_id": import_id,
            "uuid": sample_uuid,
            "start": start,
            "limit": MESSAGES_AT_ONCE,
            "most": MAX_TEXT_CHARACTERS,
        },
    )


def events(import_id: int, sample_uuid: str) -> list[Row]:
    """Return the sample's events without their data, in order, at most 2,000."""
    return fetch(
        """select event_index, kind, started_at, completed_at, working_start_seconds, working_seconds, model,
            model_role, tool_name, input_tokens, output_tokens, total_tokens, retries, left(error, 500) as error
        from raw.event where import_id = %(import_id)s and sample_uuid = %(uuid)s
        order by event_index limit %(limit)s""",
        {"import_id": import_id, "uuid": sample_uuid, "limit": EVENTS_AT_ONCE},
    )


def event_data(import_id: int, sample_uuid: str, event_index: int) -> Row | None:
    """Return one event as logged, as text; `length` says how long it is before it was cut."""
    return _first(
        """select kind, left(jsonb_pretty(data::jsonb), %(most)s) as text, length(jsonb_pretty(data::jsonb)) as length
        from raw.event where import_id = %(import_id)s and sample_uuid = %(uuid)s and event_index = %(index)s""",
        import_id=import_id,
        uuid=sample_uuid,
        index=event_index,
        most=MAX_TEXT_CHARACTERS,
    )


def attachments(import_id: int, sample_uuid: str, texts: Iterable[str]) -> dict[str, str]:
    """Return the long values that these texts refer to as `attachment://{hash}`, by hash."""
    hashes = sorted({found for text in texts for found in _ATTACHMENT.findall(text)})
    if not hashes:
        return {}
    rows = fetch(
        """select hash, left(content, %(most)s) as content from raw.attachment
        where import_id = %(import_id)s and sample_uuid = %(uuid)s and hash = any(%(hashes)s) limit 2000""",
        {"import_id": import_id, "uuid": sample_uuid, "hashes": hashes[:2000], "most": MAX_TEXT_CHARACTERS},
    )
    return {row["hash"]: row["content"] for row in rows}


def with_attachments(text: str, found: dict[str, str]) -> str:
    """Return the text with the long values in place of the references to them."""
    return _ATTACHMENT.sub(lambda match: found.get(match.group(1), match.group(0)), text)


def neighbours(view: ListView, chosen: Chosen, row: Row) -> Neighbours:
    """Return what stands before and after an attempt in a list, also where that does not have it (any more)."""
    columns = view.columns_of(chosen.sort)
    return Neighbours(
        _beside(view, chosen, Cursor.of(row, columns, is_before=True)),
        _beside(view, chosen, Cursor.of(row, columns)),
    )


def _beside(view: ListView, chosen: Chosen, cursor: Cursor) -> Row | None:
    columns = view.columns_of(chosen.sort)
    where, values = conditions(view, chosen)
    order = ordering(columns, is_reversed=cursor.is_before)
    texts, places = place_conditions(columns, cursor)
    for text in texts:
        found = _first(
            f"select sample_uuid, eval_id from {view.relation} {where} {'and' if where else 'where'} ({text}) {order}"  # noqa: S608  # names of ours; values are parameters
            " limit 1",
            **values,
            **places,
        )
        if found is not None:
            return found
    return None


def _first(query: str, /, **values: object) -> Row | None:
    rows = fetch(query, values)
    return rows[0] if rows else None
