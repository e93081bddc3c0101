import json
from pathlib import Path
from typing import Any

import pytest

from hawk.errors import NotFound, UserError
from hawk.log_gateway.guard import LogGuard
from hawk.log_gateway.paths import set_file
from hawk.log_gateway.streaming import sample_pieces
from hawk.object_store import s3_client
from hawk.settings import ObjectStoreSettings

LOG = "2025-11-07T10-59-47-05-00_websearch-addition-problem_LqPDntDnkk4h2fSqQ8i6CE.eval"


@pytest.fixture(scope="module")
def logs(shared_object_store: ObjectStoreSettings, tmp_path_factory: pytest.TempPathFactory) -> ObjectStoreSettings:
    """Put a real log into a set, and into another one as Inspect lays it out in chunks."""
    from inspect_ai.log._recorders.chunked import convert_eval_logs_to_chunked

    plain = Path(__file__).parents[1] / "data" / "evals" / LOG
    folder = tmp_path_factory.mktemp("chunked")
    convert_eval_logs_to_chunked(str(plain), str(folder), chunk_size=2, attachments_chunk_bytes=2000)
    s3 = s3_client(shared_object_store)
    for eval_set_id, path in (("plain", plain), ("chunked", folder / LOG)):
        s3.put_object(Bucket=shared_object_store.bucket, Key=f"evals/{eval_set_id}/{LOG}", Body=path.read_bytes())
    s3.put_object(Bucket=shared_object_store.bucket, Key="evals/plain/2025-11-07T10-59-47_x.json", Body=b"{}")
    return shared_object_store


def sample(settings: ObjectStoreSettings, eval_set_id: str, *, name: str = LOG, sample_id: str = "1") -> dict:
    s3 = s3_client(settings)
    stored = LogGuard(s3, settings.bucket).stored(set_file(eval_set_id, name))
    return json.loads(b"".join(sample_pieces(s3, settings.bucket, stored, sample_id, 1)))


def resolved(value: Any, attachments: dict[str, str]) -> Any:
    """Return the value with long texts in place of what refers to them."""
    if isinstance(value, str):
        return attachments[value.removeprefix("attachment://")] if value.startswith("attachment://") else value
    if isinstance(value, dict):
        return {name: resolved(item, attachments) for name, item in value.items()}
    return [resolved(item, attachments) for item in value] if isinstance(value, list) else value


def test_sample_in_chunks_is_told_as_one_that_is_not(logs):
    plain, chunked = sample(logs, "plain"), sample(logs, "chunked")

    texts = resolved(chunked["messages"], chunked["attachments"])
    assert [message["content"] for message in texts] == [message["content"] for message in plain["messages"]]
    assert [event["event"] for event in chunked["events"]] == [event["event"] for event in plain["events"]]
    assert chunked["scores"] == plain["scores"]
    assert set(chunked) >= {"attachments", "events_data"}


def test_a_sample_that_the_log_has_not_is_not_found(logs):
    with pytest.raises(NotFound):
        sample(logs, "plain", sample_id="../1")


def test_a_log_in_json_is_to_be_downloaded(logs):
    with pytest.raises(UserError, match="hawk download plain --log"):
        sample(logs, "plain", name="2025-11-07T10-59-47_x.json")
