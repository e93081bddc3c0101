"""Tags of objects on S3 that name their models.

`InspectModels` is that of METR's Hawk, so that its tools, and policies of AWS, can judge by it. A second tag names the
version that was read: tags that came too late, to a version that nobody has read, are not believed.
"""

import re
from collections.abc import Iterable, Mapping
from urllib.parse import urlencode

MODELS_TAG = "InspectModels"
VERSION_TAG = "InspectModelsOf"  # the etag of the version that was read
MAX_TAG_VALUE = 256  # S3's
MAX_MODEL_TAGS = 8  # S3 keeps ten tags of an object

_TAGGABLE = re.compile(r"[A-Za-z0-9+\-=._:/@]+")  # what every S3 takes, less the space, which parts names
_OUR_TAG = re.compile(MODELS_TAG + r"\d?")


def model_tags(model_names: Iterable[str], etag: str | None = None) -> dict[str, str] | None:
    """Return tags that name the models, in `InspectModels`, `InspectModels2`, …; None where tags cannot say it."""
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
    return tags if etag is None else tags | {VERSION_TAG: etag}


def tagged_models(tags: Mapping[str, str], etag: str) -> frozenset[str] | None:
    """Return the models that tags of this version name, or None where they say nothing of it."""
    if tags.get(VERSION_TAG) != etag:
        return None
    names = {name for tag, value in tags.items() if _OUR_TAG.fullmatch(tag) for name in value.split()}
    return frozenset(names) or None


def tagging_header(model_names: Iterable[str]) -> str:
    """Return what a put of an object says of its tags; empty where tags cannot say it."""
    return urlencode(model_tags(model_names) or {})
