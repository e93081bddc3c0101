"""Builds the whole infrastructure program against Pulumi's mocks, once for each of a few configurations."""

import asyncio
import json
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import Any

ACCOUNT, REGION = "123456789012", "eu-west-1"
OPTIONS_ON = {
    "hawk:tier": "team",
    "hawk:cloudfront": "true",
    "hawk:cluster": json.dumps(
        {
            "gvisor_release": "20260803",
            "kueue": True,
            "administrators": [f"arn:aws:iam::{ACCOUNT}:role/admins"],
            "endpoint_networks": ["203.0.113.0/24"],
        }
    ),
    "hawk:runners": json.dumps(
        {"egress": "listed", "secret_arns": [f"arn:aws:secretsmanager:{REGION}:{ACCOUNT}:secret:team/*"]}
    ),
    "hawk:logs": json.dumps({"infrequent_access_days": 90}),
    "hawk:observability": json.dumps(
        {
            "alarm_email": "ops@example.org",
            "monthly_budget_usd": 2000,
            "collector": True,
            "datadog_site": "datadoghq.com",
            "datadog_api_key": "key-of-datadog",
        }
    ),
    "hawk:identity": json.dumps(
        {
            "issuer": "https://id.example.org",
            "web_client_secret": "secret-of-the-web-client",
            "authorization_endpoint": "https://id.example.org/authorize",
            "token_endpoint": "https://id.example.org/token",
            "user_info_endpoint": "https://id.example.org/userinfo",
        }
    ),
}
LEAST = {"hawk:domain": "hawk.example.org", "hawk:images": json.dumps({"tag": "2026-11-24"})}
CONFIGURATIONS: Mapping[str, Mapping[str, str]] = {
    "starter": LEAST,
    "everything": LEAST | OPTIONS_ON,
    "removable": LEAST | {"hawk:keep_data": "false"},
}


@dataclass(frozen=True)
class Made:
    """One resource as the engine would be asked for it."""

    kind: str
    name: str
    inputs: dict[str, Any]
    is_retained: bool
    provider: str
    waits_for: frozenset[str]  # names of what must be there before


@dataclass
class Program:
    """What the program made of one configuration."""

    name: str
    resources: list[Made] = field(default_factory=list)

    def of(self, kind: str) -> list[Made]:
        """Return the resources of a kind, such as `aws:s3/bucket:Bucket`."""
        return [each for each in self.resources if each.kind == kind]

    def one(self, kind: str, name: str) -> Made:
        [found] = [each for each in self.of(kind) if each.name == name]
        return found

    def manifests(self) -> list[dict[str, Any]]:
        """Return what Kubernetes is given, charts apart."""
        return [
            each.inputs
            for each in self.resources
            if each.kind.startswith("kubernetes:") and "apiVersion" in each.inputs
        ]

    def manifest(self, kind: str, name: str) -> dict[str, Any]:
        [found] = [each for each in self.manifests() if each["kind"] == kind and each["metadata"]["name"] == name]
        return found


@cache
def build(name: str) -> Program:
    """Run the program with a configuration, and return what it made."""
    import pulumi
    from pulumi.runtime import mocks

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # pulumi_aws imports what it has given up, too
        import pulumi_aws.s3  # noqa: F401 - for its warnings

        from infra.lib.config_file import read_config
        from infra.program import deploy

    program = Program(name)

    class Engine(pulumi.runtime.Mocks):
        def new_resource(self, args: pulumi.runtime.MockResourceArgs) -> tuple[str, dict[str, Any]]:
            return f"{args.name}-id", {**args.inputs, **_given_by_aws(args.typ, args.name, args.inputs)}

        def call(self, args: pulumi.runtime.MockCallArgs) -> dict[str, Any]:
            return _answers(args.token)

    class Monitor(mocks.MockMonitor):
        """Notes what the engine is asked for beside the inputs."""

        def RegisterResource(self, request: Any) -> Any:
            if request.type != "pulumi:pulumi:Stack":
                inputs = pulumi.runtime.rpc.deserialize_properties(request.object)
                names = frozenset(urn.rpartition("::")[2] for urn in request.dependencies)
                made = Made(request.type, request.name, _plain(inputs), request.retainOnDelete, request.provider, names)
                program.resources.append(made)
            return super().RegisterResource(request)

    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    engine = Engine()
    mocks.set_mocks(engine, project="hawk", stack=name, preview=False, monitor=Monitor(engine))
    config = read_config(CONFIGURATIONS[name])

    @pulumi.runtime.test
    def run() -> None:
        deploy(config, region=REGION, authorities="-----BEGIN CERTIFICATE-----\n")

    run()
    loop.close()
    return program


def _plain(value: Any) -> Any:
    """Return a value without the marks by which Pulumi knows secrets."""
    if isinstance(value, dict):
        if value.get("4dabf18193072939515e22adb298388d"):  # Pulumi's signature of a special value
            return _plain(value.get("value"))
        return {key: _plain(inner) for key, inner in value.items()}
    if isinstance(value, float) and value.is_integer():
        return int(value)  # the wire has one kind of number
    return [_plain(inner) for inner in value] if isinstance(value, list) else value


def _given_by_aws(kind: str, name: str, inputs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the outputs that only a provider knows."""
    service, _, what = kind.removeprefix("aws:").partition("/")
    own = str(inputs.get("name") or inputs.get("bucket") or name)
    arns = {"s3": f"arn:aws:s3:::{own}", "iam": f"arn:aws:iam::{ACCOUNT}:{what.split(':')[0].lower()}/{own}"}
    given: dict[str, Any] = {"arn": arns.get(service, f"arn:aws:{service}:{REGION}:{ACCOUNT}:{own}")}
    match kind:
        case "aws:eks/cluster:Cluster":
            given |= {
                "endpoint": "https://ABC.eks.amazonaws.com",
                "certificateAuthority": {"data": "Y2E="},
                "identities": [{"oidcs": [{"issuer": f"https://oidc.eks.{REGION}.amazonaws.com/id/ABC"}]}],
                "vpcConfig": {**inputs["vpcConfig"], "clusterSecurityGroupId": "sg-of-the-cluster"},
            }
        case "aws:sqs/queue:Queue":
            given |= {"url": f"https://sqs.{REGION}.amazonaws.com/{ACCOUNT}/{own}"}
        case "aws:ecr/repository:Repository":
            given |= {"repositoryUrl": f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com/{own}"}
        case "aws:acm/certificate:Certificate":
            given |= {
                "domainValidationOptions": [
                    {"resourceRecordName": "_x.hawk", "resourceRecordType": "CNAME", "resourceRecordValue": "_y.aws"}
                ]
            }
        case "random:index/randomPassword:RandomPassword":
            given |= {"result": f"password-of-{name}"}
        case "random:index/randomBytes:RandomBytes":
            given |= {"base64": "+/" + "A" * 41 + "="}
        case "random:index/randomId:RandomId":
            given |= {"hex": "0badcafe"}
        case "aws:rds/cluster:Cluster":
            given |= {"endpoint": "db.cluster.example"}
        case "aws:cognito/userPoolClient:UserPoolClient":
            given |= {"clientSecret": f"secret-of-{name}"}
        case "aws:lb/loadBalancer:LoadBalancer":
            given |= {"dnsName": "lb.example", "zoneId": "Z1", "arnSuffix": "app/hawk/1"}
        case "aws:lb/targetGroup:TargetGroup":
            given |= {"arnSuffix": f"targetgroup/{own}/1"}
    return given


def _answers(token: str) -> dict[str, Any]:
    match token:
        case "aws:index/getCallerIdentity:getCallerIdentity":
            return {"accountId": ACCOUNT, "arn": f"arn:aws:iam::{ACCOUNT}:user/deployer", "userId": "A"}
        case "aws:index/getPartition:getPartition":
            return {"partition": "aws"}
        case "aws:index/getAvailabilityZones:getAvailabilityZones":
            return {"names": [f"{REGION}{letter}" for letter in "abc"]}
        case "aws:ec2/getManagedPrefixList:getManagedPrefixList":
            return {"id": "pl-cloudfront"}
    raise AssertionError(f"the program asks AWS for {token}, which these tests do not know")
