"""The rows of a sample's scores: the last of each scorer, and those on the way. Pure."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Self

import msgspec
from msgspec import Raw

from hawk.warehouse.decoding import Reader
from hawk.warehouse.log_values import value_number
from hawk.warehouse.raw_json import is_given
from hawk.warehouse.records import SampleRecord, ScoreEventRecord, ScoreMetadataRecord, ScoreRecord
from hawk.warehouse.rows import ScoreRow, jsonb

UNNAMED_SCORER = "score"

_read_score = Reader(ScoreRecord).read
_decode_event = msgspec.json.Decoder(ScoreEventRecord).decode
_decode_metadata = msgspec.json.Decoder(ScoreMetadataRecord).decode
_encode = msgspec.json.encode


@dataclass(frozen=True)
class IntermediateScore:
    """A score that was given while the sample ran."""

    scorer: str | None  # logs before 2026 do not say
    score: Raw

    @classmethod
    def read(cls, event: Raw) -> Self:
        """Return the score of a score event, apart from the bytes around it."""
        record = _decode_event(event)
        return cls(record.scorer, Raw(bytes(record.score)))


def score_rows(
    import_id: int,
    sample_uuid: str,
    record: SampleRecord,
    *,
    intermediate: Sequence[IntermediateScore],
    first_scorer: str | None,
) -> Iterator[ScoreRow]:
    """Yield the scores of a sample; `first_scorer` is whose it is where an old log does not name one."""
    scores = record.scores
    if scores is None and is_given(record.score):
        scores = {first_scorer or UNNAMED_SCORER: record.score}
    for scorer, score in (scores or {}).items():
        yield _score_row(import_id, sample_uuid, scorer, 0, score)
    only_scorer = next(iter(scores)) if scores and len(scores) == 1 else UNNAMED_SCORER
    seen: Counter[str] = Counter()
    for given in intermediate:
        scorer = given.scorer or only_scorer
        seen[scorer] += 1
        yield _score_row(import_id, sample_uuid, scorer, seen[scorer], given.score)


def _score_row(import_id: int, sample_uuid: str, scorer: str, index: int, data: Raw) -> ScoreRow:
    score, other = _read_score(data)
    return ScoreRow(
        import_id=import_id,
        sample_uuid=sample_uuid,
        scorer=scorer,
        score_index=index,
        value=jsonb(score.value),
        value_number=value_number(score.value),
        answer=score.answer,
        explanation=score.explanation,
        is_intermediate=index > 0,
        metadata=jsonb(score.metadata),
        history=jsonb(score.history),
        reason=score.reason or _reason_of_old(score.metadata),
        other=jsonb(_encode(other)) if other else None,
    )


def _reason_of_old(metadata: Raw) -> str | None:
    if b'"unscored_reason"' not in memoryview(metadata).tobytes():
        return None
    reason = _decode_metadata(metadata).unscored_reason
    return reason if isinstance(reason, str) else None
