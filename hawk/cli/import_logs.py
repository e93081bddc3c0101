"""`hawk import`: brings logs of this machine into the warehouse."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from hawk.cli import output
from hawk.cli.arguments import JSON

if TYPE_CHECKING:
    from hawk.api.contracts import LogToImportResponse
    from hawk.cli.client import HawkClient
    from hawk.cli.local_logs import LocalLog, LocalLogs

BATCH = 500  # the API takes no more at once
SOME_REFUSED = 1

Outcome = Literal["wanted", "brought", "in the marts", "known", "left out", "refused", "set aside"]
_STYLES = {"in the marts": "green", "brought": "green", "refused": "red", "set aside": "red"}


@dataclass
class BroughtLog:
    """One file, and what became of it."""

    path: str
    outcome: Outcome
    reason: str = ""
    eval_id: str | None = None
    eval_set_id: str | None = None
    log: str | None = None


@dataclass
class Report:
    """What `--json` prints."""

    eval_set_id: str | None = None
    viewer_url: str | None = None
    logs: list[BroughtLog] = field(default_factory=list)

    @property
    def has_failures(self) -> bool:
        return any(log.outcome in ("refused", "set aside") for log in self.logs)


@click.command(name="import", epilog="Example: hawk import ~/evals/logs --name baselines")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="PATH...")
@click.option(
    "--name", default="", metavar="TEXT", help="Of the new eval set, part of its id; else that of the first PATH."
)
@click.option("--into", metavar="ID", help="Add to a set that you imported, replacing logs it has of the same evals.")
@click.option("--dry-run", is_flag=True, help="Say what would be brought, and what not and why; send nothing.")
@click.option("--no-wait", is_flag=True, help="End when the logs are sent, before their rows stand in the marts.")
@click.option("--parallel", default=4, show_default=True, type=click.IntRange(1, 32), help="Parts sent at once.")
@JSON
def import_logs(
    *,
    paths: tuple[Path, ...],
    name: str,
    into: str | None,
    dry_run: bool,
    no_wait: bool,
    parallel: int,
    as_json: bool,
) -> None:
    """Bring logs of this machine into the warehouse, as an eval set of their own.

    PATHs are .eval files, .json logs, or folders, which are searched to their depths. Files that were brought before
    are not sent again; after an interruption the same command goes on where it stopped, for a day.

    Exit code 0 if all logs stand in the marts, 1 if some were refused or could not be imported.
    """
    from hawk.cli.session import open_session

    session = open_session()
    session.access_token()  # rather now than after gigabytes were read
    local = _read_local(paths)
    report = Report(logs=[BroughtLog(str(bad.path), _word_of(bad.reason), bad.reason) for bad in local.bad])
    name = name or paths[0].resolve().stem
    wanted = _begin(session.client, local.logs, report, name=name, into=into, dry_run=dry_run)
    if not dry_run and wanted:
        _send(session.client, wanted, report, parallel=parallel)
        if report.eval_set_id:
            session.remember(report.eval_set_id)
            if not no_wait:
                _await_marts(session.client, report)
    _say(report, as_json=as_json)
    raise click.exceptions.Exit(SOME_REFUSED if report.has_failures else 0)


def _read_local(paths: Sequence[Path]) -> "LocalLogs":
    from hawk.cli.local_logs import LocalLogs, find_logs, read_logs, size_of

    files, bad = find_logs(paths)
    with output.byte_progress("Reading", size_of(files)) as progress:
        read = read_logs(files, progress.advance)
    for log in read.logs:
        if log.damage:
            output.warn(f"{log.path}: {log.damage} What lies whole in it is brought, and marked as a part.")
    return LocalLogs(read.logs, [*bad, *read.bad])


def _begin(
    client: "HawkClient", logs: "Sequence[LocalLog]", report: Report, *, name: str, into: str | None, dry_run: bool
) -> "list[tuple[LocalLog, LogToImportResponse]]":
    """Ask of each log whether it is wanted, and return those that are; the report gets the others."""
    from hawk.api.contracts import BeginImportRequest, LogToImport
    from hawk.errors import Upstream
    from hawk.log_import.content import PART_BYTES

    wanted = []
    target = into
    for start in range(0, len(logs), BATCH):
        batch = logs[start : start + BATCH]
        described = [
            LogToImport(
                file_name=log.path.name,
                size_bytes=log.size_bytes,
                content_hash=log.content_hash,
                eval_id=log.eval_id,
                task_name=log.task_name,
                model_names=list(log.model_names),
            )
            for log in batch
        ]
        answer = client.begin_import(BeginImportRequest(logs=described, name=name, eval_set_id=target, dry_run=dry_run))
        if answer.part_bytes != PART_BYTES:
            raise Upstream("The API takes parts of another size.", hint="Compare versions: hawk version.")
        target = target or answer.eval_set_id
        report.eval_set_id = report.eval_set_id or answer.eval_set_id
        report.viewer_url = report.viewer_url or answer.viewer_url
        for log, verdict in zip(batch, answer.logs, strict=True):
            if verdict.state == "wanted":
                wanted.append((log, verdict))
            if verdict.state != "wanted" or dry_run:
                reason = verdict.reason or log.damage
                report.logs.append(BroughtLog(str(log.path), verdict.state, reason, log.eval_id, verdict.eval_set_id))
    return wanted


def _send(
    client: "HawkClient",
    wanted: "Sequence[tuple[LocalLog, LogToImportResponse]]",
    report: Report,
    *,
    parallel: int,
) -> None:
    from hawk.cli.upload import Upload, send_all

    uploads = [Upload.of(log, verdict) for log, verdict in wanted]
    total = sum(upload.log.size_bytes for upload in uploads)
    with output.byte_progress("Sending", total) as progress:
        progress.advance(sum(upload.received_bytes for upload in uploads))
        try:
            sent = send_all(client, uploads, progress.advance, at_once=parallel)
        except BaseException:
            output.note("What was sent is kept for a day: the same command goes on where this one stopped.")
            raise
    for log, answer in sent.finished:
        report.logs.append(
            BroughtLog(str(log.path), "brought", log.damage, answer.eval_id, answer.eval_set_id, answer.log)
        )
    report.logs += [BroughtLog(str(log.path), "refused", str(error), log.eval_id) for log, error in sent.refused]
    if not sent.finished:
        report.eval_set_id = report.viewer_url = None


def _await_marts(client: "HawkClient", report: Report) -> None:
    from hawk.cli.import_wait import await_marts

    brought = {log.log: log for log in report.logs if log.outcome == "brought" and log.log}
    if not brought or report.eval_set_id is None:
        return
    try:
        for entry in await_marts(client, report.eval_set_id, set(brought)):
            found = brought[entry.log]
            is_set_aside = entry.state in ("quarantined", "dead_letter")
            found.outcome = "set aside" if is_set_aside else "in the marts"
            found.reason = entry.reason or entry.damage or ""
    except KeyboardInterrupt:
        output.note(f"The import goes on: see it with `hawk imports list {report.eval_set_id}`.")
        raise


def _word_of(reason: str) -> Outcome:
    return "left out" if reason.startswith(("It is the same file", "It is an older version")) else "refused"


def _say(report: Report, *, as_json: bool) -> None:
    from dataclasses import asdict

    if as_json:
        output.say_json(asdict(report))
        return
    rows = [
        (output.Cell(log.outcome, _STYLES.get(log.outcome, "")), log.path, log.reason or log.eval_set_id)
        for log in sorted(report.logs, key=lambda log: (log.outcome, log.path))
    ]
    output.say(output.Table(columns=("", "file", "set, or why not"), rows=rows))
    if report.eval_set_id:
        output.say(f"Eval set: {report.eval_set_id}")
    if report.viewer_url:
        output.say(f"Viewer: {report.viewer_url}")
