"""Limits on how often one caller may ask for something, and on how much he has open at a time."""

import threading
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from hawk.errors import TooManyRequests

MAX_KEYS = 10_000  # the ones that asked last; who fills this up only forgets others sooner


class RateLimit:
    """So many a minute for each key, as many at once; safe to use from several threads."""

    def __init__(self, per_minute: int, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_minute / 60
        self._most = float(per_minute)
        self._clock = clock
        self._lock = threading.Lock()
        self._left: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, key: str) -> None:
        """Count one. Raises TooManyRequests, with the seconds to wait as its value."""
        with self._lock:
            left = self._remaining(key)
            if left < 1:
                wait = max(1, round((1 - left) / self._per_second))
                raise TooManyRequests("That is asked for too often.", hint=f"Try again in {wait} s.", value=wait)
            self._left[key] = (left - 1, self._clock())
            self._left.move_to_end(key)
            if len(self._left) > MAX_KEYS:
                self._left.popitem(last=False)

    def _remaining(self, key: str) -> float:
        left, since = self._left.get(key, (self._most, self._clock()))
        return min(self._most, left + (self._clock() - since) * self._per_second)


class OpenLimit:
    """So many at a time for each key; safe to use from several threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._lock = threading.Lock()
        self._open: Counter[str] = Counter()

    def check(self, key: str) -> None:
        """Raise TooManyRequests where one more would be too many."""
        with self._lock:
            if self._open[key] >= self._most:
                raise TooManyRequests(
                    f"You have {self._most} of these open already.", hint="Close one of them.", value=self._most
                )

    @contextmanager
    def one_more(self, key: str) -> Iterator[None]:
        """Count one more for as long as the block lasts."""
        with self._lock:
            self._open[key] += 1
        try:
            yield
        finally:
            with self._lock:
                self._open[key] -= 1
                if not self._open[key]:
                    del self._open[key]
