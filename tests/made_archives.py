"""Logs in the `.eval` format put together member by member, for tests of what Inspect would not write."""

import io
import json
import zipfile
from typing import Any

START: dict[str, Any] = {
    "version": 2,
    "eval": {"task": "t", "model": "m", "created": "2026-01-01T00:00:00Z", "eval_id": "e", "dataset": {}, "config": {}},
    "plan": {"steps": []},
}
HEADER: dict[str, Any] = {
    **START,
    "status": "success",
    "stats": {},
    "results": {"total_samples": 1, "completed_samples": 1},
}
SAMPLE: dict[str, Any] = {
    "id": 1,
    "epoch": 1,
    "input": "hello",
    "target": "x",
    "messages": [],
    "events": [],
    "uuid": "u1",
}


def archive(members: dict[str, bytes | Any], compression: int = zipfile.ZIP_DEFLATED) -> bytes:
    """Return a zip of members, each bytes or a value that is written as JSON."""
    body = io.BytesIO()
    with zipfile.ZipFile(body, "w", compression) as file:
        for name, data in members.items():
            file.writestr(name, data if isinstance(data, bytes) else json.dumps(data))
    return body.getvalue()
