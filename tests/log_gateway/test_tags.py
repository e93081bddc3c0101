import pytest

from hawk.log_gateway.tags import MAX_TAG_VALUE, model_tags, tagged_models, tagging_header


def test_models_are_a_tag_as_metrs_hawk_writes_it():
    assert model_tags(["openai/b", "openai/a", "openai/a"], "v1") == {
        "InspectModels": "openai/a openai/b",
        "InspectModelsOf": "v1",
    }


def test_more_models_than_a_tag_holds_are_several_tags_and_come_back_whole():
    names = frozenset(f"provider/model-number-{number}" for number in range(40))

    tags = model_tags(names, "v1")

    assert tags is not None
    assert len(tags) > 2
    assert all(len(value) <= MAX_TAG_VALUE for value in tags.values())
    assert tagged_models(tags, "v1") == names


@pytest.mark.parametrize("names", [[], ["a b"], ["naïve"], ["x" * 257], [f"{'x' * 200}{n}" for n in range(9)]])
def test_what_tags_cannot_say_is_not_said_by_halves(names):
    assert model_tags(names, "v1") is None
    assert tagging_header(names) == ""


@pytest.mark.parametrize(
    "tags",
    [
        {},
        {"InspectModels": "openai/a"},
        {"InspectModels": "openai/a", "InspectModelsOf": "older"},
        {"InspectModelsOf": "v1"},
    ],
    ids=["none", "of no version", "of another version", "of no model"],
)
def test_tags_that_say_nothing_of_this_version_are_not_believed(tags):
    assert tagged_models(tags, "v1") is None
