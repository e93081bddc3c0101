"""`hawk download` and `hawk download-artifacts`: files of an eval set, on this machine."""

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from hawk.cli import output
from hawk.cli.arguments import EVAL_SET_ID, JSON

if TYPE_CHECKING:
    from hawk.api.log_contracts import SetFileResponse
    from hawk.cli.file_download import Brought
    from hawk.cli.session import Session

_FOLDER = click.option(
    "-o",
    "--output-dir",
    type=click.Path(file_okay=False, path_type=Path),
    help="Folder for the files; made if need be. [default: one named for the set]",
)
_LIST = click.option("--list", "only_list", is_flag=True, help="Only say what there is.")
_AT_ONCE = click.option("-j", "--parallel", default=8, show_default=True, type=click.IntRange(1, 64), help="At a time.")
_FORCE = click.option("--force", is_flag=True, help="Also what is there already.")
_STYLES = {"downloaded": "green", "failed": "red"}


@click.command(epilog="Example: hawk download --list && hawk download -o logs")
@EVAL_SET_ID
@click.option("--log", "names", multiple=True, metavar="NAME", help="Only this log; may be given several times.")
@_FOLDER
@_LIST
@_AT_ONCE
@_FORCE
@JSON
def download(
    *,
    eval_set_id: str | None,
    names: tuple[str, ...],
    output_dir: Path | None,
    only_list: bool,
    parallel: int,
    force: bool,
    as_json: bool,
) -> None:
    """Download the logs of an eval set.

    What was cut off goes on where it stopped, what is there already is kept, and no file is ever half written.
    Without ID it is the set that was launched or imported last.
    """
    from hawk.cli.file_download import files_of
    from hawk.cli.session import open_session
    from hawk.errors import NotFound

    session = open_session()
    set_id = session.eval_set_id(eval_set_id)
    files = [file for file in files_of(session.client, set_id, "log") if not names or file.name in names]
    missing = sorted(set(names) - {file.name for file in files})
    if missing:
        raise NotFound(
            f"{set_id} has no log {', '.join(missing)}.", hint="See what it has: hawk download --list.", value=missing
        )
    if only_list:
        _say_files(set_id, files, as_json=as_json)
        return
    _bring(session, set_id, files, output_dir, parallel=parallel, force=force, as_json=as_json)


@click.command(epilog="Example: hawk download-artifacts --sample 4XmDe8nXwzJQ")
@EVAL_SET_ID
@click.option("--sample", "sample_uuid", metavar="UUID", help="Only what this sample left.")
@_FOLDER
@_LIST
@_AT_ONCE
@_FORCE
@JSON
def download_artifacts(
    *,
    eval_set_id: str | None,
    sample_uuid: str | None,
    output_dir: Path | None,
    only_list: bool,
    parallel: int,
    force: bool,
    as_json: bool,
) -> None:
    """Download what the samples of an eval set left behind: artifacts/UUID/… and reports/UUID/….

    Files keep their names; those whose names would lead out of the folder are not offered.
    Without ID it is the set that was launched or imported last.
    """
    from hawk.cli.file_download import files_of
    from hawk.cli.session import open_session

    session = open_session()
    set_id = session.eval_set_id(eval_set_id)
    files = list(files_of(session.client, set_id, "artifact", sample_uuid=sample_uuid))
    if only_list:
        _say_files(set_id, files, as_json=as_json)
        return
    _bring(session, set_id, files, output_dir, parallel=parallel, force=force, as_json=as_json)


def _bring(
    session: "Session",
    set_id: str,
    files: "Sequence[SetFileResponse]",
    folder: Path | None,
    *,
    parallel: int,
    force: bool,
    as_json: bool,
) -> None:
    from hawk.cli.file_download import FileDownload
    from hawk.cli.local_files import plain_name
    from hawk.errors import Upstream, UserError

    folder = folder or Path(plain_name(set_id))
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise UserError(f"{folder} cannot be a folder: {error.strerror}.", hint="Give another with -o.") from error
    with output.byte_progress("Downloading", sum(file.size_bytes for file in files)) as progress:
        run = FileDownload(session.client, set_id, folder, force=force, progress=progress.advance)
        brought = run.bring(files, at_once=parallel)
    _say_brought(set_id, folder, brought, as_json=as_json)
    failed = [file for file in brought if file.outcome == "failed"]
    if failed:
        raise Upstream(
            f"{len(failed)} of {len(brought)} files could not be had.", hint="The same command tries them again."
        )


def _say_files(set_id: str, files: "Sequence[SetFileResponse]", *, as_json: bool) -> None:
    if as_json:
        output.say_json({"eval_set_id": set_id, "files": [file.model_dump(mode="json") for file in files]})
        return
    rows = [(file.name, file.size_bytes, f"{file.last_modified:%Y-%m-%d %H:%M}") for file in files]
    output.say(output.Table(("file", "bytes", "written"), rows))


def _say_brought(set_id: str, folder: Path, brought: "Sequence[Brought]", *, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        files = [asdict(file) for file in brought]
        output.say_json({"eval_set_id": set_id, "output_dir": str(folder), "files": files})
        return
    rows = [
        (output.Cell(file.outcome, _STYLES.get(file.outcome, "")), file.name, file.reason or file.path)
        for file in brought
    ]
    if rows:
        output.say(output.Table(("", "file", "place, or why not"), rows))
    else:
        output.note(f"{set_id} has no such files.")
