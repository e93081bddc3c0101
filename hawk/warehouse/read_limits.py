"""How much a log may ask of whoever reads it; what is beyond is refused before it is read."""

from dataclasses import dataclass

MEBIBYTE = 1024 * 1024
GIBIBYTE = 1024 * MEBIBYTE


@dataclass(frozen=True)
class ReadLimits:
    """Bounds of one log. Sizes are those of what is unpacked."""

    max_entries: int = 1_000_000
    max_log_bytes: int = 256 * GIBIBYTE
    max_entry_bytes: int = 16 * GIBIBYTE
    # Deflate cannot pack tighter than 1,032 to 1; only what was made to harm goes beyond, by zstandard.
    max_ratio: int = 2_000
    # A sample that is larger is laid out on disk and read in pieces; smaller ones are decoded in memory.
    sample_memory_bytes: int = 16 * MEBIBYTE


DEFAULT_LIMITS = ReadLimits()
