"""Turns JSON of a log into records, and says what of it no record has a place for. Pure."""

from collections.abc import Callable, Mapping
from typing import Any

import msgspec
from msgspec import Raw

from hawk.warehouse.clean_json import without_odd_constants
from hawk.warehouse.log_archive import BrokenLog, DamagedPart

_decode_fields = msgspec.json.Decoder(dict[str, Raw]).decode


class Reader[T: msgspec.Struct]:
    """Reads one kind of record, and keeps the fields that it does not name.

    Nearly all logs have none of those: so it first reads as if there were none, and only where that fails looks which.
    """

    def __init__(self, record: type[T]) -> None:
        self._record = record
        strict: type[T] = msgspec.defstruct(record.__name__, [], bases=(record,), forbid_unknown_fields=True)  # type: ignore[assignment]  # a subclass of its base
        self._strict = msgspec.json.Decoder(strict).decode
        self._lenient = msgspec.json.Decoder(record).decode

    def read(self, data: bytes | Raw) -> tuple[T, Mapping[str, Raw]]:
        """Return the record and the fields besides. Raises msgspec.DecodeError where it is no such record."""
        try:
            return self._strict(data), {}
        except msgspec.ValidationError:
            record = self._lenient(data)
        return record, unknown_fields(_decode_fields(data), self._record)


def unknown_fields(fields: Mapping[str, Raw], record: type[msgspec.Struct]) -> dict[str, Raw]:
    """Return the fields of a JSON object that a record has no attribute for."""
    known = record.__struct_fields__
    return {name: value for name, value in fields.items() if name not in known}


def decode_as[T](kind: type[T], data: bytes | Raw, name: str) -> T:
    """Return JSON as some type. Raises DamagedPart that says which part of the log, and what is wrong."""
    return decode(msgspec.json.Decoder(kind).decode, data, name)


def decode[T](decoder: Callable[[Any], T], data: bytes | Raw, name: str) -> T:
    """Return what a decoder makes of JSON. Raises DamagedPart that says which part of the log, and what is wrong.

    What is nested too deeply was made to harm: BrokenLog.
    """
    try:
        try:
            return decoder(data)
        except msgspec.ValidationError:
            raise
        except msgspec.DecodeError:
            cleaned = without_odd_constants(bytes(data))
            if cleaned is None:
                raise
            return decoder(cleaned)
    except RecursionError as error:
        raise BrokenLog(f"{name} is nested too deeply to be read.") from error
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DamagedPart(f"{name} is not what Inspect writes there: {error}.") from error
