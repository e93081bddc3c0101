"""The words of messages, by which people search transcripts; made after an import, so that imports need not wait."""

import time

import dagster as dg

from assets.failures import shown_failures
from assets.keys import MESSAGE_SEARCH, OWNERS, SEARCH_GROUP, SEARCH_POOL, raw_key
from hawk.settings import OrchestrationSettings
from hawk.warehouse.connection import connect
from hawk.warehouse.search_index import index_messages, search_backlog

# How often a long run says how far it is.
SECONDS_A_REPORT = 10.0
DESCRIPTION = """\
The index of words of messages. One row per message that can be searched.

Every import queues itself in `raw.search_queue`; `search_sensor` starts a run when something waits there, so that new
messages can be found within a minute. A run that ends midway goes on with the next."""


@dg.asset(
    key=MESSAGE_SEARCH,
    deps=[raw_key("message")],
    group_name=SEARCH_GROUP,
    owners=list(OWNERS),
    kinds={"python", "postgres"},
    tags={"hawk/layer": "raw"},
    description=DESCRIPTION,
    pool=SEARCH_POOL,
)
def message_search(
    context: dg.AssetExecutionContext, settings: dg.ResourceParam[OrchestrationSettings]
) -> dg.MaterializeResult[None]:
    """Make everything searchable that was imported, as far as the run's time goes."""
    begun = time.monotonic()
    deadline = begun + settings.import_minutes * 60
    indexed = 0
    with shown_failures(), connect(settings, autocommit=True) as connection:
        waited = search_backlog(connection).lag_seconds
        while True:
            indexed += index_messages(connection, seconds=SECONDS_A_REPORT)
            left = search_backlog(connection)
            if not left.imports or time.monotonic() > deadline:
                break
            context.log.info("%d messages can be found now, %d are left.", indexed, left.messages)
    seconds = time.monotonic() - begun
    return dg.MaterializeResult(
        metadata={
            "messages_indexed": dg.MetadataValue.int(indexed),
            "messages_left": dg.MetadataValue.int(left.messages),
            "imports_left": dg.MetadataValue.int(left.imports),
            "lag_seconds": dg.MetadataValue.float(round(waited + seconds if indexed else left.lag_seconds, 1)),
            "seconds": dg.MetadataValue.float(round(seconds, 3)),
            "messages_per_second": dg.MetadataValue.float(round(indexed / seconds, 1)),
        }
    )
