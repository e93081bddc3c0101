"""The analyses as assets: one step reads the marts once and computes those that a run selects."""

import logging
from collections.abc import Iterator

import dagster as dg
from psycopg import Connection
from psycopg.rows import DictRow

from assets.analyses.analysis import Analysis, AnalysisFrames
from assets.analyses.cost_quality import COST_QUALITY
from assets.analyses.difficulty import TASK_DIFFICULTY
from assets.analyses.epoch_stability import EPOCH_STABILITY
from assets.analyses.human_minutes import FACTS_FOLDER, model_releases, timed_runs
from assets.analyses.leaderboard import LEADERBOARD
from assets.analyses.pairwise import PAIRWISE
from assets.analyses.scores import sample_scores, sample_uses
from assets.analyses.time_horizon import TIME_HORIZON
from assets.failures import shown_failures
from assets.keys import ANALYSES_POOL
from hawk.settings import OrchestrationSettings
from hawk.warehouse.connection import connect

ANALYSES: tuple[Analysis, ...] = (
    LEADERBOARD,
    PAIRWISE,
    EPOCH_STABILITY,
    COST_QUALITY,
    TASK_DIFFICULTY,
    TIME_HORIZON,
)

logger = logging.getLogger(__name__)


@dg.multi_asset(
    name="analyse",
    specs=[analysis.spec.replace_attributes(skippable=True) for analysis in ANALYSES],
    pool=ANALYSES_POOL,
    can_subset=True,
)
def analyses(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[OrchestrationSettings]
) -> Iterator[dg.MaterializeResult[None]]:
    """Compute what is selected; one that fails does not keep the others back."""
    with shown_failures(), connect(settings) as connection:
        frames = read_frames(connection, settings)
    failed = []
    for analysis in ANALYSES:
        if analysis.key not in context.selected_asset_keys:
            continue
        try:
            findings = analysis.find(frames)
        except Exception:  # an analysis of ours that is wrong: the run fails at its end, and says which
            context.log.exception("%s could not be computed.", analysis.name)
            failed.append(analysis.name)
            continue
        yield dg.MaterializeResult(asset_key=analysis.key, metadata=findings.metadata())
    if failed:
        raise dg.Failure(
            description=f"Could not be computed: {', '.join(failed)}. The log has why.", allow_retries=False
        )


def read_frames(connection: Connection[DictRow], settings: OrchestrationSettings) -> AnalysisFrames:
    """Return what all analyses start from, of one moment of the marts."""
    connection.execute("set transaction isolation level repeatable read, read only")
    groups, folder = settings.dagster_described_groups, settings.analyses_folder or FACTS_FOLDER
    return AnalysisFrames(
        samples=sample_scores(connection, groups),
        uses=sample_uses(connection, groups),
        timed_runs=timed_runs(connection, groups, folder),
        releases=model_releases(folder),
    )
