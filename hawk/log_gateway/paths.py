"""Names of files in an eval set's folder, as people may ask for them: in one spelling, and only what is to be seen.

A name arrives decoded as often as the door decodes it. What then still looks encoded, or leads anywhere, is no name.
"""

import re
from dataclasses import dataclass
from typing import Literal

from hawk.errors import NotFound
from hawk.naming import ARTIFACTS_FOLDER, REPORTS_FOLDER, eval_set_key, is_eval_log_name

MAX_NAME_BYTES = 900  # a key of S3 has at most 1,024, the set's folder included
MAX_DEPTH = 32

FileKind = Literal["log", "artifact"]

_TREES = (ARTIFACTS_FOLDER, REPORTS_FOLDER)
# Read as patterns, versions or encodings by one or another of the programs between here and S3.
_STRANGE = re.compile(r"[%?#*\[\]{}]")


@dataclass(frozen=True)
class SetFile:
    """A file in a set's folder: a log (`name` has no slash), or one of a sample's artifacts or reports."""

    eval_set_id: str
    name: str
    kind: FileKind

    @property
    def key(self) -> str:
        return eval_set_key(self.eval_set_id, self.name)


def set_file(eval_set_id: str, name: str) -> SetFile:
    """Return the file of that name. Raises NotFound, the same as for one that is not there."""
    parts = name.split("/")
    if _is_canonical(eval_set_id, *parts):
        if len(parts) == 1 and is_eval_log_name(name) and not _STRANGE.search(name):
            return SetFile(eval_set_id, name, "log")
        if parts[0] in _TREES and 3 <= len(parts) <= MAX_DEPTH:
            return SetFile(eval_set_id, name, "artifact")
    raise no_such_file(name)


def viewer_log(text: str) -> SetFile:
    """Return the log that Inspect's viewer means: `{eval set}/{log}`. Raises NotFound."""
    eval_set_id, _, name = text.partition("/")
    found = set_file(eval_set_id, name)
    if found.kind != "log" or _STRANGE.search(eval_set_id):
        raise no_such_file(text)
    return found


def viewer_folder(text: str) -> str:
    """Return the eval set whose logs Inspect's viewer wants to list. Raises NotFound for anything else."""
    eval_set_id = text.removesuffix("/")
    if not _is_canonical(eval_set_id) or "/" in eval_set_id or _STRANGE.search(eval_set_id):
        raise no_such_file(text)
    return eval_set_id


def no_such_file(name: str) -> NotFound:
    return NotFound(
        f"There is no file {name[:200]!r} that you may see.",
        hint="List what there is: hawk download --list ID.",
        value=name[:200],
        field="name",
    )


def _is_canonical(*parts: str) -> bool:
    """Say whether each part is a plain name: printable, and nothing that a file system or a URL takes for a step."""
    whole = "/".join(parts)
    # Printable leaves out NUL, line ends, halves of surrogate pairs, and spaces that are none.
    if not whole.isprintable() or "\\" in whole or len(whole.encode()) > MAX_NAME_BYTES:
        return False
    return all(part not in ("", ".", "..") for part in parts)
