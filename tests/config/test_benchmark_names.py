import pytest

from hawk.config.benchmark_names import benchmark_names
from hawk.config.load import validate_eval_set_mapping

BUILTIN = {"package": "inspect-ai", "items": [{"name": "task"}]}
COMMIT = "0123456789012345678901234567890123456789"


def names(**fields) -> tuple[str, ...]:
    return benchmark_names(validate_eval_set_mapping({"tasks": [BUILTIN], **fields}).config)


def task(package: str, name: str = "registered", item: str = "task") -> dict:
    return {"package": package, "name": name, "items": [{"name": item}]}


@pytest.mark.parametrize(
    ("package", "expected"),
    [
        ("Secret_Bench==1.0", {"secret-bench", "registered"}),
        ("secret.bench[extra]>=2", {"secret-bench", "registered"}),
        (f"git+https://github.com/lab/Secret_Bench.git@{COMMIT}", {"secret-bench", "registered"}),
        ("git+https://github.com/lab/secret-bench@release/1#subdirectory=x", {"secret-bench", "registered"}),
        (f"other @ git+https://github.com/lab/secret_bench@{COMMIT}", {"secret-bench", "other", "registered"}),
        ("https://files.example/secret-bench", {"secret-bench", "registered"}),
    ],
)
def test_task_package_goes_by_every_name_that_it_has(package, expected):
    assert set(names(tasks=[task(package)])) == expected


def test_registered_name_counts_whatever_is_installed():
    assert "secret-bench" in names(tasks=[task("fork", name="Secret_Bench")])


def test_package_that_is_installed_beside_the_tasks_counts():
    assert names(packages=["secret-bench"]) == ("secret-bench",)


def test_task_named_by_its_package_among_the_built_in_ones_counts():
    builtin = {"package": "inspect-ai", "items": [{"name": "secret_bench/task"}]}

    assert names(tasks=[builtin]) == ("secret-bench",)


def test_solver_and_agent_packages_count():
    assert names(solvers=[task("a", "b")], agents=[task("c", "d")]) == ("a", "b", "c", "d")


def test_what_is_built_in_is_no_benchmark():
    assert names(models=[{"package": "inspect-ai", "items": [{"name": "openai/small"}]}]) == ()
