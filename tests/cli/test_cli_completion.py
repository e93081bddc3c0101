import pytest
from click.shell_completion import ShellComplete
from click.testing import CliRunner

from hawk.cli.main import main


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_script_of_each_shell_calls_hawk(shell) -> None:
    result = CliRunner().invoke(main, ["completion", shell])

    assert result.exit_code == 0, result.output
    assert f"_HAWK_COMPLETE={shell}_complete" in result.stdout


@pytest.mark.parametrize(
    ("words", "incomplete", "expected"),
    [
        ([], "eval", "eval-set"),
        (["list"], "sam", "samples"),
        (["list", "jobs"], "--en", "--ended"),
        ([], "res", "resume"),
    ],
)
def test_commands_and_options_are_completed(words, incomplete, expected) -> None:
    found = ShellComplete(main, {}, "hawk", "_HAWK_COMPLETE").get_completions(words, incomplete)

    assert expected in [item.value for item in found]
