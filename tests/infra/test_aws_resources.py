"""What the program makes in AWS is encrypted, private and kept, whatever the configuration."""

import json
from ipaddress import IPv4Network
from itertools import pairwise
from typing import Any

import pytest

from tests.fakes.infra_program import Program


def test_every_bucket_is_encrypted_versioned_and_closed_to_the_public(program: Program):
    buckets = {each.name for each in program.of("aws:s3/bucket:Bucket")}
    encrypted = {
        each.name
        for each in program.of("aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration")
        if each.inputs["rules"][0]["applyServerSideEncryptionByDefault"]["sseAlgorithm"] == "aws:kms"
    }
    versioned = {
        each.name
        for each in program.of("aws:s3/bucketVersioning:BucketVersioning")
        if each.inputs["versioningConfiguration"]["status"] == "Enabled"
    }
    blocks = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
    closed = {
        each.name
        for each in program.of("aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock")
        if all(each.inputs[name] is True for name in blocks)
    }

    assert buckets
    assert buckets == encrypted == versioned == closed


def test_every_queue_and_topic_is_encrypted(program: Program):
    queues, topics = program.of("aws:sqs/queue:Queue"), program.of("aws:sns/topic:Topic")

    open_queues = [
        each.name
        for each in queues
        if not (each.inputs.get("kmsMasterKeyId") or each.inputs.get("sqsManagedSseEnabled"))
    ]

    assert len(queues) == 3 and len(topics) == 1
    assert open_queues == []
    assert all(topic.inputs["kmsMasterKeyId"] for topic in topics)


def test_every_database_is_encrypted_private_and_backed_up(program: Program):
    clusters, instances = program.of("aws:rds/cluster:Cluster"), program.of("aws:rds/clusterInstance:ClusterInstance")

    assert len(clusters) == 1 and instances
    for cluster in clusters:
        assert cluster.inputs["storageEncrypted"] is True and cluster.inputs["kmsKeyId"]
        assert cluster.inputs["iamDatabaseAuthenticationEnabled"] is True
        assert cluster.inputs["backupRetentionPeriod"] >= 7
    assert all(instance.inputs["publiclyAccessible"] is False for instance in instances)
    parameters = program.of("aws:rds/clusterParameterGroup:ClusterParameterGroup")[0].inputs["parameters"]
    assert {"name": "rds.force_ssl", "value": "1", "applyMethod": "immediate"} in parameters


def test_disks_are_encrypted_and_nodes_ask_for_their_metadata_with_a_token(program: Program):
    for template in program.of("aws:ec2/launchTemplate:LaunchTemplate"):
        assert [disk["ebs"]["encrypted"] for disk in template.inputs["blockDeviceMappings"]] == ["true"]
        assert template.inputs["metadataOptions"] == {
            "httpEndpoint": "enabled",
            "httpTokens": "required",
            "httpPutResponseHopLimit": 1,
        }
    for node_class in program.of("kubernetes:karpenter.k8s.aws/v1:EC2NodeClass"):
        spec = node_class.inputs["spec"]
        assert all(disk["ebs"]["encrypted"] for disk in spec["blockDeviceMappings"])
        assert (spec["metadataOptions"]["httpTokens"], spec["metadataOptions"]["httpPutResponseHopLimit"]) == (
            "required",
            1,
        )
    for storage_class in program.of("kubernetes:storage.k8s.io/v1:StorageClass"):
        assert storage_class.inputs["parameters"]["encrypted"] == "true"


def test_secrets_within_the_cluster_are_encrypted_and_its_doings_written_down(program: Program):
    [cluster] = program.of("aws:eks/cluster:Cluster")

    assert cluster.inputs["encryptionConfig"]["resources"] == ["secrets"]
    assert cluster.inputs["encryptionConfig"]["provider"]["keyArn"]
    assert {"api", "audit", "authenticator"} <= set(cluster.inputs["enabledClusterLogTypes"])


def test_keys_turn_every_year(program: Program):
    assert all(key.inputs["enableKeyRotation"] is True for key in program.of("aws:kms/key:Key"))


@pytest.mark.parametrize(
    ("configuration", "is_public", "networks"), [("starter", False, None), ("everything", True, ["203.0.113.0/24"])]
)
def test_api_of_the_cluster_is_open_to_the_networks_that_are_listed_and_never_to_all(
    built, configuration: str, is_public: bool, networks: list[str] | None
):
    [cluster] = built(configuration).of("aws:eks/cluster:Cluster")

    vpc = cluster.inputs["vpcConfig"]
    assert (vpc["endpointPublicAccess"], vpc.get("publicAccessCidrs")) == (is_public, networks)
    assert vpc["endpointPrivateAccess"] is True


def test_internet_reaches_the_load_balancer_and_nothing_else(program: Program):
    groups = {each.name: each.inputs for each in program.of("aws:ec2/securityGroup:SecurityGroup")}
    rules = program.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
    outside = [
        rule.inputs
        for rule in rules
        if rule.inputs.get("cidrIpv4", "10.").split(".")[0] != "10" or "prefixListId" in rule.inputs
    ]

    assert {rule["securityGroupId"] for rule in outside} == {"hawk-load-balancer-id"}
    assert {rule["fromPort"] for rule in outside} <= {443, 80}
    assert all(rule["fromPort"] == rule["toPort"] for rule in outside)
    # No group lets in by itself what no rule above says.
    assert all("ingress" not in inputs for inputs in groups.values())
    [default] = program.of("aws:ec2/defaultSecurityGroup:DefaultSecurityGroup")
    assert (default.inputs["ingress"], default.inputs["egress"]) == ([], [])


def test_every_rule_names_ports_and_a_source(program: Program):
    rules = program.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")

    assert all(rule.inputs["ipProtocol"] == "tcp" and rule.inputs["fromPort"] > 0 for rule in rules)
    sources = ("cidrIpv4", "referencedSecurityGroupId", "prefixListId")
    assert all(sum(source in rule.inputs for source in sources) == 1 for rule in rules)


def test_database_is_reached_from_the_nodes_alone(program: Program):
    rules = [
        each.inputs
        for each in program.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
        if each.inputs["securityGroupId"] == "hawk-database-id"
    ]

    assert [(rule["referencedSecurityGroupId"], rule["fromPort"]) for rule in rules] == [("sg-of-the-cluster", 5432)]
    egress = program.of("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule")
    assert not [rule for rule in egress if rule.inputs["securityGroupId"] == "hawk-database-id"]


def test_with_cloudfront_the_load_balancer_takes_nobody_else(everything: Program):
    rules = [
        each.inputs
        for each in everything.of("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
        if each.inputs["securityGroupId"] == "hawk-load-balancer-id"
    ]

    assert [(rule.get("prefixListId"), rule["fromPort"]) for rule in rules] == [("pl-cloudfront", 443)]
    [distribution] = everything.of("aws:cloudfront/distribution:Distribution")
    assert distribution.inputs["defaultCacheBehavior"]["viewerProtocolPolicy"] == "redirect-to-https"
    assert distribution.inputs["origins"][0]["customOriginConfig"]["originProtocolPolicy"] == "https-only"


def test_only_the_load_balancer_stands_in_public_subnets_and_no_subnet_gives_public_addresses(program: Program):
    subnets = {each.name: each.inputs for each in program.of("aws:ec2/subnet:Subnet")}
    public = {f"{name}-id" for name in subnets if "public" in name}
    [cluster] = program.of("aws:eks/cluster:Cluster")
    [nodes] = program.of("aws:eks/nodeGroup:NodeGroup")
    [group] = program.of("aws:rds/subnetGroup:SubnetGroup")
    [balancer] = program.of("aws:lb/loadBalancer:LoadBalancer")

    assert all(inputs["mapPublicIpOnLaunch"] is False for inputs in subnets.values())
    assert set(balancer.inputs["subnets"]) == public
    private = {*cluster.inputs["vpcConfig"]["subnetIds"], *nodes.inputs["subnetIds"], *group.inputs["subnetIds"]}
    assert not public & private


def test_subnets_do_not_overlap_and_lie_in_the_vpc(program: Program):
    [vpc] = program.of("aws:ec2/vpc:Vpc")
    networks = sorted(IPv4Network(each.inputs["cidrBlock"]) for each in program.of("aws:ec2/subnet:Subnet"))

    assert all(one.subnet_of(IPv4Network(vpc.inputs["cidrBlock"])) for one in networks)
    assert not [pair for pair in pairwise(networks) if pair[0].overlaps(pair[1])]


def test_database_subnets_have_no_way_out(program: Program):
    routes = [each.inputs["routeTableId"] for each in program.of("aws:ec2/route:Route")]

    assert "hawk-database-id" not in routes


@pytest.mark.parametrize(("configuration", "nats", "endpoints"), [("starter", 1, 1), ("everything", 3, 9)])
def test_tier_says_how_many_ways_out_there_are(built, configuration: str, nats: int, endpoints: int):
    program = built(configuration)

    assert len(program.of("aws:ec2/natGateway:NatGateway")) == nats
    assert len(program.of("aws:ec2/vpcEndpoint:VpcEndpoint")) == endpoints


def test_load_balancer_speaks_tls_and_asks_who_comes_to_the_viewer(program: Program):
    listeners = {each.inputs["port"]: each.inputs for each in program.of("aws:lb/listener:Listener")}
    viewer = program.one("aws:lb/listenerRule:ListenerRule", "hawk-viewer").inputs

    assert listeners[443]["protocol"] == "HTTPS" and "TLS13" in listeners[443]["sslPolicy"]
    assert 80 not in listeners or listeners[80]["defaultActions"][0]["type"] == "redirect"
    assert listeners[443]["defaultActions"][0]["fixedResponse"]["statusCode"] == "404"
    assert [action["type"] for action in viewer["actions"]] == ["authenticate-oidc", "forward"]
    assert viewer["actions"][0]["authenticateOidc"]["onUnauthenticatedRequest"] == "authenticate"


def test_logs_tell_of_themselves_and_what_nobody_takes_is_kept_aside(program: Program):
    [notification] = program.of("aws:s3/bucketNotification:BucketNotification")
    events = program.one("aws:sqs/queue:Queue", "hawk-log-events")
    redrive = json.loads(events.inputs["redrivePolicy"])

    told = {(each["filterPrefix"], each["filterSuffix"]) for each in notification.inputs["queues"]}
    assert told == {("evals/", ".eval"), ("evals/", ".json")}
    assert redrive["deadLetterTargetArn"].endswith(":hawk-log-events-dead") and redrive["maxReceiveCount"] == 5


def test_old_versions_go_by_the_configuration_and_logs_never(program: Program):
    [lifecycle] = program.of("aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration")
    rules: dict[str, dict[str, Any]] = {rule["id"]: rule for rule in lifecycle.inputs["rules"]}

    expiring = {name for name, rule in rules.items() if "days" in rule.get("expiration", {})}
    assert expiring == {"pending"} and rules["pending"]["filter"]["prefix"] == "pending/"
    assert rules["previous-versions"]["noncurrentVersionExpiration"]["noncurrentDays"] == 90
    assert ("old" in rules) is (program.name == "everything")


@pytest.mark.parametrize(("configuration", "is_kept"), [("starter", True), ("removable", False)])
def test_data_outlives_the_deployment_unless_it_is_said_otherwise(built, configuration: str, is_kept: bool):
    program = built(configuration)
    [database] = program.of("aws:rds/cluster:Cluster")
    [bucket] = program.of("aws:s3/bucket:Bucket")

    assert database.inputs["skipFinalSnapshot"] is not is_kept
    assert bucket.inputs["forceDestroy"] is not is_kept
    assert all(each.inputs["forceDelete"] is not is_kept for each in program.of("aws:ecr/repository:Repository"))
    kept = {each.kind for each in program.resources if each.is_retained}
    holds_data = {
        "aws:s3/bucket:Bucket",
        "aws:kms/key:Key",
        "aws:secretsmanager/secret:Secret",
        "aws:cognito/userPool:UserPool",
        "random:index/randomBytes:RandomBytes",
    }
    assert (holds_data <= kept) is is_kept and (is_kept or not kept)


def test_tags_of_images_stay(program: Program):
    repositories = program.of("aws:ecr/repository:Repository")

    assert len(repositories) == 5
    assert all(each.inputs["imageTagMutability"] == "IMMUTABLE" for each in repositories)


def test_everything_bears_the_tags_of_the_deployment(program: Program):
    [provider] = [each for each in program.of("pulumi:providers:aws") if each.name == "hawk-aws"]

    tags = json.loads(provider.inputs["defaultTags"])["tags"]
    assert tags == {"hawk:deployment": "hawk", "hawk:managed-by": "pulumi"}
    strays = [each.name for each in program.resources if each.kind.startswith("aws:") and not each.provider]
    assert strays == []


def test_people_are_let_into_cognito_by_administrators_only(starter: Program):
    [pool] = starter.of("aws:cognito/userPool:UserPool")
    clients = {each.name: each.inputs for each in starter.of("aws:cognito/userPoolClient:UserPoolClient")}

    assert pool.inputs["adminCreateUserConfig"]["allowAdminCreateUserOnly"] is True
    assert {name: inputs["generateSecret"] for name, inputs in clients.items()} == {"hawk-cli": False, "hawk-web": True}
    assert all(inputs["allowedOauthFlows"] == ["code"] for inputs in clients.values())
    assert {group.inputs["name"] for group in starter.of("aws:cognito/userGroup:UserGroup")} == {
        "model-access-public",
        "hawk-admin",
    }


def test_own_issuer_makes_no_pool(everything: Program):
    assert not everything.of("aws:cognito/userPool:UserPool")
