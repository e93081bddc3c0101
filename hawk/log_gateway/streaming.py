"""Bytes of files on their way to somebody: a range of a file, or one sample out of a log, a piece at a time."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Raw

from hawk.errors import UserError
from hawk.log_gateway.guard import StoredFile
from hawk.log_gateway.paths import no_such_file
from hawk.warehouse.archive_log import SAMPLES
from hawk.warehouse.chunked_sample import SHELL, chunked_sample
from hawk.warehouse.log_archive import LogArchive
from hawk.warehouse.log_sample import POOL_OF_FIELD
from hawk.warehouse.log_source import S3Source, s3_errors
from hawk.warehouse.read_limits import DEFAULT_LIMITS

if TYPE_CHECKING:
    from mypy_boto3_s3 import S3Client

PIECE_BYTES = 1024 * 1024


def file_pieces(s3: "S3Client", bucket: str, stored: StoredFile, first: int, last: int) -> Iterator[bytes]:
    """Return the bytes from `first` to `last`, both included, of the version that was judged.

    Raises, before the first piece, ObjectChanged where the file was overwritten since, NotFound and Upstream.
    """
    if stored.size_bytes == 0:
        return iter(())
    with s3_errors(stored.file.name):
        answer = s3.get_object(
            Bucket=bucket, Key=stored.file.key, Range=f"bytes={first}-{last}", IfMatch=f'"{stored.etag}"'
        )
    return _pieces(answer["Body"])


def sample_pieces(s3: "S3Client", bucket: str, stored: StoredFile, sample_id: str, epoch: int) -> Iterator[bytes]:
    """Return one sample of an `.eval` log as Inspect writes it, unpacked; memory does not grow with it.

    Raises, before the first piece, NotFound where the log has no such sample, UserError for a log in JSON.
    """
    if not stored.file.name.endswith(".eval"):
        raise UserError(
            f"The sample lies in a log of the older format, {stored.file.name}.",
            hint=f"Download the log: hawk download {stored.file.eval_set_id} --log {stored.file.name}.",
        )
    source = S3Source(s3, bucket, stored.file.key, etag=stored.etag)
    try:
        archive = LogArchive(source)
        name = f"{SAMPLES}{sample_id}_epoch_{epoch}"
        if f"{name}.json" in archive:
            pieces = archive.pieces(f"{name}.json")
        elif name + SHELL in archive:
            pieces = _joined(archive, name)
        else:
            raise no_such_file(f"{name}.json")
    except BaseException:
        source.close()
        raise
    return _closing(source, pieces)


def _pieces(body: Any) -> Iterator[bytes]:
    try:
        yield from body.iter_chunks(PIECE_BYTES)
    finally:
        body.close()


def _closing(source: S3Source, pieces: Iterator[bytes]) -> Iterator[bytes]:
    try:
        yield from pieces
    finally:
        source.close()


def _joined(archive: LogArchive, name: str) -> Iterator[bytes]:
    """Yield a sample that is stored in chunks in the form of one that is not."""
    transcript = chunked_sample(archive, name, DEFAULT_LIMITS).transcript
    shell = msgspec.json.decode(archive.read(name + SHELL), type=dict[str, Raw])
    shell.pop("message_refs", None)
    yield msgspec.json.encode(shell).removesuffix(b"}")
    field_of_pool = {pool: field for field, pool in POOL_OF_FIELD.items()}
    lists = {"messages": transcript.messages(), "events": transcript.events()}
    for field, values in lists.items():
        yield b',"%b":' % field.encode()
        yield from _list(values)
    yield b',"events_data":{'
    for index, (pool, values) in enumerate(transcript.pools()):
        yield b'%b"%b":' % (b"," if index else b"", field_of_pool[pool].encode())
        yield from _list(values)
    yield b'},"attachments":{'
    for index, (key, content) in enumerate(transcript.attachments()):
        yield b"%b%b:%b" % (b"," if index else b"", msgspec.json.encode(key), msgspec.json.encode(content))
    yield b"}}"


def _list(values: Any) -> Iterator[bytes]:
    yield b"["
    for index, value in enumerate(values):
        yield (b"," if index else b"") + bytes(value)
    yield b"]"
