"""How much a log may ask of whoever reads it; what is beyond is refused before it is read."""

from dataclasses import dataclass

from hawk.settings import ReadingSettings

MEBIBYTE = 1024 * 1024


@dataclass(frozen=True)
class ReadLimits:
    """Bounds of one log. Sizes are those of what is unpacked."""

    max_entries: int
    max_log_bytes: int
    max_entry_bytes: int
    max_ratio: int  # deflate cannot pack tighter than 1,032 to 1; beyond is only what zstandard was made to hold
    sample_memory_bytes: int  # a larger sample is laid out on disk and read in pieces


def limits_of(settings: ReadingSettings) -> ReadLimits:
    """Return the limits that a program's settings say."""
    return ReadLimits(
        max_entries=settings.import_max_entries,
        max_log_bytes=settings.import_max_log_bytes,
        max_entry_bytes=settings.import_max_entry_bytes,
        max_ratio=settings.import_max_ratio,
        sample_memory_bytes=settings.import_sample_memory_bytes,
    )


DEFAULT_LIMITS = limits_of(ReadingSettings.model_construct())
