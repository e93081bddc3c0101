"""Every error that Hawk raises on purpose, so that each door can turn it into the right answer.

HawkError
├── UserError        the person can fix it          CLI exit 2, HTTP 400 or 422
│   └── ConfigError  a YAML file, with places in it
├── NotAllowed       they may not                    CLI exit 3, HTTP 403
├── NotFound         there is no such thing          CLI exit 4, HTTP 404
├── Conflict         it stands in the way of another CLI exit 5, HTTP 409
├── Upstream         a service failed, retry may help CLI exit 6, HTTP 503
├── TooManyRequests  asked too often, or too much   CLI exit 6, HTTP 429
└── Bug              we are wrong                    CLI exit 70, HTTP 500
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class ConfigProblem:
    """One thing wrong in a file: where (1-based line and column, 0 if unknown), what, and what to do."""

    message: str
    file: str = ""
    line: int = 0
    column: int = 0
    path: tuple[str | int, ...] = ()
    value: object = None
    hint: str = ""

    def __str__(self) -> str:
        place = ":".join(part for part in (self.file, str(self.line or ""), str(self.column or "")) if part)
        text = f"{place}: {self.message}" if place else self.message
        return f"{text} {self.hint}".rstrip()


class HawkError(Exception):
    """Says what was wrong, the value, and what to do; carries the same as fields for machines."""

    exit_code = 70
    http_status = 500

    def __init__(self, message: str, *, hint: str = "", value: object = None, field: str = "") -> None:
        super().__init__(f"{message} {hint}".rstrip())
        self.message = message
        self.hint = hint
        self.value = value
        self.field = field


class UserError(HawkError):
    """The caller gave something that cannot be used; nothing was changed."""

    exit_code = 2
    http_status = 422


class ConfigError(UserError):
    """A YAML file cannot be used; `problems` has every fault that was found, in file order."""

    def __init__(self, problems: Sequence[ConfigProblem]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = tuple(problems)


class NotAllowed(HawkError):
    """The caller is known, and may not do or see this."""

    exit_code = 3
    http_status = 403


class NotSignedIn(NotAllowed):
    """The caller is not known: no token, or one that does not hold."""

    http_status = 401


class NotFound(HawkError):
    """There is no such thing, or the caller may not know that there is."""

    exit_code = 4
    http_status = 404


class Conflict(HawkError):
    """It exists already or is in a state that forbids this; nothing was changed."""

    exit_code = 5
    http_status = 409


class Upstream(HawkError):
    """Another service failed or did not answer; the same call may succeed later."""

    exit_code = 6
    http_status = 503


class TooManyRequests(HawkError):
    """The caller asked too often, or has too much under way; later, or after something has ended, it may go."""

    exit_code = 6
    http_status = 429


class Bug(HawkError):
    """Hawk reached a state that it holds to be impossible."""
