"""Which models a log names, as a tag of its object on S3 says, or else its own header.

The tag `InspectModels` is that of METR's Hawk, so that its tools, and policies of AWS, can judge by it. A second tag
names the version that was read: a tag that came too late, to a version that nobody has read, is not believed.
"""

import contextlib
import logging
import re
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from hawk.errors import HawkError, NotFound
from hawk.log_import.facts import facts_of
from hawk.warehouse.eval_rows import EvalSummary, summarize
from hawk.warehouse.log_archive import TruncatedLog
from hawk.warehouse.log_source import S3Source, s3_errors
from hawk.warehouse.read_limits import DEFAULT_LIMITS, ReadLimits
from hawk.warehouse.reader import EvalLog, open_log, salvage_log

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

MODELS_TAG = "InspectModels"
VERSION_TAG = "InspectModelsOf"  # the etag of the version that was read
MAX_TAG_VALUE = 256  # S3's
MAX_MODEL_TAGS = 8  # S3 keeps ten tags of an object

_TAGGABLE = re.compile(r"[A-Za-z0-9+\-=._:/@]+")  # what every S3 takes, less the space, which parts names

logger = logging.getLogger(__name__)


def model_tags(model_names: Iterable[str], etag: str) -> dict[str, str] | None:
    """Return tags that say it, in `InspectModels`, `InspectModels2`, …; None where tags cannot say it."""
    names = sorted(set(model_names))
    if not names or not all(_TAGGABLE.fullmatch(name) and len(name) <= MAX_TAG_VALUE for name in names):
        return None
    values = [""]
    for name in names:
        longer = f"{values[-1]} {name}".lstrip()
        if len(longer) <= MAX_TAG_VALUE:
            values[-1] = longer
        else:
            values.append(name)
    if len(values) > MAX_MODEL_TAGS:
        return None
    tags = {MODELS_TAG + (str(number) if number > 1 else ""): value for number, value in enumerate(values, start=1)}
    return tags | {VERSION_TAG: etag}


def tagged_models(tags: Mapping[str, str], etag: str) -> frozenset[str] | None:
    """Return the models that tags of this version name, or None where they say nothing of it."""
    if tags.get(VERSION_TAG) != etag:
        return None
    names = {name for tag, value in tags.items() if re.fullmatch(MODELS_TAG + r"\d?", tag) for name in value.split()}
    return frozenset(names) or None


def tag_log(s3: "S3Client", bucket: str, key: str, summary: EvalSummary, etag: str) -> None:
    """Tag a log with the models of its header. One that cannot be tagged is logged and left as it is."""
    _tag(s3, bucket, key, facts_of(summary).model_names, etag)


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
        models = facts_of(summarize(opened.enter_context(contextlib.closing(_open(source, limits))))).model_names
    _tag(s3, bucket, key, models, etag)
    return models


def _open(source: S3Source, limits: ReadLimits) -> EvalLog:
    try:
        return open_log(source, limits)
    except TruncatedLog as error:
        return salvage_log(source, error, limits)


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
