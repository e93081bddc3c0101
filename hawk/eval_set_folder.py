"""The gate files of an eval set's folder on S3: `.models.json`, which is also the claim on its id, and `.config.yaml`.

Whoever reads the bucket judges by `.models.json` who may see the folder, so its groups may grow and never shrink.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, unquote

import yaml

from hawk.errors import Conflict, Upstream
from hawk.log_gateway.tags import tagging_header
from hawk.naming import COMMANDS_FOLDER, CONFIG_FILE, MODELS_FILE, eval_set_key, eval_set_prefix

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MAX_GATE_FILE_BYTES = 1024 * 1024
# Object metadata, not file content: `.models.json` stays as METR's Hawk writes it.
_CREATOR_METADATA = "hawk-created-by"


@dataclass(frozen=True)
class ModelsFile:
    """What `.models.json` says, and who put it there (None where it was not Hawk on Dagster)."""

    model_names: frozenset[str]
    model_groups: frozenset[str]
    created_by: str | None = None

    def union(self, other: "ModelsFile") -> "ModelsFile":
        return ModelsFile(self.model_names | other.model_names, self.model_groups | other.model_groups, self.created_by)

    def to_json(self) -> bytes:
        content = {"model_names": sorted(self.model_names), "model_groups": sorted(self.model_groups)}
        return json.dumps(content, indent=2).encode()


class EvalSetFolder:
    """One set's folder; every method raises Upstream where the object store fails."""

    def __init__(self, s3: "S3Client", bucket: str, eval_set_id: str) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._id = eval_set_id

    def claim(self, models: ModelsFile) -> bool:
        """Put `.models.json` where there is none, and say whether this call was the one that did."""
        from botocore.exceptions import ClientError

        with _upstream():
            try:
                self._s3.put_object(IfNoneMatch="*", **self._models_object(models))
            except ClientError as error:
                # 412 where it exists; AWS answers 409 where another conditional put is under way.
                if _code(error) in {"PreconditionFailed", "ConditionalRequestConflict"}:
                    return False
                raise
        return True

    def has_other_objects(self) -> bool:
        """Say whether anything but the gate files lies in the folder."""
        gate_files = {eval_set_key(self._id, CONFIG_FILE), eval_set_key(self._id, MODELS_FILE)}
        with _upstream():
            page = self._s3.list_objects_v2(
                Bucket=self._bucket, Prefix=eval_set_prefix(self._id), MaxKeys=len(gate_files) + 1
            )
        return any(item["Key"] not in gate_files for item in page.get("Contents", []))

    def read_models(self) -> ModelsFile | None:
        """Return what `.models.json` says, or None if there is none. Raises Conflict where it cannot be read."""
        from botocore.exceptions import ClientError

        with _upstream():
            try:
                answer = self._s3.get_object(Bucket=self._bucket, Key=eval_set_key(self._id, MODELS_FILE))
            except ClientError as error:
                if _code(error) in {"NoSuchKey", "404"}:
                    return None
                raise
            body = answer["Body"].read(MAX_GATE_FILE_BYTES + 1)
        creator = answer.get("Metadata", {}).get(_CREATOR_METADATA)
        return _parse_models(body, unquote(creator) if creator else None, self._id)

    def write_models(self, models: ModelsFile) -> None:
        """Put `.models.json` in place of what is there; the caller has united it with that."""
        with _upstream():
            self._s3.put_object(**self._models_object(models))

    def write_config(self, config: dict[str, Any]) -> None:
        """Put `.config.yaml`: the mapping that the user gave, in his order."""
        text = yaml.safe_dump(config, sort_keys=False, allow_unicode=True)
        with _upstream():
            self._s3.put_object(
                Bucket=self._bucket,
                Key=eval_set_key(self._id, CONFIG_FILE),
                Body=text.encode(),
                ContentType="application/yaml",
            )

    def write_stop_of_sample(self, sample_uuid: str, action: str) -> None:
        """Put a command that ends one sample, for the runner to find."""
        command = {"type": "stop", "action": action, "requested_at": datetime.now(UTC).isoformat()}
        with _upstream():
            self._s3.put_object(
                Bucket=self._bucket,
                Key=eval_set_key(self._id, f"{COMMANDS_FOLDER}/stop-sample-{sample_uuid}.json"),
                Body=json.dumps(command).encode(),
                ContentType="application/json",
            )

    def release(self) -> None:
        """Remove the gate files of a claim that came to nothing."""
        with _upstream():
            for name in (CONFIG_FILE, MODELS_FILE):
                self._s3.delete_object(Bucket=self._bucket, Key=eval_set_key(self._id, name))

    def _models_object(self, models: ModelsFile) -> dict[str, Any]:
        return {
            "Bucket": self._bucket,
            "Key": eval_set_key(self._id, MODELS_FILE),
            "Body": models.to_json(),
            "ContentType": "application/json",
            "Tagging": tagging_header(models.model_names),
            # HTTP headers are ASCII, subjects need not be.
            "Metadata": {_CREATOR_METADATA: quote(models.created_by)} if models.created_by else {},
        }


def models_file(names: Iterable[str], groups: Iterable[str], created_by: str | None) -> ModelsFile:
    return ModelsFile(frozenset(names), frozenset(groups), created_by)


def _parse_models(body: bytes, created_by: str | None, eval_set_id: str) -> ModelsFile:
    try:
        if len(body) > MAX_GATE_FILE_BYTES:
            raise ValueError("too large")
        content = json.loads(body)
        names, groups = content["model_names"], content["model_groups"]
        if not all(isinstance(value, str) for value in [*names, *groups]):
            raise TypeError("not text")
        return ModelsFile(frozenset(names), frozenset(groups), created_by)
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise Conflict(
            f"The file {MODELS_FILE} of eval set {eval_set_id} cannot be read, so its groups are not known.",
            hint="Use another id, or ask an administrator to repair the folder.",
            value=eval_set_id,
            field="eval_set_id",
        ) from error


@contextmanager
def _upstream() -> Iterator[None]:
    from botocore.exceptions import BotoCoreError, ClientError

    try:
        yield
    except (BotoCoreError, ClientError) as error:
        raise Upstream("The object store refused or did not answer.", hint="Try again in a moment.") from error


def _code(error: Any) -> str:
    return str(error.response.get("Error", {}).get("Code", ""))
