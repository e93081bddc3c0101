"""What all analyses start from, read from the marts."""

from psycopg import Connection
from psycopg.rows import DictRow

from assets.analyses.analysis import AnalysisFrames
from assets.analyses.human_minutes import FACTS_FOLDER, model_releases, timed_runs
from assets.analyses.scores import sample_scores, sample_uses
from hawk.settings import OrchestrationSettings


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
