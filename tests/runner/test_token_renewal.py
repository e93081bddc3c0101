import pytest
from inspect_ai.hooks._hooks import override_api_key

from runner.inside.hooks import install_token_renewal


def test_models_take_the_token_of_the_moment_and_keep_keys_of_ones_own(tmp_path, monkeypatch) -> None:
    file = tmp_path / "token"
    file.write_text("first\n")
    monkeypatch.setenv("HAWK_TOKEN_FILE", str(file))
    install_token_renewal()

    file.write_text("second\n")

    assert override_api_key("OPENAI_API_KEY", "first") == "second"
    assert override_api_key("OPENAI_API_KEY", "my-own-key") is None


@pytest.mark.parametrize("value", ["", None])
def test_without_a_file_nothing_is_installed(monkeypatch, value) -> None:
    if value is None:
        monkeypatch.delenv("HAWK_TOKEN_FILE", raising=False)
    else:
        monkeypatch.setenv("HAWK_TOKEN_FILE", value)

    install_token_renewal()
