"""Who may see which files of an eval set's folder: never by fewer groups than its launch and a log's header name.

Answers are kept for some seconds, since a viewer reads a log in many small pieces.
"""

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from psycopg import Connection
from psycopg.rows import DictRow

from hawk.auth import Principal
from hawk.errors import Conflict
from hawk.eval_set_groups import declared_models, groups_of, required_groups
from hawk.eval_sets import EvalSetRow
from hawk.log_gateway.models import models_of_log
from hawk.log_gateway.paths import SetFile, no_such_file
from hawk.permissions import UNRESOLVED_GROUP, may_view, unseen_groups
from hawk.warehouse.log_archive import BrokenLog
from hawk.warehouse.log_source import s3_errors

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

KEPT_SECONDS = 10.0
MAX_KEPT = 5_000


@dataclass(frozen=True)
class StoredFile:
    """A file as it lies on S3 now."""

    file: SetFile
    size_bytes: int
    etag: str


@dataclass(frozen=True)
class Judgement:
    """Whether somebody may see something, and which groups he lacks for it."""

    may_see: bool
    missing_groups: tuple[str, ...] = ()


class LogGuard:
    """Judges callers; its methods block, and are safe to use from several threads."""

    def __init__(self, s3: "S3Client", bucket: str, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._s3 = s3
        self._bucket = bucket
        self._groups = _Kept[frozenset[str]](KEPT_SECONDS, clock)
        # A version never changes, so its models need not be asked for again.
        self._models = _Kept[frozenset[str]](float("inf"), clock)

    def judge_set(self, connection: Connection[DictRow], caller: Principal, row: EvalSetRow) -> Judgement:
        """Judge what lies in the set's folder beside its logs, and the list of them."""
        return _judgement(caller, self._groups_of_set(connection, row))

    def judge_log(
        self, connection: Connection[DictRow], caller: Principal, row: EvalSetRow, stored: StoredFile
    ) -> Judgement:
        """Judge one log, by its own header too. Raises Upstream."""
        of_log = self._groups_of_log(connection, stored)
        return _judgement(caller, self._groups_of_set(connection, row) | of_log)

    def stored(self, file: SetFile) -> StoredFile:
        """Return the file as it lies on S3. Raises NotFound and Upstream."""
        from botocore.exceptions import ClientError

        with s3_errors(file.name):
            try:
                head = self._s3.head_object(Bucket=self._bucket, Key=file.key)
            except ClientError as error:
                if error.response.get("ResponseMetadata", {}).get("HTTPStatusCode") in (400, 404):
                    raise no_such_file(file.name) from error
                raise
        return StoredFile(file, head["ContentLength"], head["ETag"].strip('"'))

    def _groups_of_set(self, connection: Connection[DictRow], row: EvalSetRow) -> frozenset[str]:
        def find() -> frozenset[str]:
            try:
                declared = declared_models(self._s3, self._bucket, row.eval_set_id)
            except Conflict:  # the file says nothing that can be believed
                declared = None
            # A folder whose gate file is missing says nothing of who may see it: nobody.
            told = required_groups(connection, row, declared)
            return told if declared is not None and declared.model_groups else told | {UNRESOLVED_GROUP}

        return self._groups.get(("set", row.eval_set_id, row.model_groups), find)

    def _groups_of_log(self, connection: Connection[DictRow], stored: StoredFile) -> frozenset[str]:
        key = stored.file.key

        def models() -> frozenset[str]:
            return models_of_log(self._s3, self._bucket, key, stored.etag)

        def find() -> frozenset[str]:
            try:
                return groups_of(connection, self._models.get((key, stored.etag), models))
            except BrokenLog:  # nobody knows what is in it
                return frozenset({UNRESOLVED_GROUP})

        return self._groups.get(("log", key, stored.etag), find)


def _judgement(caller: Principal, groups: frozenset[str]) -> Judgement:
    if may_view(caller, groups):
        return Judgement(may_see=True)
    return Judgement(may_see=False, missing_groups=tuple(unseen_groups(caller, groups)))


class _Kept[ValueT]:
    """Values by key, each for so many seconds; the ones asked for last."""

    def __init__(self, seconds: float, clock: Callable[[], float]) -> None:
        self._seconds = seconds
        self._clock = clock
        self._lock = threading.Lock()
        self._values: OrderedDict[Hashable, tuple[float, ValueT]] = OrderedDict()

    def get(self, key: Hashable, find: Callable[[], ValueT]) -> ValueT:
        """Return the value, found anew where none is kept; what `find` raises is kept by nobody."""
        with self._lock:
            found: Any = self._values.get(key)
        if found is not None and self._clock() - found[0] < self._seconds:
            value: ValueT = found[1]
            return value
        at = self._clock()
        value = find()
        with self._lock:
            self._values[key] = (at, value)
            self._values.move_to_end(key)
            while len(self._values) > MAX_KEPT:
                self._values.popitem(last=False)
        return value
