"""Where files of others are put on this machine: only below the folder that was asked for, and whole or not at all."""

import contextlib
import os
import re
from collections.abc import Iterable
from pathlib import Path

from hawk.errors import Conflict, UserError
from hawk.log_gateway.paths import set_file

MAX_FILE_NAME = 60  # of each part that is taken from a log

_STRANGE = re.compile(r"[^A-Za-z0-9._-]+")


def place_of(folder: Path, eval_set_id: str, name: str) -> Path:
    """Return where a file of a set goes below the folder, its own folders made.

    Raises NotFound for a name that is none, Conflict where something else is in its place.
    """
    path = folder.joinpath(*set_file(eval_set_id, name).name.split("/"))
    within = folder
    for part in path.relative_to(folder).parts[:-1]:
        within = within / part
        if within.is_symlink():
            raise Conflict(f"{within} is a link, which is not followed.", hint="Give another folder with -o.")
        try:
            within.mkdir(parents=True, exist_ok=True)
        except FileExistsError as error:
            raise Conflict(f"{within} is a file, and must be a folder.", hint="Give another folder with -o.") from error
    if path.is_symlink() or path.is_dir():
        raise Conflict(f"{path} is there, and is no file.", hint="Give another folder with -o.")
    return path


def plain_name(text: object) -> str:
    """Return a text of strangers as a part of a file's name."""
    return _STRANGE.sub("-", str(text)).strip(".-")[:MAX_FILE_NAME] or "x"


def write_whole(path: Path, pieces: Iterable[str]) -> None:
    """Write a file so that nobody ever finds half of it. Raises UserError where that cannot be done."""
    draft = path.with_name(f".{path.name}.part")
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        with draft.open("w", encoding="utf-8", errors="replace", newline="") as file:
            file.writelines(pieces)
        os.replace(draft, path)  # noqa: PTH105  # atomic, as nothing of pathlib says that it is
    except OSError as error:
        raise UserError(f"{path} cannot be written: {error.strerror}.", hint="Give another place with -o.") from error
    finally:
        with contextlib.suppress(OSError):
            draft.unlink(missing_ok=True)
