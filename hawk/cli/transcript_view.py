"""A transcript as Markdown, for people: what strangers wrote stands in fences that it cannot end."""

import json
import re
from collections.abc import Iterator
from typing import Any

from hawk.api.log_contracts import TranscriptMessage, TranscriptResponse, TranscriptScore
from hawk.cli.output import plain

_FENCE = re.compile(r"^\s*(`{3,})", re.MULTILINE)
_WORD = re.compile(r"[^\w ./:@+-]")


def markdown(transcript: TranscriptResponse) -> str:
    """Return the transcript as one document, free of what steers a terminal."""
    return plain("\n".join(_lines(transcript)).rstrip() + "\n")


def _lines(transcript: TranscriptResponse) -> Iterator[str]:
    yield f"# {_word(transcript.task_name)}: {_word(transcript.sample_id)}, epoch {transcript.epoch}"
    yield ""
    facts = {
        "model": transcript.model,
        "sample": transcript.sample_uuid,
        "eval set": transcript.eval_set_id,
        "log": transcript.log,
        "limit": transcript.limit,
        "tokens": transcript.total_tokens,
        "state": None if transcript.is_complete else "not finished, or known in part only",
    }
    yield from (f"- {name}: {_word(value)}" for name, value in facts.items() if value is not None)
    if transcript.target not in (None, "", []):
        yield "- target:"
        yield from _fenced(transcript.target)
    if transcript.error:
        yield "\n## Error\n"
        yield from _fenced(transcript.error)
    if transcript.scores:
        yield "\n## Scores"
        for score in transcript.scores:
            yield from _score(score)
    yield "\n## Messages"
    for number, message in enumerate(transcript.messages, start=1):
        yield from _message(number, message)
    if transcript.left_out_characters:
        yield f"\n{transcript.left_out_characters:,} characters of long texts are left out; `--raw` has them."


def _score(score: TranscriptScore) -> Iterator[str]:
    yield f"\n### {_word(score.scorer)}{' (on the way)' if score.is_intermediate else ''}\n"
    yield from _fenced(score.value)
    for name, text in (("answer", score.answer), ("explanation", score.explanation)):
        if text:
            yield f"\n{name}:\n"
            yield from _fenced(text)


def _message(number: int, message: TranscriptMessage) -> Iterator[str]:
    said_by = message.tool_name if message.role == "tool" else message.model
    yield f"\n### {number}. {_word(message.role)}{f' ({_word(said_by)})' if said_by else ''}\n"
    if message.reasoning:
        yield "reasoning:\n"
        yield from _fenced(message.reasoning)
    if message.text:
        yield from _fenced(message.text)
    for call in message.tool_calls:
        name = call.get("function", "") if isinstance(call, dict) else ""
        yield f"\ntool call {_word(name)}:\n"
        yield from _fenced(call.get("arguments") if isinstance(call, dict) else call)
    if message.tool_error:
        yield "\ntool error:\n"
        yield from _fenced(message.tool_error)


def _fenced(value: Any) -> list[str]:
    text = value if isinstance(value, str) else json.dumps(value, indent=2, ensure_ascii=False)
    longest = max((len(run) for run in _FENCE.findall(text)), default=2)
    fence = "`" * (longest + 1)
    return [fence, text.rstrip("\n"), fence]


def _word(value: object) -> str:
    """Return a name as one line that Markdown takes for nothing else."""
    return _WORD.sub("�", " ".join(str(value).split()))[:300]
