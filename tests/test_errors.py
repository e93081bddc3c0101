import pytest

from hawk import errors
from hawk.errors import Bug, ConfigError, ConfigProblem, Conflict, HawkError, NotAllowed, NotFound, Upstream, UserError

FAMILY = [each for each in vars(errors).values() if isinstance(each, type) and issubclass(each, HawkError)]


@pytest.mark.parametrize("kind", [each for each in FAMILY if each is not ConfigError], ids=lambda each: each.__name__)
def test_an_error_says_what_was_wrong_and_what_to_do_and_keeps_both(kind: type[HawkError]) -> None:
    error = kind("Name 'a/b' has '/'.", hint="Use letters.", value="a/b", field="name")

    assert str(error) == "Name 'a/b' has '/'. Use letters."
    assert (error.message, error.hint, error.value, error.field) == (
        "Name 'a/b' has '/'.",
        "Use letters.",
        "a/b",
        "name",
    )


def test_each_kind_of_error_has_its_own_exit_code() -> None:
    codes = [each.exit_code for each in (UserError, NotAllowed, NotFound, Conflict, Upstream, Bug)]

    assert codes == [2, 3, 4, 5, 6, 70]


def test_each_kind_of_error_has_a_status_that_http_clients_understand() -> None:
    statuses = {each.__name__: each.http_status for each in FAMILY}

    assert statuses == {
        "HawkError": 500,
        "UserError": 422,
        "ConfigError": 422,
        "NotAllowed": 403,
        "NotSignedIn": 401,
        "NotFound": 404,
        "Conflict": 409,
        "TooManyRequests": 429,
        "Upstream": 503,
        "Bug": 500,
    }


def test_a_problem_begins_with_its_place() -> None:
    problem = ConfigProblem("epochs: 0 is less than 1.", file="a.yaml", line=3, column=9, hint="Write at least 1.")

    assert str(problem) == "a.yaml:3:9: epochs: 0 is less than 1. Write at least 1."


def test_a_problem_without_a_place_is_its_message() -> None:
    assert str(ConfigProblem("empty.")) == "empty."


def test_a_config_error_has_a_line_for_each_problem() -> None:
    problems = [ConfigProblem("one.", file="a.yaml", line=1), ConfigProblem("two.", file="a.yaml", line=2)]

    error = ConfigError(problems)

    assert str(error) == "a.yaml:1: one.\na.yaml:2: two."
    assert error.problems == tuple(problems)
