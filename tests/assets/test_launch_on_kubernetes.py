"""What a set's job is told where jobs run on a cluster: addresses as pods know them, wishes of the run, sandboxes."""

import pytest

from assets.launch import kubernetes_config, launch_eval_set
from hawk.errors import UserError
from hawk.settings import OrchestrationSettings
from tests.fakes.orchestrator import Orchestrator

WISHES = {"pod_spec_config": {"priority_class_name": "urgent"}}


def on_cluster(hawk: Orchestrator, **settings: object) -> OrchestrationSettings:
    changes = {"launcher": "kubernetes", "namespace_prefix": "evals", "runner_s3_endpoint_url": "http://s3.example.org"}
    return hawk.settings.model_copy(update=changes | settings)


def test_job_knows_services_by_the_addresses_that_pods_reach(hawk: Orchestrator) -> None:
    eval_set_id = hawk.claim()

    launched = launch_eval_set(on_cluster(hawk), hawk.launcher, eval_set_id, dagster_run_id="run")

    assert hawk.launcher.jobs[launched.row.eval_set_id].secrets["AWS_ENDPOINT_URL_S3"] == "http://s3.example.org"


def test_local_job_knows_services_as_hawk_does(hawk: Orchestrator) -> None:
    settings = on_cluster(hawk, launcher="local")

    assert settings.as_jobs_see_it() is settings


def test_wishes_of_the_run_and_rules_of_the_deployment_go_with_the_job(hawk: Orchestrator) -> None:
    settings = on_cluster(hawk, kueue_sandbox_queue="sandboxes", sandbox_values={"corednsImage": "mirror/coredns:1"})
    eval_set_id = hawk.claim()

    launched = launch_eval_set(settings, hawk.launcher, eval_set_id, dagster_run_id="run", kubernetes=WISHES)

    infra = launched.spec.infra
    assert infra.kubernetes == WISHES
    assert infra.sandboxes is not None
    assert infra.sandboxes.values == {"corednsImage": "mirror/coredns:1"}
    assert infra.sandboxes.labels == {
        "hawk.dagster.io/job-id": eval_set_id,
        "hawk.dagster.io/namespace-prefix": "evals",
        "kueue.x-k8s.io/queue-name": "default",
        "kueue.x-k8s.io/priority-class": "hawk-medium",
    }


def test_shape_of_the_pods_does_not_make_it_another_job(hawk: Orchestrator) -> None:
    eval_set_id = hawk.claim()
    settings = on_cluster(hawk)

    plain = launch_eval_set(settings, hawk.launcher, eval_set_id, dagster_run_id="run").spec
    infra = plain.infra.model_copy(update={"kubernetes": WISHES, "sandboxes": None})

    assert plain.model_copy(update={"infra": infra}).digest == plain.digest
    assert plain.model_copy(update={"infra": infra.model_copy(update={"max_samples": 1})}).digest != plain.digest


def test_run_without_the_tag_wishes_nothing() -> None:
    assert kubernetes_config({}) == {}
    assert kubernetes_config({"dagster-k8s/config": '{"a": {}}'}) == {"a": {}}


@pytest.mark.parametrize("text", ["{", "[]", '"text"'])
def test_tag_that_is_no_mapping_is_refused(text: str) -> None:
    with pytest.raises(UserError, match="dagster-k8s/config"):
        kubernetes_config({"dagster-k8s/config": text})
