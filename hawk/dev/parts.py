"""What a part of the stack is, and the order that parts' needs put them in."""

from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field

from hawk.dev.processes import Program
from hawk.errors import UserError

START_SECONDS = 90.0  # the slowest, Dagster's code server, takes 15 on two busy cores


@dataclass(frozen=True)
class Part:
    """A server, or (`is_step`) a program that the others wait for and that ends by itself."""

    name: str
    title: str
    program: Callable[[], Program]
    needs: tuple[str, ...] = ()
    # Parts without which this one is of no use, though it starts beside them.
    comes_with: tuple[str, ...] = ()
    # Parts that must outlive this one, though it starts without them.
    ends_before: tuple[str, ...] = ()
    is_ready: Callable[[], Awaitable[bool]] | None = None
    # What must happen just before it starts, and once it answers; both block, so they run in a thread.
    prepare: Callable[[], None] | None = None
    finish: Callable[[], None] | None = None
    is_step: bool = False
    port: int | None = None
    url: str | None = None
    start_seconds: float = field(default=START_SECONDS)


def parts_needed(parts: Sequence[Part], names: Iterable[str]) -> tuple[Part, ...]:
    """Return the named parts and all that they need or come with, in the given order; all where none is named."""
    by_name = {part.name: part for part in parts}
    wanted: set[str] = set()
    pending = list(names) or list(by_name)
    while pending:
        name = pending.pop()
        if name not in by_name:
            raise UserError(
                f"The stack has no part {name!r}.",
                hint=f"Its parts are {', '.join(by_name)}.",
                value=name,
                field="part",
            )
        if name not in wanted:
            wanted.add(name)
            pending.extend((*by_name[name].needs, *by_name[name].comes_with))
    return tuple(part for part in parts if part.name in wanted)


def needed_by(parts: Sequence[Part], name: str) -> tuple[str, ...]:
    """Return the parts that must end before this one: those that need it directly, and those that say so."""
    return tuple(part.name for part in parts if name in (*part.needs, *part.ends_before))
