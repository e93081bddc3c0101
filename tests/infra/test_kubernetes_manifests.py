"""What the program gives to Kubernetes is valid, closed, and tells each program what its settings need."""

import json
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from psycopg.conninfo import conninfo_to_dict

from hawk.job_manifest.namespaces import namespaces
from hawk.naming import LOGIN_ROLES
from hawk.settings import (
    ApiSettings,
    DoorSettings,
    HawkSettings,
    KubernetesSettings,
    LoginSettings,
    OrchestrationSettings,
    ProxySettings,
    ViewerSettings,
)
from infra.core.registry import IMAGES
from tests.fakes.infra_program import CONFIGURATIONS, Program, build
from tests.job_manifest.conftest import manifest_job

ROOT = Path(__file__).parents[2]
PODS_IN = ("Deployment", "StatefulSet", "Job")
# Kinds of Karpenter, Cilium, Kueue and the load balancer's controller, whose schemas no release of Kubernetes has.
FOREIGN = ("karpenter", "elbv2", "kueue", "cilium")
SETTINGS: dict[str, type[HawkSettings]] = {
    "hawk-api": ApiSettings,
    "hawk-dagster-door": DoorSettings,
    "hawk-proxy": ProxySettings,
    "hawk-viewer": ViewerSettings,
    "hawk-settings": OrchestrationSettings,
}
# What is for boto3, Streamlit, and dagster.yaml, not for a settings class.
OTHER_VARIABLES = {
    "AWS_REGION",
    "STREAMLIT_BROWSER_GATHER_USAGE_STATS",
    "HAWK_DAGSTER_DATABASE_URL",
    "HAWK_DAGSTER_NAMESPACE",
    "HAWK_DAGSTER_IMAGE",
}


def workloads(program: Program) -> list[dict[str, Any]]:
    return [each for each in program.manifests() if each["kind"] in PODS_IN]


def pod_of(workload: dict[str, Any]) -> dict[str, Any]:
    pod: dict[str, Any] = workload["spec"]["template"]["spec"]
    return pod


def containers(program: Program) -> list[tuple[str, dict[str, Any]]]:
    return [
        (each["metadata"]["name"], container)
        for each in workloads(program)
        for container in [*pod_of(each).get("initContainers", []), *pod_of(each)["containers"]]
    ]


def environment(program: Program, name: str) -> dict[str, str]:
    plain, secret = program.manifest("ConfigMap", name), program.manifest("Secret", name)
    return {**plain["data"], **secret["stringData"]}


@pytest.mark.parametrize("configuration", sorted(CONFIGURATIONS))
def test_manifests_are_valid_by_the_newest_schema(configuration: str):
    manifests = [
        each for each in build(configuration).manifests() if not any(word in each["apiVersion"] for word in FOREIGN)
    ]

    assert len(manifests) > 50
    for manifest in manifests:
        kubernetes_validate.validate(manifest, "1.37", strict=True)


def test_no_object_is_made_twice(program: Program):
    places = [
        (each["apiVersion"], each["kind"], each["metadata"].get("namespace"), each["metadata"]["name"])
        for each in program.manifests()
    ]

    assert len(places) == len(set(places))


def test_pods_have_no_rights_on_their_node(program: Program):
    for workload in workloads(program):
        pod = pod_of(workload)
        assert pod["securityContext"]["runAsNonRoot"] is True, workload["metadata"]["name"]
        assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
        assert not {"hostNetwork", "hostPID", "hostIPC"} & set(pod)
        assert not [volume for volume in pod["volumes"] if "hostPath" in volume]
    for name, container in containers(program):
        security = container["securityContext"]
        assert security["allowPrivilegeEscalation"] is False, name
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert security["readOnlyRootFilesystem"] is True


def test_namespace_takes_restricted_pods_only_and_its_name_is_that_of_the_shipped_manifests(program: Program):
    [namespace] = [each for each in program.manifests() if each["kind"] == "Namespace"]

    assert namespace["metadata"]["name"] == "hawk"
    assert namespace["metadata"]["labels"]["pod-security.kubernetes.io/enforce"] == "restricted"


def test_every_container_asks_for_what_it_needs_and_has_an_image_that_stays(program: Program):
    for name, container in containers(program):
        resources = container["resources"]
        assert {"cpu", "memory"} <= set(resources["requests"]) and resources["limits"]["memory"], name
        tag = container["image"].rpartition(":")[2]
        assert tag and tag != "latest" and "IMAGE" not in container["image"], container["image"]


def test_servers_say_when_they_are_ready_and_start_before_others_end(program: Program):
    servers = {each["metadata"]["name"]: each for each in workloads(program) if each["kind"] != "Job"}

    assert {"hawk-api", "hawk-proxy", "hawk-dagster-door", "hawk-viewer", "hawk-dagster-code"} <= set(servers)
    for name, server in servers.items():
        [container] = pod_of(server)["containers"]
        assert "readinessProbe" in container or name == "hawk-dagster-daemon"
        if server["spec"].get("strategy", {}).get("type") == "RollingUpdate":
            assert server["spec"]["strategy"]["rollingUpdate"] == {"maxSurge": 1, "maxUnavailable": 0}


def test_proxy_ends_later_than_its_longest_call_and_keeps_its_ledger(program: Program):
    proxy = program.manifest("StatefulSet", "hawk-proxy")
    settings = ProxySettings.model_validate(_fields(environment(program, "hawk-proxy")))

    assert pod_of(proxy)["terminationGracePeriodSeconds"] > settings.drain_seconds
    mounts = {each["mountPath"]: each["name"] for each in pod_of(proxy)["containers"][0]["volumeMounts"]}
    claims = {each["metadata"]["name"] for each in proxy["spec"]["volumeClaimTemplates"]}
    assert mounts[str(settings.ledger_path)] in claims
    assert proxy["spec"]["persistentVolumeClaimRetentionPolicy"] == {"whenDeleted": "Retain", "whenScaled": "Retain"}


def test_what_is_scaled_has_no_fixed_number_of_pods_and_no_fewer_limits_than_proxies(everything: Program):
    scalers = {
        each["metadata"]["name"]: each["spec"]
        for each in everything.manifests()
        if each["kind"].startswith("Horizontal")
    }

    assert set(scalers) == {"hawk-api", "hawk-proxy"}
    for name, spec in scalers.items():
        assert "replicas" not in everything.manifest(spec["scaleTargetRef"]["kind"], name)["spec"]
        assert spec["minReplicas"] == 2
    assert environment(everything, "hawk-proxy")["HAWK_SHARE_LIMITS"] == "true"


@pytest.mark.parametrize("configuration", sorted(CONFIGURATIONS))
@pytest.mark.parametrize("name", sorted(SETTINGS))
def test_settings_of_a_program_are_whole_and_known(name: str, configuration: str):
    given = environment(build(configuration), name)

    settings = SETTINGS[name].model_validate(_fields(given))

    unknown = {key for key in given if key.removeprefix("HAWK_").lower() not in SETTINGS[name].model_fields}
    assert unknown <= OTHER_VARIABLES | {"HAWK_JOB_TOKEN_KEY", "HAWK_SECRET_KEY"}
    assert settings.home == Path("/home/hawk")


def test_programs_find_one_another(program: Program):
    services = {
        f"http://{each['metadata']['name']}.hawk.svc.cluster.local:{port['port']}"
        for each in program.manifests()
        if each["kind"] == "Service"
        for port in each["spec"]["ports"]
    }
    told = {
        value
        for name in SETTINGS
        for value in environment(program, name).values()
        if isinstance(value, str) and ".svc.cluster.local" in value
    }

    assert told and told <= services


def test_services_lead_to_pods_that_listen_there(program: Program):
    for service in [each for each in program.manifests() if each["kind"] == "Service"]:
        [workload] = [
            each
            for each in workloads(program)
            if service["spec"]["selector"].items() <= each["spec"]["template"]["metadata"]["labels"].items()
        ]
        ports = {
            port.get("name"): port["containerPort"] for each in pod_of(workload)["containers"] for port in each["ports"]
        }
        for port in service["spec"]["ports"]:
            assert port["targetPort"] in ports or port["targetPort"] in ports.values()


def test_load_balancer_finds_what_it_publishes(program: Program):
    bindings = [each for each in program.manifests() if each["kind"] == "TargetGroupBinding"]
    groups = {each.inputs["name"]: each.inputs for each in program.of("aws:lb/targetGroup:TargetGroup")}

    assert len(bindings) == len(groups) == 3
    for binding in bindings:
        group = groups[binding["spec"]["targetGroupARN"].rpartition(":")[2]]
        service = program.manifest("Service", binding["spec"]["serviceRef"]["name"])
        assert binding["spec"]["serviceRef"]["port"] == service["spec"]["ports"][0]["port"] == group["port"]


@pytest.mark.parametrize(("component", "port"), [("api", 8080), ("proxy", 8081)])
def test_runners_of_every_set_are_let_through_to_api_and_proxy_and_to_nothing_else(
    program: Program, component: str, port: int
):
    job = manifest_job()
    settings = KubernetesSettings(runner_image="registry.example.org/hawk/runner:1")
    [of_runner] = [each for each in namespaces(job, settings) if each["metadata"]["name"] == job.runner_namespace]
    policies = [each for each in program.manifests() if each["kind"] == "NetworkPolicy"]

    open_to_runners = {
        policy["metadata"]["name"]: rule["ports"]
        for policy in policies
        for rule in policy["spec"].get("ingress", [])
        for source in rule["from"]
        if source.get("namespaceSelector", {"matchLabels": {"": ""}})["matchLabels"].items()
        <= of_runner["metadata"]["labels"].items()
    }
    assert set(open_to_runners) == {"to-api", "to-proxy"}
    assert open_to_runners[f"to-{component}"] == [{"protocol": "TCP", "port": port}]


def test_nobody_talks_to_anybody_unless_a_policy_says_so(program: Program):
    [closed] = [
        each["spec"]
        for each in program.manifests()
        if each["kind"] == "NetworkPolicy" and each["metadata"]["name"] == "default-deny"
    ]
    everywhere = program.manifest("NetworkPolicy", "platform")["spec"]["egress"]

    assert closed == {"podSelector": {}, "policyTypes": ["Ingress", "Egress"]}
    world = [block["ipBlock"] for rule in everywhere for block in rule["to"] if "ipBlock" in block]
    assert {"cidr": "0.0.0.0/0", "except": ["169.254.0.0/16"]} in world  # never the metadata of instances
    ports = {port["port"] for rule in everywhere for port in rule["ports"]}
    assert ports == {53, 443, 5432, 80}


def test_secrets_stand_in_secrets_alone(program: Program):
    open_values = json.dumps([each for each in program.manifests() if each["kind"] != "Secret"], sort_keys=True)

    for name in SETTINGS:
        for value in program.manifest("Secret", name)["stringData"].values():
            assert value not in open_values


def test_database_is_asked_for_its_certificate_and_every_pod_has_the_authorities(program: Program):
    for name in SETTINGS:
        url = environment(program, name)["HAWK_DATABASE_URL"]
        assert "sslmode=verify-full" in url and "sslrootcert=/etc/hawk/database/authorities.pem" in url
    for name, container in containers(program):
        if container["name"] != "collector":
            assert "/etc/hawk/database" in {each["mountPath"] for each in container["volumeMounts"]}, name


def test_runs_of_dagster_are_pods_beside_it_with_the_sizes_of_the_tier(program: Program):
    from infra.lib.config_file import read_config

    instance = yaml.safe_load(program.manifest("ConfigMap", "hawk-dagster")["data"]["dagster.yaml"])
    run = instance["run_launcher"]["config"]["run_k8s_config"]
    sizes = read_config(CONFIGURATIONS[program.name]).sizes

    assert run["container_config"]["resources"] == sizes.dagster_run.resources
    assert instance["run_coordinator"]["config"]["max_concurrent_runs"] == sizes.most_dagster_runs
    assert run["pod_spec_config"]["node_selector"] == {"hawk.dagster.io/pool": "system"}
    volumes = {each["name"] for each in run["pod_spec_config"]["volumes"]}
    assert {each["name"] for each in run["container_config"]["volume_mounts"]} <= volumes


def test_tables_come_before_programs(program: Program):
    job = next(each for each in program.resources if each.kind == "kubernetes:batch/v1:Job")
    servers = [each for each in program.resources if each.kind.startswith("kubernetes:apps/v1:")]

    assert "2026-11-24" in job.inputs["metadata"]["name"]
    assert [each.name for each in servers if job.name not in each.waits_for and "collector" not in each.name] == []
    steps = [each["command"] for each in [*pod_of(job.inputs)["initContainers"], *pod_of(job.inputs)["containers"]]]
    assert [command[2] for command in steps] == [
        "hawk.warehouse.create_database",
        "hawk.warehouse.migrate",
        "hawk.warehouse.logins",
        "dagster",
    ]


def test_each_program_has_a_login_of_its_own_and_the_owner_is_the_migrations(program: Program):
    users = {name: conninfo_to_dict(environment(program, name)["HAWK_DATABASE_URL"])["user"] for name in SETTINGS}
    told = environment(program, "hawk-migration")
    passwords = json.loads(told["HAWK_LOGIN_PASSWORDS"])

    assert len(set(users.values())) == len(users) and "hawk_owner" not in users.values()
    assert conninfo_to_dict(told["HAWK_DATABASE_URL"])["user"] == "hawk_owner"
    assert set(passwords) == {*users.values(), "dagster"} == {*LOGIN_ROLES, "dagster"}
    for name, user in users.items():
        assert conninfo_to_dict(environment(program, name)["HAWK_DATABASE_URL"])["password"] == passwords[user]
    LoginSettings.model_validate(_fields(told))


def test_nodes_come_after_the_network_and_pods_after_nodes(program: Program):
    waits = {each.name: each.waits_for for each in program.resources}

    assert "hawk-eks-pod-identity-agent" in waits["cilium"]
    assert "cilium" in waits["hawk-system-nodes"]
    assert "hawk-system-nodes" in waits["hawk-coredns"]


def test_shipped_rights_and_policies_are_applied_as_they_are(program: Program):
    for file in ("launcher.yaml", "admission.yaml", "sandboxes-role.yaml"):
        for shipped in yaml.safe_load_all((ROOT / "infra" / "kubernetes" / file).read_text()):
            applied = (
                program.manifest(shipped["kind"], shipped["metadata"]["name"])
                if shipped["kind"] not in ("Role", "RoleBinding")
                else shipped
            )
            assert applied == shipped


def test_queues_of_kueue_have_the_quota_of_the_nodes(everything: Program):
    queues = {
        each["metadata"]["name"]: each["spec"] for each in everything.manifests() if each["kind"] == "ClusterQueue"
    }
    pools = {
        each["metadata"]["name"]: int(each["spec"]["limits"]["cpu"])
        for each in everything.manifests()
        if each["kind"] == "NodePool"
    }

    def cpus(queue: str) -> int:
        resources = queues[queue]["resourceGroups"][0]["flavors"][0]["resources"]
        return next(int(each["nominalQuota"]) for each in resources if each["name"] == "cpu")

    assert cpus("hawk-runners") == pools["runners"]
    assert cpus("hawk-sandboxes") == pools["sandboxes"] + pools["sandboxes-strict"]


def test_strict_sandboxes_are_led_to_nodes_with_gvisor(everything: Program):
    runtime = everything.manifest("RuntimeClass", "gvisor")
    pool = everything.manifest("NodePool", "sandboxes-strict")["spec"]["template"]
    node = everything.manifest("EC2NodeClass", pool["spec"]["nodeClassRef"]["name"])

    assert runtime["scheduling"]["nodeSelector"].items() <= pool["metadata"]["labels"].items()
    assert "sha512sum -c" in node["spec"]["userData"] and "/release/20260803/" in node["spec"]["userData"]


def test_every_image_that_is_run_is_one_that_is_built(program: Program):
    repositories = {container["image"].rpartition("/")[2].partition(":")[0] for _, container in containers(program)}

    assert {name for name in repositories if name.startswith("hawk-")} <= {f"hawk-{name}" for name in IMAGES}


def _fields(variables: dict[str, str]) -> dict[str, Any]:
    """Return the values as a settings class reads them of the environment: JSON where the field is no text."""
    fields: dict[str, Any] = {}
    for name, value in variables.items():
        if not name.startswith("HAWK_"):
            continue
        fields[name.removeprefix("HAWK_").lower()] = json.loads(value) if value[:1] in "[{" else value
    return fields
