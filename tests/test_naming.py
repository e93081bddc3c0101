import re

from hypothesis import given
from hypothesis import strategies as st

from hawk.ids import MAX_JOB_ID, JobId
from hawk.naming import (
    eval_set_id_of_key,
    eval_set_key,
    eval_set_prefix,
    is_eval_log_key,
    runner_namespace,
    sandbox_namespace,
)

LABEL = re.compile(r"[a-z0-9]([-a-z0-9]*[a-z0-9])?")  # RFC 1123
job_ids = st.from_regex(r"[a-z0-9]([-a-z0-9]{0,41}[a-z0-9])?", fullmatch=True).map(JobId)
prefixes = st.from_regex(r"[a-z]([-a-z0-9]{0,30}[a-z0-9])?", fullmatch=True)


@given(prefix=prefixes, job_id=job_ids)
def test_namespaces_are_labels_of_at_most_63_characters(prefix: str, job_id: JobId) -> None:
    for name in (runner_namespace(prefix, job_id), sandbox_namespace(prefix, job_id)):
        assert len(name) <= 63
        assert LABEL.fullmatch(name)


@given(prefix=prefixes, first=job_ids, second=job_ids)
def test_no_two_jobs_share_a_namespace(prefix: str, first: JobId, second: JobId) -> None:
    names = [of(prefix, job_id) for job_id in {first, second} for of in (runner_namespace, sandbox_namespace)]

    assert len(set(names)) == len(names)


def test_a_job_named_like_the_sandboxes_of_another_gets_a_namespace_of_its_own() -> None:
    assert runner_namespace("inspect", JobId("evals-s")) != sandbox_namespace("inspect", JobId("evals"))


def test_long_ids_that_begin_alike_get_different_namespaces() -> None:
    prefix = "a-prefix-of-a-deployment"

    assert runner_namespace(prefix, JobId("x" * MAX_JOB_ID)) != runner_namespace(prefix, JobId("x" * (MAX_JOB_ID - 1)))


def test_a_short_namespace_is_prefix_and_id() -> None:
    assert runner_namespace("inspect", JobId("gpqa-1")) == "inspect-gpqa-1"
    assert sandbox_namespace("inspect", JobId("gpqa-1")) == "inspect-gpqa-1-s"


@given(job_id=job_ids, name=st.from_regex(r"[a-zA-Z0-9_.+-]{1,40}", fullmatch=True))
def test_a_key_of_a_set_leads_back_to_it(job_id: JobId, name: str) -> None:
    assert eval_set_id_of_key(eval_set_key(job_id, name)) == job_id


def test_the_prefix_of_one_set_does_not_reach_another_that_begins_alike() -> None:
    assert not eval_set_key("ab", "x.eval").startswith(eval_set_prefix("a"))


def test_keys_outside_of_sets_belong_to_none() -> None:
    keys = ["evals/a/", "evals/a", "evals//x.eval", "scans/a/x.eval", "x.eval", "", "/evals/a/x.eval"]

    assert [eval_set_id_of_key(key) for key in keys] == [None] * len(keys)


def test_only_logs_directly_in_a_set_are_imported() -> None:
    keys = {
        "evals/a/2026-01-01T00-00-00+00-00_task_x.eval": True,
        "evals/a/.buffer/x.eval": False,
        "evals/a/.hidden.eval": False,
        "evals/a/logs.json": False,
        "evals/x.eval": False,
        "scans/a/x.eval": False,
    }

    assert {key: is_eval_log_key(key) for key in keys} == keys


def test_logs_of_both_formats_are_told_from_what_lies_beside_them() -> None:
    logs = ("a.eval", "2025-01-02T03-04-05-00-00_task_id.json", "2025-01-02T03:04:05_task_id.eval")
    others = ("logs.json", "eval-set.json", ".models.json", ".a.eval", "2025.json", "2025-01-02T03-04-05.txt")

    assert [is_eval_log_key(f"evals/set/{name}") for name in (*logs, *others)] == [True] * 3 + [False] * 6
