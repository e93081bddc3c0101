"""What was said in samples, out of the warehouse."""

from collections.abc import Callable, Iterator
from typing import Any

from psycopg import Connection
from psycopg.rows import DictRow

from hawk.api.log_contracts import TranscriptMessage, TranscriptResponse, TranscriptScore, TranscriptSummary
from hawk.errors import NotFound

MAX_TEXT_CHARACTERS = 1_000_000  # of one text
MAX_CHARACTERS = 32_000_000  # of all texts of an answer; what is longer is for `--raw`
MAX_SCORES = 1000
MAX_IMPORTS = 20  # of one sample, that are looked through for one that the caller may see

_SUMMARY = """
sample.import_id, sample.sample_uuid, eval.eval_set_id, eval.eval_id, regexp_replace(eval.location, '^.*/', '') as log,
eval.location, eval.task_name, eval.model, sample.sample_id, sample.epoch, sample.is_complete,
left(sample.error_message, 2000) as error, sample.limit_type as "limit", sample.message_count
"""
_OF_SAMPLE = f"""
select {_SUMMARY}, sample.target, sample.started_at, sample.completed_at, sample.total_tokens
from raw.sample
inner join raw.eval using (import_id)
where sample.sample_uuid = %(uuid)s
order by sample.import_id desc
limit {MAX_IMPORTS}
"""  # noqa: S608  # texts of ours
_OF_SET = f"""
select {_SUMMARY}
from raw.eval
inner join raw.sample using (import_id)
where eval.eval_set_id = %(id)s and (eval.eval_id, sample.sample_uuid) > (%(eval_id)s, %(uuid)s)
order by eval.eval_id, sample.sample_uuid
limit %(limit)s
"""  # noqa: S608  # texts of ours
_MESSAGES = """
select role, left(text, %(most)s) as text, length(text) as text_length, tool_calls, tool_name, tool_error, model,
    case when role = 'assistant' and json_typeof(content) = 'array' then content end as content
from raw.message
where import_id = %(import_id)s and sample_uuid = %(uuid)s
order by message_index
"""
_SCORES = """
select scorer, value, left(answer, %(most)s) as answer, left(explanation, %(most)s) as explanation, is_intermediate
from raw.score
where import_id = %(import_id)s and sample_uuid = %(uuid)s
order by is_intermediate, scorer, score_index
limit %(limit)s
"""


def find_sample(connection: Connection[DictRow], sample_uuid: str, is_visible: Callable[[DictRow], bool]) -> DictRow:
    """Return the newest import of a sample that may be seen. Raises one NotFound for all others."""
    for row in connection.execute(_OF_SAMPLE, {"uuid": sample_uuid}).fetchall():
        if is_visible(row):
            return row
    raise no_such_sample(sample_uuid)


def no_such_sample(sample_uuid: str) -> NotFound:
    return NotFound(
        f"There is no sample {sample_uuid[:100]!r} that you may see.",
        hint="It is found once its log is imported; see hawk list samples.",
        value=sample_uuid[:100],
        field="sample_uuid",
    )


def samples_of_set(
    connection: Connection[DictRow], eval_set_id: str, *, after: tuple[str, str], limit: int
) -> list[TranscriptSummary]:
    """Return samples of a set by eval and uuid, those after a pair of these."""
    values = {"id": eval_set_id, "eval_id": after[0], "uuid": after[1], "limit": limit}
    return [TranscriptSummary.model_validate(row) for row in connection.execute(_OF_SET, values)]


def transcript(connection: Connection[DictRow], sample: DictRow) -> TranscriptResponse:
    """Return the conversation and scores of a sample that `find_sample` found."""
    values = {"import_id": sample["import_id"], "uuid": sample["sample_uuid"], "most": MAX_TEXT_CHARACTERS}
    scores = connection.execute(_SCORES, {**values, "limit": MAX_SCORES}).fetchall()
    answer = TranscriptResponse.model_validate(
        sample | {"scores": [TranscriptScore.model_validate(score) for score in scores]}
    )
    room = MAX_CHARACTERS
    with connection.transaction(), connection.cursor(name="messages") as cursor:
        cursor.itersize = 200
        for row in cursor.execute(_MESSAGES, values):
            message = _message(row, room)
            kept = len(message.text) + len(message.reasoning)
            room -= kept
            answer.left_out_characters += max(0, (row["text_length"] or 0) - len(message.text))
            answer.messages.append(message)
    return answer


def _message(row: DictRow, room: int) -> TranscriptMessage:
    text = (row["text"] or "")[: max(room, 0)]
    reasoning = "\n".join(_reasoning(row["content"]))[: max(0, min(MAX_TEXT_CHARACTERS, room - len(text)))]
    calls = row["tool_calls"]
    return TranscriptMessage(
        role=row["role"],
        text=text,
        reasoning=reasoning,
        tool_calls=calls if isinstance(calls, list) else [],
        tool_name=row["tool_name"],
        tool_error=row["tool_error"],
        model=row["model"],
    )


def _reasoning(content: Any) -> Iterator[str]:
    for part in content if isinstance(content, list) else []:
        if isinstance(part, dict) and part.get("type") == "reasoning" and isinstance(part.get("reasoning"), str):
            yield part["reasoning"]
