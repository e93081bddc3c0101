from datetime import UTC, datetime, timedelta

import dagster as dg
import pytest

from assets.upkeep import pending_uploads, retention
from hawk.log_import.pending_objects import PendingObjects
from hawk.object_store import s3_client
from tests.fakes.orchestrator import Orchestrator

UPLOAD = """
insert into ops.log_upload (upload_id, eval_set_id, set_name, created_by, file_name, size_bytes, content_hash,
    part_bytes, s3_upload_id, state, created_at, state_changed_at)
values (%s, 'imported-x', 'x', 'ann', 'a.eval', 10, %s, 8388608, %s, 'open', now(), now() - %s * interval '1 hour')
returning 1
"""


def metadata_of(hawk: Orchestrator, asset: dg.AssetsDefinition) -> dict[str, object]:
    result = dg.materialize([asset], resources=hawk.resources)
    [event] = result.get_asset_materialization_events()
    return {name: value.value for name, value in event.step_materialization_data.materialization.metadata.items()}


def test_uploads_that_were_left_alone_for_a_day_are_given_up_with_their_bytes(hawk: Orchestrator):
    s3 = s3_client(hawk.settings)
    pending = PendingObjects(s3, hawk.settings.bucket)
    for upload_id, hours in (("old", 25), ("new", 23)):
        s3_upload_id = pending.begin(upload_id)
        pending.put_part(upload_id, s3_upload_id, 1, b"0123456789")
        hawk.fetch(UPLOAD, upload_id, upload_id, s3_upload_id, hours)

    metadata = metadata_of(hawk, pending_uploads)

    assert metadata == {"given_up": 1, "open": 1, "open_bytes": 10}
    begun = s3.list_multipart_uploads(Bucket=hawk.settings.bucket)["Uploads"]
    assert [upload["Key"] for upload in begun] == ["pending/new"]


@pytest.mark.parametrize(("days", "shown", "dropped"), [(None, "never", 0), (30.0, "30", 2)])
def test_events_go_by_the_setting_and_never_without(hawk: Orchestrator, days: float | None, shown: str, dropped: int):
    long_ago = datetime.now(UTC) - timedelta(days=120)
    month = f"{long_ago:%Y_%m}"
    first = (long_ago.year * 100 + long_ago.month) * 10**10
    for table in ("event", "event_pool"):
        bounds = f"from ({first}) to ({first + 10**10})"
        hawk.fetch(
            f"create table raw.{table}_{month} partition of raw.{table} for values {bounds}",
            returns=False,
        )
    hawk.settings = hawk.settings.model_copy(update={"event_retention_days": days})

    metadata = metadata_of(hawk, retention)

    assert metadata["event_retention_days"] == shown
    assert metadata["partitions_dropped"] == dropped
    assert (month in str(metadata["dropped"]).replace("\\", "")) is bool(dropped)
