"""The analyses that there are. Each is imported when it is computed: pandas alone takes a second of Dagster's start."""

import importlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING

import dagster as dg

from assets.keys import ANALYSES_GROUP, OWNERS, analysis_key
from hawk.naming import MARTS_SCHEMA

if TYPE_CHECKING:
    from assets.analyses.analysis import AnalysisFrames, Findings

# Whose evals may be told of, and which score speaks for a task.
ALWAYS_READ = ("fct_eval", "dim_task")
SEEN = (
    "Of eval sets whose groups all readers of Dagster hold. Definitions: docs/reference/statistics.md. "
    "`analyses_sensor` has it computed when the marts have changed."
)


@dataclass(frozen=True)
class Analysis:
    """One asset `analyses/{name}`; its function, `module:name`, makes findings of frames."""

    name: str
    marts: tuple[str, ...]
    description: str
    target: str

    @property
    def key(self) -> dg.AssetKey:
        return analysis_key(self.name)

    @property
    def spec(self) -> dg.AssetSpec:
        return dg.AssetSpec(
            key=self.key,
            deps=[dg.AssetKey([MARTS_SCHEMA, mart]) for mart in (*ALWAYS_READ, *self.marts)],
            group_name=ANALYSES_GROUP,
            owners=list(OWNERS),
            kinds={"python"},
            tags={"hawk/layer": "analyses"},
            description=f"{self.description}\n\n{SEEN}",
        )

    def find(self, frames: "AnalysisFrames") -> "Findings":
        """Return what the analysis finds in the frames."""
        module, _, name = self.target.partition(":")
        function: Callable[[AnalysisFrames], Findings] = getattr(importlib.import_module(module), name)
        return function(frames)


ANALYSES: tuple[Analysis, ...] = (
    Analysis(
        name="leaderboard",
        marts=("fct_score",),
        description="Mean score of each model at each task with standard error and 95 % interval, best first.",
        target="assets.analyses.leaderboard:find_leaderboard",
    ),
    Analysis(
        name="pairwise",
        marts=("fct_score",),
        description=(
            "Every two models on the samples that both have: paired difference, its standard error, p-values (also "
            "after Holm and Benjamini-Hochberg, and McNemar's), correlation, and the effect that could be detected."
        ),
        target="assets.analyses.pairwise:find_pairwise",
    ),
    Analysis(
        name="epoch_stability",
        marts=("fct_score",),
        description="Whether epochs of a sample agree: pass@1, pass@k, pass^k, and the share of samples that differ.",
        target="assets.analyses.epoch_stability:find_epoch_stability",
    ),
    Analysis(
        name="cost_quality",
        marts=("fct_sample", "fct_score"),
        description="Mean score against cost of a sample (tokens where a price is not known), and the Pareto front.",
        target="assets.analyses.cost_quality:find_cost_quality",
    ),
    Analysis(
        name="task_difficulty",
        marts=("fct_score",),
        description=(
            "Difficulty of each task, allowing for which models tried it (Rasch), and whether it tells them apart."
        ),
        target="assets.analyses.difficulty:find_difficulty",
    ),
    Analysis(
        name="time_horizon",
        marts=("fct_score",),
        description=(
            "How long the tasks take people that each model solves half, or 80 %, of the time (after METR), with "
            "intervals of a hierarchical bootstrap, and how fast that grows with release dates. Where human minutes "
            "are known."
        ),
        target="assets.analyses.time_horizon:find_time_horizon",
    ),
)
