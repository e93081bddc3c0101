"""How a file is cut into parts and known by its content; the same on both sides of the API."""

import hashlib
from collections.abc import Iterable

PART_BYTES = 8 * 1024 * 1024  # S3 takes no less than 5 MiB a part but the last, and no more than 10,000 parts
MAX_PARTS = 10_000


def hash_of_parts(digests: Iterable[str]) -> str:
    """Return a file's content hash: the SHA-256 over the SHA-256 of its parts, both in hex, parts in order."""
    return hashlib.sha256(b"".join(bytes.fromhex(digest) for digest in digests)).hexdigest()
