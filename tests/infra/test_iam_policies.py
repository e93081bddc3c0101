"""Every role is as small as its work, may be taken by whom it is for, and jobs reach their own folders alone."""

import json
from typing import Any

import pytest

from hawk.session_policy import job_policy
from infra.lib.policies import Statement
from tests.fakes.iam import as_list, may, session_may, statements
from tests.fakes.infra_program import ACCOUNT, REGION, Program

BUCKET = f"hawk-logs-{ACCOUNT}"
OBJECTS = f"arn:aws:s3:::{BUCKET}"
KEY = f"arn:aws:kms:{REGION}:{ACCOUNT}:hawk-data"
VIA_S3 = {"kms__ViaService": f"s3.{REGION}.amazonaws.com"}
# Actions that AWS offers on `*` alone, and no others may stand on it.
WITHOUT_RESOURCE = {
    "pricing:GetProducts",
    "iam:ListInstanceProfiles",
    "xray:PutTraceSegments",
    "xray:PutTelemetryRecords",
}


def policies_of(program: Program, role: str) -> list[str]:
    return [
        each.inputs["policy"]
        for each in program.of("aws:iam/rolePolicy:RolePolicy")
        if each.inputs["role"] == f"{role}-id"
    ]


def trust_of(program: Program, role: str) -> dict[str, Any]:
    [statement] = statements(program.one("aws:iam/role:Role", role).inputs["assumeRolePolicy"])
    return statement


def test_statement_as_wide_as_a_star_must_say_why():
    for actions, resources in ((["s3:*"], ["arn:aws:s3:::a"]), (["s3:GetObject"], ["*"]), (["*"], ["*"])):
        with pytest.raises(ValueError, match="does not say why"):
            Statement(actions, resources)

    assert Statement(["ec2:DescribeVpcs"], ["*"], wildcard_reason="There is no narrower one.").as_mapping()


def test_no_role_has_every_action_of_a_service(program: Program):
    wide = [
        (each.name, action)
        for each in program.of("aws:iam/rolePolicy:RolePolicy")
        for statement in statements(each.inputs["policy"])
        for action in as_list(statement["Action"])
        if statement["Effect"] == "Allow" and ("*" in action)
    ]

    assert program.of("aws:iam/rolePolicy:RolePolicy")
    assert wide == []


def test_on_every_resource_one_may_look_and_no_more(program: Program):
    everywhere = {
        action
        for each in program.of("aws:iam/rolePolicy:RolePolicy")
        for statement in statements(each.inputs["policy"])
        for action in as_list(statement["Action"])
        if "*" in as_list(statement["Resource"])
    }

    changes = {action for action in everywhere if not action.split(":")[1].startswith("Describe")} - WITHOUT_RESOURCE
    assert everywhere and changes == set()


def test_looking_is_of_the_own_region(program: Program):
    for each in program.of("aws:iam/rolePolicy:RolePolicy"):
        for statement in statements(each.inputs["policy"]):
            actions = as_list(statement["Action"])
            if "*" in as_list(statement["Resource"]) and any(":Describe" in action for action in actions):
                assert statement["Condition"]["StringEquals"]["aws:RequestedRegion"] == REGION, each.name


def test_roles_of_pods_are_taken_by_one_service_account_of_one_namespace_of_this_cluster(program: Program):
    associations = program.of("aws:eks/podIdentityAssociation:PodIdentityAssociation")
    accounts = {(each.inputs["namespace"], each.inputs["serviceAccount"]) for each in associations}

    assert len(accounts) == len(associations) >= 7
    for each in associations:
        trust = trust_of(program, each.name)
        assert trust["Principal"] == {"Service": "pods.eks.amazonaws.com"}
        assert set(trust["Action"]) == {"sts:AssumeRole", "sts:TagSession"}
        assert trust["Condition"]["StringEquals"] == {
            "aws:RequestTag/eks-cluster-arn": f"arn:aws:eks:{REGION}:{ACCOUNT}:hawk",
            "aws:RequestTag/kubernetes-namespace": each.inputs["namespace"],
            "aws:RequestTag/kubernetes-service-account": each.inputs["serviceAccount"],
            "aws:SourceAccount": ACCOUNT,
        }


def test_other_roles_are_taken_by_services_of_aws_and_that_of_jobs_by_the_api_alone(program: Program):
    of_pods = {each.name for each in program.of("aws:eks/podIdentityAssociation:PodIdentityAssociation")}
    others = {each.name: trust_of(program, each.name)["Principal"] for each in program.of("aws:iam/role:Role")}

    assert {name: principal for name, principal in others.items() if name not in of_pods} == {
        "hawk-control-plane": {"Service": "eks.amazonaws.com"},
        "hawk-node": {"Service": "ec2.amazonaws.com"},
        "hawk-jobs": {"AWS": f"arn:aws:iam::{ACCOUNT}:role/hawk-api"},
    }


def test_accounts_of_pods_exist_where_the_program_makes_them(program: Program):
    made = {
        each["metadata"]["name"]
        for each in program.manifests()
        if each["kind"] == "ServiceAccount" and each["metadata"]["namespace"] == "hawk"
    }
    trusted = {
        each.inputs["serviceAccount"]
        for each in program.of("aws:eks/podIdentityAssociation:PodIdentityAssociation")
        if each.inputs["namespace"] == "hawk"
    }

    assert trusted <= made


@pytest.mark.parametrize(
    ("action", "resource", "is_allowed"),
    [
        ("s3:GetObject", f"{OBJECTS}/evals/a/1.eval", True),
        ("s3:PutObject", f"{OBJECTS}/evals/a/1.eval", True),
        ("s3:DeleteObject", f"{OBJECTS}/evals/a/.buffer/1", True),
        ("s3:PutObject", f"{OBJECTS}/evals/ab/1.eval", False),  # the sibling whose id begins alike
        ("s3:GetObject", f"{OBJECTS}/evals/ab/1.eval", False),
        ("s3:GetObject", f"{OBJECTS}/evals/b/1.eval", False),
        ("s3:GetObject", f"{OBJECTS}/evals/", False),
        ("s3:GetObject", f"{OBJECTS}/pending/a", False),
        ("s3:GetObject", "arn:aws:s3:::another-bucket/evals/a/1.eval", False),
        ("s3:PutObject", f"{OBJECTS}/evals/a/.models.json", False),  # says who sees the set
        ("s3:DeleteObject", f"{OBJECTS}/evals/a/.config.yaml", False),
        ("s3:GetObject", f"{OBJECTS}/evals/a/.models.json", True),
        ("s3:PutObject", f"{OBJECTS}/evals/a/.commands/stop", False),
        ("s3:PutObjectAcl", f"{OBJECTS}/evals/a/1.eval", False),
        ("s3:DeleteObjectVersion", f"{OBJECTS}/evals/a/1.eval", False),
        ("s3:PutBucketPolicy", OBJECTS, False),
        ("sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/hawk-jobs", False),
        (
            "secretsmanager:GetSecretValue",
            f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:hawk/secret-key-AbCdEf",
            False,
        ),
        ("sqs:ReceiveMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:hawk-log-events", False),
    ],
)
def test_session_of_a_job_reaches_its_own_folder_alone(starter: Program, action: str, resource: str, is_allowed: bool):
    session = job_policy(BUCKET, "evals/a/", key_arn=KEY)

    assert session_may(policies_of(starter, "hawk-jobs"), session, action, resource) is is_allowed


@pytest.mark.parametrize(
    ("prefix", "is_allowed"),
    [("evals/a/", True), ("evals/a/logs", True), ("evals/ab", False), ("evals/", False), ("", False)],
)
def test_session_of_a_job_lists_its_own_folder_alone(starter: Program, prefix: str, is_allowed: bool):
    session = job_policy(BUCKET, "evals/a/", key_arn=KEY)

    role = policies_of(starter, "hawk-jobs")
    assert session_may(role, session, "s3:ListBucket", OBJECTS, s3__prefix=prefix) is is_allowed


@pytest.mark.parametrize(
    ("action", "context", "is_allowed"),
    [
        ("kms:GenerateDataKey", VIA_S3, True),
        ("kms:Decrypt", VIA_S3, True),
        ("kms:Decrypt", {}, False),  # by itself: what somebody encrypted is not the job's to read
        ("kms:ScheduleKeyDeletion", VIA_S3, False),
    ],
)
def test_session_of_a_job_uses_the_key_by_way_of_s3_alone(
    starter: Program, action: str, context: dict[str, str], is_allowed: bool
):
    session = job_policy(BUCKET, "evals/a/", key_arn=KEY)

    assert session_may(policies_of(starter, "hawk-jobs"), session, action, KEY, **context) is is_allowed


def test_session_reads_the_secrets_that_the_deployment_and_the_job_both_name(everything: Program):
    role = policies_of(everything, "hawk-jobs")
    place = f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:"
    session = job_policy(BUCKET, "evals/a/", secrets=[f"{place}team/hf-??????", f"{place}hawk/secret-key-??????"])

    assert session_may(role, session, "secretsmanager:GetSecretValue", f"{place}team/hf-AbCdEf")
    assert not session_may(role, session, "secretsmanager:GetSecretValue", f"{place}hawk/secret-key-AbCdEf")
    assert not session_may(role, session, "secretsmanager:GetSecretValue", f"{place}team/other-AbCdEf")


@pytest.mark.parametrize(
    ("role", "action", "resource", "is_allowed"),
    [
        ("hawk-api", "s3:PutObject", f"{OBJECTS}/evals/a/.config.yaml", True),
        ("hawk-api", "s3:DeleteObject", f"{OBJECTS}/evals/a/.config.yaml", True),
        ("hawk-api", "s3:PutObjectTagging", f"{OBJECTS}/evals/a/.models.json", True),
        ("hawk-api", "s3:DeleteObject", f"{OBJECTS}/evals/a/1.eval", False),
        ("hawk-api", "s3:DeleteObject", f"{OBJECTS}/pending/u", True),
        ("hawk-api", "s3:PutObject", f"{OBJECTS}/scans/s/1.parquet", False),
        ("hawk-api", "sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/hawk-jobs", True),
        ("hawk-api", "sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/hawk-node", False),
        ("hawk-api", "sqs:DeleteMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:hawk-log-events", False),
        ("hawk-launcher", "sqs:DeleteMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:hawk-log-events", True),
        ("hawk-launcher", "sqs:DeleteMessage", f"arn:aws:sqs:{REGION}:{ACCOUNT}:hawk-log-events-dead", False),
        ("hawk-launcher", "s3:PutObjectTagging", f"{OBJECTS}/evals/a/1.eval", True),
        ("hawk-launcher", "s3:DeleteObject", f"{OBJECTS}/evals/a/1.eval", False),
        ("hawk-launcher", "sts:AssumeRole", f"arn:aws:iam::{ACCOUNT}:role/hawk-jobs", False),
        ("hawk-proxy", "s3:GetObject", f"{OBJECTS}/evals/a/1.eval", False),
        (
            "hawk-proxy",
            "secretsmanager:GetSecretValue",
            f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:hawk/providers/openai-AbCdEf",
            True,
        ),
        (
            "hawk-proxy",
            "secretsmanager:GetSecretValue",
            f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:hawk/database-owner-AbCdEf",
            False,
        ),
    ],
)
def test_program_may_do_its_own_work(starter: Program, role: str, action: str, resource: str, is_allowed: bool):
    assert may(policies_of(starter, role), action, resource) is is_allowed


def test_karpenter_starts_and_ends_instances_of_this_cluster_alone(starter: Program):
    policies = policies_of(starter, "hawk-karpenter")
    instance = f"arn:aws:ec2:{REGION}:{ACCOUNT}:instance/i-1"
    subnet = f"arn:aws:ec2:{REGION}:{ACCOUNT}:subnet/s-1"
    node_role = f"arn:aws:iam::{ACCOUNT}:role/hawk-node"
    own = {"aws:ResourceTag/kubernetes.io/cluster/hawk": "owned", "aws:ResourceTag/karpenter.sh/nodepool": "runners"}

    assert may(policies, "ec2:TerminateInstances", instance, **own)
    assert not may(policies, "ec2:TerminateInstances", instance)
    assert may(policies, "ec2:RunInstances", subnet, **{"aws:ResourceTag/karpenter.sh/discovery": "hawk"})
    assert not may(policies, "ec2:RunInstances", subnet, **{"aws:ResourceTag/karpenter.sh/discovery": "other"})
    assert may(policies, "iam:PassRole", node_role, **{"iam:PassedToService": "ec2.amazonaws.com"})
    assert not may(
        policies,
        "iam:PassRole",
        f"arn:aws:iam::{ACCOUNT}:role/hawk-api",
        **{"iam:PassedToService": "ec2.amazonaws.com"},
    )
    assert not may(policies, "iam:CreateInstanceProfile", "*")


def test_queue_takes_messages_of_the_own_bucket_alone(starter: Program):
    policy = starter.one("aws:sqs/queuePolicy:QueuePolicy", "hawk-log-events").inputs["policy"]
    queue = f"arn:aws:sqs:{REGION}:{ACCOUNT}:hawk-log-events"

    def sends(bucket: str, account: str, *, tls: str = "true") -> bool:
        context = {"aws:SourceArn": f"arn:aws:s3:::{bucket}", "aws:SourceAccount": account, "aws:SecureTransport": tls}
        return may([policy], "sqs:SendMessage", queue, **context)

    assert sends(BUCKET, ACCOUNT)
    assert not sends("another", ACCOUNT)
    assert not sends(BUCKET, "210987654321")
    assert not sends(BUCKET, ACCOUNT, tls="false")


def test_bucket_refuses_whoever_comes_without_tls(program: Program):
    [policy] = program.of("aws:s3/bucketPolicy:BucketPolicy")
    [statement] = statements(policy.inputs["policy"])

    assert (statement["Effect"], statement["Principal"]) == ("Deny", {"AWS": "*"})
    assert statement["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}
    assert set(statement["Resource"]) == {OBJECTS, f"{OBJECTS}/*"}


def test_keys_are_used_by_services_for_this_account_alone(program: Program):
    policy = program.one("aws:kms/key:Key", "hawk-data").inputs["policy"]
    by_services = [each for each in statements(policy) if "Service" in each["Principal"]]

    assert [each["Condition"] for each in by_services] == [{"StringEquals": {"aws:SourceAccount": ACCOUNT}}]
    assert json.loads(policy)["Version"] == "2012-10-17"
