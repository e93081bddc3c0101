"""The analyses as assets: one step reads the marts once and computes those that a run selects."""

import logging
from collections.abc import Iterator

import dagster as dg

from assets.analyses.catalog import ANALYSES
from assets.failures import shown_failures
from assets.keys import ANALYSES_POOL
from hawk.settings import OrchestrationSettings
from hawk.warehouse.connection import connect

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
    # Not before a run: what it imports takes longer than all else that Dagster's start imports.
    from assets.analyses.frames import read_frames

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
