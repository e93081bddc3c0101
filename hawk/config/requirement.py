"""Texts that name a package to install, as pip and uv read them: a requirement, a URL, a path."""

import contextlib
import re
from typing import Annotated
from urllib.parse import urlsplit

from packaging.requirements import InvalidRequirement, Requirement
from packaging.utils import canonicalize_name
from pydantic import AfterValidator, Field

from hawk.config.section import Fault, refuse

INSPECT_AI = "inspect-ai"

_URL = re.compile(r"(git\+)?(https?|ssh|file):", re.IGNORECASE)
_SSH_SHORT_FORM = re.compile(r"(?P<user>[\w.-]+)@(?P<host>[\w.-]+\.[\w-]+):(?P<path>[^\s/][^\s]*)")
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_WHAT_IS_RIGHT = (
    "Write a requirement such as `inspect-evals==0.3.106`, "
    "or a URL such as `git+https://github.com/UKGovernmentBEIS/inspect_evals@COMMIT`."
)


def is_local_package(spec: str) -> bool:
    """Say whether a package is a path of the machine that installs it."""
    location = package_location(spec)
    if location is None:
        return False
    return urlsplit(location).scheme.lower() in {"file", "git+file"} or not _URL.match(location)


def package_location(spec: str) -> str | None:
    """Return the URL or path that a package comes from, without its name; None if it comes from a package index."""
    try:
        return Requirement(spec).url
    except InvalidRequirement:
        looks_like_path = spec.startswith((".", "~")) or "/" in spec or "\\" in spec
        return spec if _URL.match(spec) or looks_like_path else None


def is_inspect_ai(spec: str) -> bool:
    """Say whether a package is inspect-ai itself, of whatever version and from wherever."""
    try:
        return canonicalize_name(Requirement(spec).name) == INSPECT_AI
    except InvalidRequirement:
        return INSPECT_AI in package_names(spec)


def package_names(spec: str) -> frozenset[str]:
    """Return the canonical names that a package may go by: that of the requirement, and of the URL's repository."""
    names = {_repository(spec)}
    with contextlib.suppress(InvalidRequirement):
        names.add(Requirement(spec).name)
    return frozenset(canonicalize_name(name) for name in names if name)


def requirement_fault(spec: str) -> Fault | None:
    """Return what keeps a text from being a package that can be installed, or None."""
    if not spec.strip() or spec != spec.strip() or _CONTROL.search(spec):
        return Fault((), f"{spec!r} is blank, or has space or control characters around or in it.", _WHAT_IS_RIGHT)
    if spec.startswith("-"):
        return Fault((), f"{spec!r} is an option, not a package.", _WHAT_IS_RIGHT)
    short_form = _SSH_SHORT_FORM.fullmatch(spec)
    if short_form:
        url = f"git+ssh://{short_form['user']}@{short_form['host']}/{short_form['path']}"
        return Fault((), f"{spec!r} is no URL that Python's installers know.", f"Write `{url}`.")
    if is_local_package(spec):
        return None
    location = package_location(spec)
    if location is not None:
        return _url_fault(location)
    try:
        Requirement(spec)
    except InvalidRequirement as error:
        return Fault((), f"{spec!r} is not a package: {_first_line(error)}.", _WHAT_IS_RIGHT)
    return None


def _first_line(error: InvalidRequirement) -> str:
    text = str(error).splitlines()[0].rstrip(".")
    return text[:1].lower() + text[1:]


def _repository(spec: str) -> str:
    """Return the last part of a URL's or path's path, without `.git`, `@reference` and fragment."""
    location = package_location(spec)
    if location is None:
        return ""
    # A reference may have slashes (`@release/1`), so it is cut before the last part is taken.
    path = urlsplit(location).path.split("@", 1)[0]
    return path.rstrip("/").rsplit("/", 1)[-1].removesuffix(".git")


def _url_fault(url: str) -> Fault | None:
    parts = urlsplit(url)
    if re.search(r"\s", url) or not parts.hostname:
        return Fault((), f"{url!r} is not a whole URL.", _WHAT_IS_RIGHT)
    if parts.password or (parts.username and parts.scheme.lower().endswith(("http", "https"))):
        return Fault(
            (),
            f"The URL of a package at {parts.hostname} has credentials in it, and many read a config.",
            "Take them out, and give them as a secret.",
        )
    return None


def _check_requirement(spec: str) -> str:
    fault = requirement_fault(spec)
    refuse([fault] if fault else [])
    return spec


RequirementText = Annotated[str, Field(max_length=2000), AfterValidator(_check_requirement)]
