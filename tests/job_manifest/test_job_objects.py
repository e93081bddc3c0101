"""The objects of a job: valid, in order, labelled, and no more open than they say."""

import base64
import json
from collections.abc import Callable
from typing import Any

import jsonschema
import kubernetes_validate
import pytest

from hawk.errors import UserError
from hawk.job_manifest.identity import JobIdentity, Manifest, label_value
from hawk.job_manifest.network import METADATA, POD_IDENTITY_AGENT, Address, Surroundings
from hawk.job_manifest.objects import job_objects
from hawk.naming import COMPONENT_LABEL, JOB_ID_LABEL, NAME_LABEL
from hawk.settings import KubernetesSettings

AROUND = Surroundings(
    services=(Address.of_url("https://proxy.example.org"), Address.of_url("http://10.250.0.1:8333")),
    api_servers=(Address("10.0.0.1", 6443),),
    database_ports=(5432,),
)
MakeJob = Callable[..., JobIdentity]


def objects(
    job: JobIdentity,
    settings: KubernetesSettings,
    around: Surroundings = AROUND,
    secrets: dict[str, str] | None = None,
) -> list[Manifest]:
    return job_objects(job, settings, around, region="eu-west-1", secrets=secrets or {})


def only(manifests: list[Manifest], kind: str, name: str | None = None) -> Manifest:
    [found] = [
        manifest
        for manifest in manifests
        if manifest["kind"] == kind and (name is None or manifest["metadata"]["name"] == name)
    ]
    return found


def settings_with(settings: KubernetesSettings, **changes: Any) -> KubernetesSettings:
    return settings.model_copy(update=changes)


VARIANTS = [
    {},
    {"runner_egress": "listed", "runner_allowed_domains": ("pypi.org", "*.pythonhosted.org")},
    {"platform_namespace": "hawk", "runner_pod_identity": True, "runner_allowed_networks": ("203.0.113.0/24",)},
    {"runner_role_arn": "arn:aws:iam::123456789012:role/runner"},
    {"kueue_queue": "hawk-runners", "kueue_sandbox_queue": "hawk-sandboxes"},
]


@pytest.mark.parametrize("changes", VARIANTS, ids=lambda changes: ",".join(changes) or "defaults")
@pytest.mark.parametrize("job_type", ["eval-set", "scan"])
def test_every_object_is_valid_by_the_newest_schemas(
    make_job: MakeJob,
    settings: KubernetesSettings,
    validate: Callable[[Manifest], None],
    changes: dict[str, Any],
    job_type: str,
) -> None:
    for manifest in objects(make_job(job_type=job_type), settings_with(settings, **changes)):
        validate(manifest)


def test_schemas_refuse_what_they_do_not_know(
    make_job: MakeJob, settings: KubernetesSettings, validate: Callable[[Manifest], None]
) -> None:
    made = objects(make_job(), settings)
    policy = only(made, "CiliumNetworkPolicy", "runner")
    policy["spec"]["egress"][0]["toNowhere"] = []
    quota = only(made, "ResourceQuota", "runner")
    quota["spec"]["softly"] = {}

    with pytest.raises(jsonschema.ValidationError):
        validate(policy)
    with pytest.raises(kubernetes_validate.ValidationError):
        validate(quota)


def test_policies_and_quotas_come_after_namespaces_and_before_anything_that_a_pod_reads(
    make_job: MakeJob, settings: KubernetesSettings
) -> None:
    kinds = [manifest["kind"] for manifest in objects(make_job(), settings)]

    assert kinds == [
        *["Namespace"] * 2,
        *["NetworkPolicy", "CiliumNetworkPolicy"] * 2,
        *["ResourceQuota"] * 2,
        *["ServiceAccount", "RoleBinding", "ConfigMap", "Secret"],
    ]


def test_every_object_is_found_by_the_jobs_labels(make_job: MakeJob, settings: KubernetesSettings) -> None:
    for manifest in objects(make_job(), settings_with(settings, kueue_queue="queue", kueue_sandbox_queue="queue")):
        labels = manifest["metadata"]["labels"]
        assert labels[JOB_ID_LABEL] == "gpqa-0123456789abcdef"
        assert labels[NAME_LABEL] == "hawk"
        assert labels[COMPONENT_LABEL] in ("runner", "sandbox")


def test_namespace_says_who_asked_and_which_groups_may_see_it(make_job: MakeJob, settings: KubernetesSettings) -> None:
    namespace = only(objects(make_job(), settings), "Namespace", "inspect-gpqa-0123456789abcdef")

    assert namespace["metadata"]["annotations"] == {
        "hawk.dagster.io/created-by": "auth0|researcher",
        "hawk.dagster.io/email": "researcher@example.org",
        "hawk.dagster.io/model-access": "__private__public__",
    }
    assert namespace["metadata"]["labels"]["hawk.dagster.io/created-by"] == "auth0_researcher"


@pytest.mark.parametrize(
    ("isolation", "sandbox_level"), [(None, "baseline"), ("standard", "baseline"), ("strict", "restricted")]
)
def test_pod_security_is_restricted_for_runners_and_by_isolation_for_sandboxes(
    make_job: MakeJob, settings: KubernetesSettings, isolation: str | None, sandbox_level: str
) -> None:
    made = objects(make_job(isolation=isolation), settings)

    levels = [
        manifest["metadata"]["labels"]["pod-security.kubernetes.io/enforce"]
        for manifest in made
        if manifest["kind"] == "Namespace"
    ]
    assert levels == ["restricted", sandbox_level]


def test_scan_has_no_sandbox_namespace_and_no_rights(make_job: MakeJob, settings: KubernetesSettings) -> None:
    made = objects(make_job(job_type="scan"), settings)

    assert [manifest["metadata"]["name"] for manifest in made if manifest["kind"] == "Namespace"] == [
        "inspect-gpqa-0123456789abcdef"
    ]
    assert not [manifest for manifest in made if manifest["kind"] == "RoleBinding"]
    assert "kubeconfig" not in only(made, "ConfigMap")["data"]


def test_runner_has_rights_in_its_sandbox_namespace_only(make_job: MakeJob, settings: KubernetesSettings) -> None:
    job = make_job()
    binding = only(objects(job, settings), "RoleBinding")

    assert binding["metadata"]["namespace"] == "inspect-gpqa-0123456789abcdef-s"
    assert binding["subjects"] == [
        {"kind": "ServiceAccount", "name": job.service_account, "namespace": "inspect-gpqa-0123456789abcdef"}
    ]


def test_name_of_the_account_fits_whatever_the_id(make_job: MakeJob) -> None:
    long, longer = make_job(job_id="a" * 43), make_job(job_id="a" * 42 + "b")

    assert make_job().service_account == "hawk-eval-set-runner-gpqa-0123456789abcdef"
    assert len(long.service_account) <= 63
    assert long.service_account != longer.service_account


def test_role_of_iam_is_on_the_account(make_job: MakeJob, settings: KubernetesSettings) -> None:
    made = objects(make_job(), settings_with(settings, runner_role_arn="arn:aws:iam::1:role/runner"))

    account = only(made, "ServiceAccount")
    assert account["metadata"]["annotations"] == {"eks.amazonaws.com/role-arn": "arn:aws:iam::1:role/runner"}
    assert account["automountServiceAccountToken"] is False


def test_secret_layers_are_won_by_the_last(make_job: MakeJob, settings: KubernetesSettings) -> None:
    defaults = settings_with(settings, runner_default_environment={"INSPECT_HELM_TIMEOUT": "60", "TOOL": "deployment"})
    made = objects(make_job(), defaults, secrets={"TOOL": "user"})

    values = {name: base64.b64decode(value).decode() for name, value in only(made, "Secret")["data"].items()}
    assert values["TOOL"] == "user"
    assert values["INSPECT_HELM_TIMEOUT"] == "60"
    assert values["INSPECT_HTTP_CONNECT_TIMEOUT"] == "60"


def test_job_that_no_config_map_holds_is_refused(make_job: MakeJob, settings: KubernetesSettings) -> None:
    job = make_job(metadata={"text": "x" * 1_100_000})

    with pytest.raises(UserError, match="Kubernetes takes 1000000"):
        objects(job, settings)


def test_kubeconfig_leads_to_the_sandbox_namespace(make_job: MakeJob, settings: KubernetesSettings) -> None:
    config = json.loads(only(objects(make_job(), settings), "ConfigMap")["data"]["kubeconfig"])

    [context] = config["contexts"]
    assert context["context"]["namespace"] == "inspect-gpqa-0123456789abcdef-s"
    assert config["users"][0]["user"] == {"tokenFile": "/var/run/secrets/hawk/kubernetes/token"}


def test_nobody_reaches_a_runner(make_job: MakeJob, settings: KubernetesSettings) -> None:
    made = objects(make_job(), settings)

    assert only(made, "CiliumNetworkPolicy", "runner")["spec"]["ingress"] == [{}]  # Cilium: on, and nothing allowed
    standard = only(made, "NetworkPolicy", "runner")["spec"]
    assert "Ingress" in standard["policyTypes"]
    assert "ingress" not in standard


def test_metadata_addresses_are_denied_but_for_the_pod_identity_agent_where_that_is_on(
    make_job: MakeJob, settings: KubernetesSettings
) -> None:
    def denied(with_agent: bool) -> set[str]:
        made = objects(make_job(), settings_with(settings, runner_pod_identity=with_agent))
        rule, _ = only(made, "CiliumNetworkPolicy", "runner")["spec"]["egressDeny"]
        return set(rule["toCIDR"])

    assert denied(False) == set(METADATA)
    assert set(METADATA) - denied(True) == set(POD_IDENTITY_AGENT)


def test_world_is_what_is_public(make_job: MakeJob, settings: KubernetesSettings) -> None:
    made = objects(make_job(), settings)

    for name in ("CiliumNetworkPolicy", "NetworkPolicy"):
        spec = only(made, name, "runner")["spec"]
        rules = [cidr for rule in spec["egress"] for cidr in rule.get("toCIDRSet", [])]
        rules += [to["ipBlock"] for rule in spec["egress"] for to in rule.get("to", []) if "ipBlock" in to]
        [world] = [rule for rule in rules if rule["cidr"] == "0.0.0.0/0"]
        assert {"10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16"} <= set(world["except"])


def test_listed_egress_names_domains_and_opens_no_network(make_job: MakeJob, settings: KubernetesSettings) -> None:
    made = objects(make_job(), settings_with(settings, runner_egress="listed"))

    cilium = only(made, "CiliumNetworkPolicy", "runner")["spec"]
    [domains] = [rule for rule in cilium["egress"] if "toFQDNs" in rule]
    assert domains["toFQDNs"] == [
        {"matchName": "proxy.example.org"},
        {"matchName": "pypi.org"},
        {"matchName": "files.pythonhosted.org"},
    ]
    assert "0.0.0.0/0" not in json.dumps(cilium["egress"])
    assert "0.0.0.0/0" not in json.dumps(only(made, "NetworkPolicy", "runner"))
    assert '"matchPattern": "*"}' not in json.dumps(cilium)  # names are not carried out by DNS either


def test_services_at_an_address_are_reached_at_their_port_only(make_job: MakeJob, settings: KubernetesSettings) -> None:
    standard = only(objects(make_job(), settings), "NetworkPolicy", "runner")["spec"]

    [rule] = [rule for rule in standard["egress"] if rule["to"][0].get("ipBlock", {}).get("cidr") == "10.250.0.1/32"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 8333}]


def test_sandbox_namespace_denies_what_no_sandbox_of_its_own_allows(
    make_job: MakeJob, settings: KubernetesSettings
) -> None:
    made = objects(make_job(), settings)

    assert only(made, "CiliumNetworkPolicy", "default-deny")["spec"] == {
        "endpointSelector": {},
        "ingress": [{}],
        "egress": [{}],
    }
    assert only(made, "NetworkPolicy", "default-deny")["spec"] == {
        "podSelector": {},
        "policyTypes": ["Ingress", "Egress"],
    }


def test_cluster_without_cilium_gets_the_standard_policies(make_job: MakeJob, settings: KubernetesSettings) -> None:
    made = objects(make_job(), settings, Surroundings(has_cilium=False))

    kinds = [manifest["kind"] for manifest in made]
    assert "CiliumNetworkPolicy" not in kinds
    assert kinds.count("NetworkPolicy") == 2


@pytest.mark.parametrize(
    ("text", "value"),
    [("auth0|someone@example.org", "auth0_someone_example.org"), ("-x-", "x"), ("é", ""), ("a" * 80, "a" * 63)],
)
def test_label_value_is_one_that_kubernetes_takes(text: str, value: str) -> None:
    assert label_value(text) == value
