"""Takes the steps one after the other, tells of each, and cleans up whatever happened."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal, TextIO

from hawk.errors import HawkError
from infra.smoke.instance import Failed, Instance

Outcome = Literal["ok", "failed", "skipped", "not offered by this instance"]


@dataclass
class Walk:
    """What the steps learn of one another."""

    instance: Instance
    options: Mapping[str, str] = field(default_factory=dict)
    eval_set_id: str = ""
    expected_samples: int = 0
    facts: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Step:
    """One thing that a user does; `needs` is a pattern of what the API must offer for it."""

    name: str
    take: Callable[[Walk], str]  # returns what there is to tell
    look: str  # where to look when it fails
    needs: str = ""
    cleans_up: bool = False  # taken also after a failure


@dataclass(frozen=True)
class Told:
    step: Step
    outcome: Outcome
    detail: str
    seconds: float


def take_steps(steps: tuple[Step, ...], walk: Walk, out: TextIO) -> list[Told]:
    """Take every step and return how each went; after a failure only those that clean up are taken."""
    told: list[Told] = []
    for step in steps:
        has_failed = any(each.outcome == "failed" for each in told)
        began = time.monotonic()
        skipped: tuple[Outcome, str] = ("skipped", "")
        outcome, detail = skipped if has_failed and not step.cleans_up else _take(step, walk)
        entry = Told(step, outcome, detail, time.monotonic() - began)
        told.append(entry)
        _print(entry, out)
    return told


def _take(step: Step, walk: Walk) -> tuple[Outcome, str]:
    try:
        if step.needs and not walk.instance.offering(step.needs):
            return "not offered by this instance", ""
        return "ok", step.take(walk)
    except (Failed, HawkError) as problem:
        return "failed", str(problem)
    except (KeyError, TypeError, ValueError, OSError) as problem:  # an answer in another form than this version's
        return "failed", f"It answers otherwise than this version does ({type(problem).__name__}: {problem})."


def _print(told: Told, out: TextIO) -> None:
    mark = {"ok": "ok  ", "failed": "FAIL", "skipped": "----"}.get(told.outcome, "n/a ")
    detail = told.detail if told.outcome in ("ok", "failed") else told.outcome
    out.write(f"{mark} {told.step.name:<34} {told.seconds:6.1f} s  {detail}\n")
    if told.outcome == "failed":
        out.write(f"     Look at: {told.step.look}\n")
    out.flush()
