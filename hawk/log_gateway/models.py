"""Which models a log names, as the tags of its object on S3 say, or else its own header."""

import contextlib
import logging
from typing import TYPE_CHECKING

from hawk.errors import HawkError, NotFound
from hawk.log_gateway.tags import model_tags, tagged_models
from hawk.log_import.facts import facts_of
from hawk.warehouse.eval_rows import summarize
from hawk.warehouse.log_archive import BrokenLog
from hawk.warehouse.log_source import S3Source, s3_errors
from hawk.warehouse.read_limits import DEFAULT_LIMITS, ReadLimits
from hawk.warehouse.reader import EvalLog, open_readable

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

logger = logging.getLogger(__name__)


def tag_log(s3: "S3Client", bucket: str, key: str, log: EvalLog, etag: str) -> None:
    """Tag a log's object with the models of its header; one that cannot be tagged is left as it is."""
    try:
        models = facts_of(summarize(log)).model_names
    except BrokenLog:  # whoever reads it says so
        return
    _tag(s3, bucket, key, models, etag)


def models_of_log(
    s3: "S3Client", bucket: str, key: str, etag: str, *, limits: ReadLimits = DEFAULT_LIMITS
) -> frozenset[str]:
    """Return every model that this version of a log names; a log without a tag gets one.

    Raises BrokenLog where the log does not say, NotFound and ObjectChanged where it is gone, and Upstream.
    """
    with s3_errors(key):
        answer = s3.get_object_tagging(Bucket=bucket, Key=key)
    known = tagged_models({tag["Key"]: tag["Value"] for tag in answer["TagSet"]}, etag)
    if known is not None:
        return known
    source = S3Source(s3, bucket, key, etag=etag)
    with contextlib.ExitStack() as opened:
        opened.callback(source.close)
        log = opened.enter_context(contextlib.closing(open_readable(source, limits)))
        models = facts_of(summarize(log)).model_names
    _tag(s3, bucket, key, models, etag)
    return models


def _tag(s3: "S3Client", bucket: str, key: str, models: frozenset[str], etag: str) -> None:
    tags = model_tags(models, etag)
    if tags is None:
        return
    tag_set = [{"Key": name, "Value": value} for name, value in tags.items()]
    try:
        with s3_errors(key):
            s3.put_object_tagging(Bucket=bucket, Key=key, Tagging={"TagSet": tag_set})  # type: ignore[typeddict-item]  # a dict of str
    except NotFound:
        pass  # deleted since
    except HawkError as error:
        logger.warning("a log could not be tagged", extra={"key": key, "error": str(error)})
