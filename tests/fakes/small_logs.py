"""Logs made by hand, as small or as large as a test wants them, of any eval and model."""

import json
import os
import zipfile
from pathlib import Path
from typing import Any

CREATED = "2026-05-01T12:00:00+00:00"


def header_of(
    *,
    eval_id: str = "eval-one",
    model: str = "openai/small",
    task: str = "arithmetic",
    status: str = "success",
    samples: int = 1,
    used: tuple[str, ...] = (),
    **fields: Any,
) -> dict[str, Any]:
    """Return the header of a log; `used` are models that were called besides, `fields` are members of its eval."""
    usage = {"input_tokens": 10, "output_tokens": 5, "total_tokens": 15}
    return {
        "version": 2,
        "status": status,
        "eval": {
            "eval_id": eval_id,
            "run_id": f"run-{eval_id}",
            "created": CREATED,
            "task": task,
            "task_id": f"task-{eval_id}",
            "task_version": 0,
            "dataset": {"name": "sums", "samples": samples},
            "model": model,
            "config": {"epochs": 1},
            **fields,
        },
        "plan": {"name": "plan", "steps": []},
        "results": {"total_samples": samples, "completed_samples": samples, "scores": []},
        "stats": {
            "started_at": CREATED,
            "completed_at": CREATED,
            "model_usage": dict.fromkeys((model, *used), usage),
        },
    }


def sample_of(number: int, *, eval_id: str, padding: str = "") -> dict[str, Any]:
    return {
        "id": number,
        "epoch": 1,
        "uuid": f"{eval_id}-{number}",
        "input": f"What is {number} + 1? {padding}",
        "target": str(number + 1),
        "messages": [{"role": "user", "content": f"What is {number} + 1?"}],
        "output": {"model": "small", "choices": []},
        "scores": {"match": {"value": "C", "answer": str(number + 1)}},
        "metadata": {},
        "store": {},
        "events": [],
        "model_usage": {},
        "attachments": {},
    }


def small_log(path: Path, *, samples: int = 1, padding_bytes: int = 0, **fields: Any) -> Path:
    """Write a log, zip or JSON by the path's ending; `padding_bytes` do not compress."""
    header = header_of(samples=samples, **fields)
    eval_id = header["eval"]["eval_id"]
    padding = os.urandom(padding_bytes // 2).hex()
    made = [
        sample_of(number, eval_id=eval_id, padding=padding if number == 1 else "") for number in range(1, samples + 1)
    ]
    if path.suffix == ".json":
        path.write_text(json.dumps({**header, "samples": made}))
        return path
    method = zipfile.ZIP_STORED if padding_bytes else zipfile.ZIP_DEFLATED
    with zipfile.ZipFile(path, "w", method) as zipped:
        zipped.writestr(
            "_journal/start.json", json.dumps({"version": 2, "eval": header["eval"], "plan": header["plan"]})
        )
        for sample in made:
            zipped.writestr(f"samples/{sample['id']}_epoch_1.json", json.dumps(sample))
        zipped.writestr("header.json", json.dumps(header))
    return path
