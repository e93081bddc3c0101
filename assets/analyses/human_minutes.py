"""Runs at tasks of which it is known how long they take people, and when models were released.

Minutes are the `human_minutes` of a sample's or a task's metadata, with its `family` and `chance_floor` if it has them;
where a log has none, those of task_length.csv. Release dates are those of model_release.csv.
"""

import csv
import re
from collections.abc import Mapping
from datetime import date
from pathlib import Path

import pandas as pd
from psycopg import Connection
from psycopg.rows import DictRow

from assets.analyses.scores import COUNTED_SCORES, DESCRIBED_EVALS, read_frame
from hawk.errors import UserError

TASK_LENGTHS = "task_length.csv"
MODEL_RELEASES = "model_release.csv"
FACTS_FOLDER = Path(__file__).parent
_DATED = re.compile(r"[-@](20\d{2}-?\d{2}-?\d{2}|latest|preview)$")

# Whether an eval's samples carry minutes is seen at one of them: metadata of a million is not read for nothing.
_TIMED = f"""
with {DESCRIBED_EVALS}, {COUNTED_SCORES},
headers as (
    select
        described.import_id, evals.metadata,
        coalesce((
            select samples.metadata ? 'human_minutes' from raw.sample as samples
            where samples.import_id = described.import_id limit 1
        ), false) as is_in_samples
    from described
    inner join raw.eval as evals using (import_id)
)
select
    counted.model, counted.task_name as task, counted.sample_id, counted.number as score,
    coalesce(samples.metadata ->> 'human_minutes', headers.metadata ->> 'human_minutes') as minutes,
    coalesce(samples.metadata ->> 'family', headers.metadata ->> 'family') as family,
    coalesce(samples.metadata ->> 'chance_floor', headers.metadata ->> 'chance_floor') as floor
from counted
inner join headers using (import_id)
left join raw.sample as samples
    on headers.is_in_samples
    and samples.import_id = counted.import_id and samples.sample_uuid = counted.sample_uuid
where headers.is_in_samples or headers.metadata ? 'human_minutes' or counted.task_name = any(%(known_tasks)s::text[])
"""  # noqa: S608  # texts of ours


def timed_runs(connection: Connection[DictRow], groups: tuple[str, ...], folder: Path) -> pd.DataFrame:
    """Return one row per scored run with known minutes: model, task, sample_id, score, minutes, family, floor."""
    known = task_lengths(folder)
    texts = ("model", "task", "sample_id", "minutes", "family", "floor")
    values = {"groups": list(groups), "known_tasks": sorted({task for task, _ in known})}
    return with_known_lengths(read_frame(connection, _TIMED, values, texts=texts), known)


type TaskLengths = dict[tuple[str, str], tuple[float, str, float]]


def with_known_lengths(runs: pd.DataFrame, known: TaskLengths) -> pd.DataFrame:
    """Return the runs with numbers for minutes and floors, filled from what is known; what is none is left out."""
    filled = runs.copy()
    for name in ("minutes", "floor"):
        filled[name] = pd.to_numeric(filled[name], errors="coerce").astype(float)
    lengths = [
        known.get((task, sample_id)) or known.get((task, "")) or (float("nan"), "", 0.0)
        for task, sample_id in zip(filled["task"], filled["sample_id"], strict=True)
    ]
    is_unknown = filled["minutes"].isna()
    for place, name in enumerate(("minutes", "family", "floor")):
        filled[name] = filled[name].where(~is_unknown, pd.Series([row[place] for row in lengths], index=filled.index))
    filled["floor"] = filled["floor"].where(filled["floor"].between(0, 0.99), 0.0)
    filled["family"] = filled["family"].where(filled["family"] != "", filled["task"])
    return filled[filled["minutes"] > 0].reset_index(drop=True)


def task_lengths(folder: Path) -> TaskLengths:
    """Return minutes, family and chance floor by task and sample; a sample of '' stands for all of the task's."""
    lengths: TaskLengths = {}
    for line, row in _rows(folder / TASK_LENGTHS):
        try:
            lengths[row["task_name"], row["sample_id"]] = (
                float(row["human_minutes"]),
                row["family"],
                float(row["chance_floor"] or 0),
            )
        except (KeyError, ValueError, TypeError) as error:
            raise _broken(
                folder / TASK_LENGTHS, line, "task_name,sample_id,family,human_minutes,chance_floor"
            ) from error
    return lengths


def model_releases(folder: Path) -> dict[str, date]:
    """Return release dates by model, as named in the file: `gpt-4o`, or `openai/gpt-4o` where providers differ."""
    releases: dict[str, date] = {}
    for line, row in _rows(folder / MODEL_RELEASES):
        try:
            releases[row["model"]] = date.fromisoformat(row["released_on"])
        except (KeyError, ValueError, TypeError) as error:
            raise _broken(folder / MODEL_RELEASES, line, "model,released_on") from error
    return releases


def released_on(model: str, releases: Mapping[str, date]) -> date | None:
    """Return when a model came out: by its name, then without provider, then without a date or `latest` at its end."""
    short = model.rpartition("/")[2]
    return next((releases[name] for name in (model, short, _DATED.sub("", short)) if name in releases), None)


def _rows(path: Path) -> list[tuple[int, dict[str, str]]]:
    if not path.exists():
        return []
    with path.open(newline="") as lines:
        return list(enumerate(csv.DictReader(lines), start=2))


def _broken(path: Path, line: int, columns: str) -> UserError:
    return UserError(f"{path.name}:{line} cannot be read.", hint=f"Its columns are {columns}.", value=str(path))
