"""A sample too large to be decoded at once: one walk through it finds its fields, others its transcript."""

from collections.abc import Iterable, Iterator

import msgspec
from msgspec import Raw

from hawk.warehouse.decoding import Reader, decode
from hawk.warehouse.json_cursor import JsonCursor, JsonText, MalformedJson
from hawk.warehouse.log_sample import CALL_POOL, MESSAGE_POOL, POOL_OF_FIELD, LogSample
from hawk.warehouse.records import SampleRecord
from hawk.warehouse.rows import MAX_JSON_BYTES

_read_sample = Reader(SampleRecord).read
_decode_text = msgspec.json.Decoder(str).decode
_encode = msgspec.json.encode

_POOL_OF_OLD_FIELD = {"message_pool": MESSAGE_POOL, "call_pool": CALL_POOL}


def streamed_sample(text: JsonText, name: str, offset: int = 0) -> LogSample:
    """Return the sample that begins at an offset of a text, which must stay open while its transcript is read."""
    try:
        return _walked(text, name, offset)
    except MalformedJson:
        if not text.clean_numbers():
            raise
    return _walked(text, name, offset)


def _walked(text: JsonText, name: str, offset: int) -> LogSample:
    transcript = StreamedTranscript(text)
    fields: dict[str, Raw] = {}
    cursor = JsonCursor(text, offset)
    for key in cursor.members():
        if not transcript.found(key, cursor):
            fields[key] = cursor.value()
    record, other = decode(_read_sample, _encode(fields), name)
    return LogSample(record, transcript, other)


class StreamedTranscript:
    """The transcript of a sample on disk: where its parts begin, and where each attachment lies."""

    def __init__(self, text: JsonText) -> None:
        self._text = text
        self._messages: int | None = None
        self._events: int | None = None
        self._pools: dict[str, int] = {}
        self._attachments: dict[str, tuple[int, int]] = {}  # offset and length

    def found(self, key: str, cursor: JsonCursor) -> bool:
        """Note where a part of the transcript lies and pass it; false where the member is none."""
        kind = cursor.next_byte()
        if kind == b"[" and key in ("messages", "events", *_POOL_OF_OLD_FIELD):
            self._note_list(key, cursor)
        elif kind == b"{" and key == "attachments":
            self._note_attachments(cursor)
        elif kind == b"{" and key == "events_data":
            for name in cursor.members():
                self._pools[POOL_OF_FIELD.get(name, name)] = cursor.offset
                cursor.skip()
        elif kind == b"{" and key == "transcript":
            for name in cursor.members():
                if not self.found("attachments" if name == "content" else name, cursor):
                    cursor.skip()
        else:
            return False
        return True

    def messages(self) -> Iterable[Raw]:
        return self._list(self._messages)

    def events(self) -> Iterable[Raw]:
        return self._list(self._events)

    def pools(self) -> Iterator[tuple[str, Iterable[Raw]]]:
        for name, offset in self._pools.items():
            yield name, self._list(offset)

    def attachments(self) -> Iterator[tuple[str, str]]:
        for name in self._attachments:
            content = self.attachment(name)
            if content is not None:
                yield name, content

    def attachment(self, name: str) -> str | None:
        place = self._attachments.get(name)
        if place is None:
            return None
        offset, length = place
        if length > MAX_JSON_BYTES:
            return f"[{length} bytes that are not kept]"
        return _decode_text(self._text.read(offset, length))

    def _note_list(self, key: str, cursor: JsonCursor) -> None:
        if key == "messages":
            self._messages = cursor.offset
        elif key == "events":
            self._events = cursor.offset
        else:
            self._pools[_POOL_OF_OLD_FIELD[key]] = cursor.offset
        cursor.skip()

    def _note_attachments(self, cursor: JsonCursor) -> None:
        for name in cursor.members():
            begin = cursor.offset
            cursor.skip()
            self._attachments[name] = (begin, cursor.offset - begin)

    def _list(self, offset: int | None) -> Iterable[Raw]:
        return () if offset is None else JsonCursor(self._text, offset).values()
