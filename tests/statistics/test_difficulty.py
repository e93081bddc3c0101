import math

import pytest

from hawk.errors import UserError
from hawk.statistics.difficulty import task_difficulties


def rows(**scores):
    return zip(
        *((task, model, score) for task, by_model in scores.items() for model, score in by_model.items()), strict=True
    )


def test_a_task_that_fewer_models_solve_is_harder_and_tells_models_apart():
    found = task_difficulties(
        *rows(
            easy={"strong": 1, "middling": 1, "weak": 1},
            medium={"strong": 1, "middling": 1, "weak": 0},
            hard={"strong": 1, "middling": 0, "weak": 0},
        )
    )

    assert [task.task for task in found.tasks] == ["hard", "medium", "easy"]
    assert [task.mean_score for task in found.tasks] == pytest.approx([1 / 3, 2 / 3, 1.0])
    assert [task.is_extreme for task in found.tasks] == [False, False, True]
    assert sum(task.difficulty_logits for task in found.tasks) == pytest.approx(0.0, abs=1e-9)
    assert found.abilities["strong"] > found.abilities["middling"] > found.abilities["weak"]
    assert found.tasks[0].discrimination == pytest.approx(0.5 / math.sqrt(0.5 * 2 / 3) * math.sqrt(3) / 2, rel=0.5)


def test_a_task_that_only_weak_models_tried_is_not_harder_for_that():
    found = task_difficulties(
        *rows(
            shared={"strong": 1, "strong-2": 1, "weak": 0, "weak-2": 0},
            shared_too={"strong": 1, "strong-2": 0, "weak": 0, "weak-2": 0},
            only_weak={"weak": 0, "weak-2": 1},
            only_strong={"strong": 1, "strong-2": 0},
        )
    )

    difficulty = {task.task: task.difficulty_logits for task in found.tasks}
    assert difficulty["only_strong"] > difficulty["only_weak"]


def test_what_all_or_none_solve_stays_finite_and_is_marked():
    found = task_difficulties(*rows(all={"a": 1, "b": 1}, none={"a": 0, "b": 0}))

    assert all(math.isfinite(task.difficulty_logits) and task.standard_error > 0 for task in found.tasks)
    assert all(task.is_extreme for task in found.tasks)
    assert all(task.discrimination is None for task in found.tasks)


def test_no_score_no_difficulty():
    assert task_difficulties(["t"], ["m"], [math.nan]).tasks == []
    assert task_difficulties([], [], []).abilities == {}


def test_scores_that_are_not_from_0_to_1_are_refused():
    with pytest.raises(UserError, match="between 0 and 1"):
        task_difficulties(["t"], ["m"], [3.0])
