"""`hawk transcript` and `hawk transcripts`: what was said in samples."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import click

from hawk.cli import output
from hawk.cli.arguments import EVAL_SET_ID, JSON

if TYPE_CHECKING:
    from hawk.api.log_contracts import TranscriptResponse, TranscriptSummary
    from hawk.cli.client import HawkClient

Form = Literal["markdown", "json", "raw"]

AT_ONCE = 4
_ENDINGS: dict[Form, str] = {"markdown": "md", "json": "json", "raw": "raw.json"}
_RAW = click.option("--raw", is_flag=True, help="The sample as Inspect wrote it, out of its log.")


@click.command(epilog="Example: hawk transcript 4XmDe8nXwzJQ -o sample.md")
@click.argument("sample_uuid", metavar="UUID")
@_RAW
@JSON
@click.option("-o", "--output", "path", type=click.Path(dir_okay=False, path_type=Path), help="Into this file.")
def transcript(*, sample_uuid: str, raw: bool, as_json: bool, path: Path | None) -> None:
    """Print what was said in a sample, with its scores, as Markdown.

    The sample is found once its log is imported; list those of a set with `hawk transcripts --list`.
    """
    from hawk.cli.session import open_session

    client = open_session().client
    form = _form(raw=raw, as_json=as_json)
    if path is not None:
        _write(client, sample_uuid, form, path)
        output.note(f"Written to {path}.")
        return
    for text in _text(client, sample_uuid, form):
        output.say_raw(output.plain(text) if output.is_terminal() else text)


@click.command(epilog="Example: hawk transcripts --limit 20 -o transcripts")
@EVAL_SET_ID
@click.option("-o", "--output-dir", type=click.Path(file_okay=False, path_type=Path), help="Folder for the files.")
@click.option("--limit", type=click.IntRange(min=1), help="Most samples.")
@click.option("--list", "only_list", is_flag=True, help="Only say which samples there are.")
@_RAW
@JSON
def transcripts(
    *,
    eval_set_id: str | None,
    output_dir: Path | None,
    limit: int | None,
    only_list: bool,
    raw: bool,
    as_json: bool,
) -> None:
    """Write what was said in each sample of an eval set into a file of its own.

    Files are Markdown; with --json they are JSON, with --raw what Inspect wrote. With --list, --json lists as JSON.
    Without ID it is the set that was launched or imported last.
    """
    from hawk.cli.local_files import plain_name
    from hawk.cli.session import open_session
    from hawk.errors import NotFound

    session = open_session()
    set_id = session.eval_set_id(eval_set_id)
    samples = list(islice(_samples(session.client, set_id), limit))
    if only_list:
        _say_samples(set_id, samples, as_json=as_json)
        return
    if not samples:
        raise NotFound(f"No sample of {set_id} is imported yet.", hint="See how far its logs are: hawk imports list.")
    folder = output_dir or Path(f"{plain_name(set_id)}-transcripts")
    form = _form(raw=raw, as_json=as_json)

    def bring(sample: "TranscriptSummary") -> Path:
        path = folder / _file_name(sample, form)
        _write(session.client, sample.sample_uuid, form, path)
        return path

    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="transcript") as pool:
        paths = list(pool.map(bring, samples))
    output.say(*(str(path) for path in paths))


def _form(*, raw: bool, as_json: bool) -> Form:
    from hawk.errors import UserError

    if raw and as_json:
        raise UserError("--raw is JSON already.", hint="Leave out --json.")
    return "raw" if raw else "json" if as_json else "markdown"


def _samples(client: "HawkClient", eval_set_id: str) -> "Iterator[TranscriptSummary]":
    from hawk.api.log_contracts import TranscriptListResponse
    from hawk.cli.client import quoted

    query = {"limit": "1000"}
    while True:
        path = f"/eval_sets/{quoted(eval_set_id)}/transcripts"
        page = client.ask(TranscriptListResponse, "GET", path, query=query)
        yield from page.samples
        if page.next_after is None:
            return
        query["after"] = page.next_after


def _file_name(sample: "TranscriptSummary", form: Form) -> str:
    from hawk.cli.local_files import plain_name

    names = (sample.task_name, sample.sample_id, f"epoch-{sample.epoch}", sample.sample_uuid)
    return f"{'_'.join(plain_name(name) for name in names)}.{_ENDINGS[form]}"


def _write(client: "HawkClient", sample_uuid: str, form: Form, path: Path) -> None:
    from hawk.cli.local_files import write_whole

    write_whole(path, _text(client, sample_uuid, form))


def _text(client: "HawkClient", sample_uuid: str, form: Form) -> Iterator[str]:
    """Yield the transcript in pieces; all of them but a raw one come in one."""
    import codecs

    from hawk.cli.client import quoted

    place = f"/samples/{quoted(sample_uuid)}"
    if form == "raw":
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")
        with client.stream(f"{place}/raw") as answer:
            for piece in answer.iter_bytes():
                yield decoder.decode(piece)
        yield "\n"
        return
    yield _rendered(_asked(client, place), form)


def _asked(client: "HawkClient", place: str) -> "TranscriptResponse":
    from hawk.api.log_contracts import TranscriptResponse

    return client.ask(TranscriptResponse, "GET", f"{place}/transcript")


def _rendered(answer: "TranscriptResponse", form: Form) -> str:
    from hawk.cli.transcript_view import markdown

    return markdown(answer) if form == "markdown" else answer.model_dump_json(indent=2) + "\n"


def _say_samples(set_id: str, samples: "list[TranscriptSummary]", *, as_json: bool) -> None:
    if as_json:
        output.say_json({"eval_set_id": set_id, "samples": [sample.model_dump(mode="json") for sample in samples]})
        return
    columns = ("uuid", "task", "model", "sample", "epoch", "messages", "error")
    rows = [
        (
            sample.sample_uuid,
            sample.task_name,
            sample.model,
            sample.sample_id,
            sample.epoch,
            sample.message_count,
            (sample.error or "").partition("\n")[0][:80],
        )
        for sample in samples
    ]
    output.say(output.Table(columns, rows))
