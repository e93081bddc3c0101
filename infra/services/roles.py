"""What each program may do in AWS, each as little as its work; and the role that jobs' sessions are of."""

import pulumi
import pulumi_aws as aws

from hawk.naming import EVALS_ROOT, PENDING_ROOT, SCANS_ROOT
from infra.core.cluster import Cluster
from infra.core.keys import Keys
from infra.core.logs import Logs
from infra.lib.deployment import Deployment
from infra.lib.naming import LAUNCHER_ACCOUNT, NAMESPACE
from infra.lib.policies import Statement, Text, document

API_ACCOUNT, PROXY_ACCOUNT = "hawk-api", "hawk-proxy"
PLAIN_ACCOUNT = "hawk-plain"  # of programs that do nothing in AWS: door and viewer
PROVIDER_SECRETS = "providers"  # `{deployment}/providers/*` in Secrets Manager
_READS = ("s3:GetObject", "s3:GetObjectTagging")
_WRITES = ("s3:PutObject", "s3:AbortMultipartUpload", "s3:ListMultipartUploadParts")
_SESSION_SECONDS = 3600  # AWS's limit where one role takes another


class Roles(pulumi.ComponentResource):
    """The roles of programs and jobs."""

    def __init__(self, deployment: Deployment, *, cluster: Cluster, logs: Logs, keys: Keys) -> None:
        super().__init__("hawk:services:Roles", deployment.naming.of("roles"), opts=deployment.inside)
        self._deployment = deployment
        self._bucket: Text = logs.bucket.arn
        self._key: Text = keys.data.arn
        name = deployment.naming
        jobs_name = name.of("jobs")
        jobs_arn = deployment.arn("iam", f"role/{jobs_name}", region=False)
        self.api = cluster.pod_role(
            "api", namespace=NAMESPACE, service_account=API_ACCOUNT, policy=document(*self._of_api(jobs_arn))
        )
        self.launcher = cluster.pod_role(
            "launcher",
            namespace=NAMESPACE,
            service_account=LAUNCHER_ACCOUNT,
            policy=document(*self._of_launcher(logs.events.arn)),
        )
        self.proxy = cluster.pod_role(
            "proxy", namespace=NAMESPACE, service_account=PROXY_ACCOUNT, policy=document(*self._of_proxy())
        )
        self.jobs = self._jobs_role(jobs_name)
        self.register_outputs({"jobs": self.jobs.arn})

    def _jobs_role(self, name: str) -> aws.iam.Role:
        """Make the role that the API alone takes, for one job at a time, narrowed to the job's folder by a policy."""
        options = pulumi.ResourceOptions(parent=self)
        # EKS's session tags go on with whoever takes another role, so that must be allowed too.
        trust = document(Statement(["sts:AssumeRole", "sts:TagSession"], principal={"AWS": self.api.arn}))
        role = aws.iam.Role(
            name,
            name=name,
            assume_role_policy=trust,
            max_session_duration=_SESSION_SECONDS,
            tags=self._deployment.naming.tags("jobs"),
            opts=options,
        )
        aws.iam.RolePolicy(name, role=role.id, policy=document(*self._of_jobs()), opts=options)
        return role

    def _of_jobs(self) -> list[Statement]:
        roots = (EVALS_ROOT, SCANS_ROOT)
        statements = [
            Statement(["s3:GetObject", "s3:DeleteObject", *_WRITES], [self._below(root) for root in roots]),
            self._lists(*(f"{root}/*" for root in roots)),
            Statement(["s3:GetBucketLocation"], [self._bucket]),
            self._uses_key(writes=True),
        ]
        secrets = self._deployment.config.runners.secret_arns
        return [*statements, Statement(["secretsmanager:GetSecretValue"], list(secrets))] if secrets else statements

    def _of_api(self, jobs_arn: Text) -> list[Statement]:
        hidden = pulumi.Output.concat(self._bucket, f"/{EVALS_ROOT}/*/.*")
        return [
            Statement(_READS, [self._below(EVALS_ROOT), self._below(SCANS_ROOT)]),
            Statement(["s3:PutObjectTagging", *_WRITES], [self._below(EVALS_ROOT)]),
            # Of the sets' folders the API removes its own hidden files only, of what people bring whatever was judged.
            Statement(["s3:DeleteObject"], [hidden, self._below(PENDING_ROOT)]),
            Statement([*_READS, *_WRITES], [self._below(PENDING_ROOT)]),
            self._lists("*"),
            Statement(["s3:GetBucketLocation"], [self._bucket]),
            self._uses_key(writes=True),
            Statement(["sts:AssumeRole", "sts:TagSession"], [jobs_arn]),
        ]

    def _of_launcher(self, queue_arn: Text) -> list[Statement]:
        hidden = pulumi.Output.concat(self._bucket, f"/{EVALS_ROOT}/*/.*")
        return [
            Statement([*_READS, "s3:PutObjectTagging", *_WRITES], [self._below(EVALS_ROOT)]),
            Statement(["s3:DeleteObject"], [hidden]),
            Statement([*_READS, "s3:DeleteObject"], [self._below(PENDING_ROOT)]),
            self._lists("*"),
            Statement(["s3:GetBucketLocation"], [self._bucket]),
            self._uses_key(writes=True),
            Statement(["sqs:ReceiveMessage", "sqs:DeleteMessage", "sqs:GetQueueAttributes"], [queue_arn]),
        ]

    def _of_proxy(self) -> list[Statement]:
        place = f"secret:{self._deployment.config.name}/{PROVIDER_SECRETS}/*"
        return [
            Statement(["secretsmanager:GetSecretValue"], [self._deployment.arn("secretsmanager", place)]),
            self._uses_key(writes=False),
        ]

    def _below(self, root: str) -> pulumi.Output[str]:
        return pulumi.Output.concat(self._bucket, f"/{root}/*")

    def _lists(self, *prefixes: str) -> Statement:
        condition = {} if prefixes == ("*",) else {"StringLike": {"s3:prefix": list(prefixes)}}
        return Statement(["s3:ListBucket"], [self._bucket], condition=condition)

    def _uses_key(self, *, writes: bool) -> Statement:
        """Return the use of the data key by way of S3 and Secrets Manager, never by itself."""
        region = self._deployment.region
        services = [f"{service}.{region}.amazonaws.com" for service in ("s3", "sqs", "secretsmanager")]
        actions = ["kms:Decrypt", "kms:GenerateDataKey"] if writes else ["kms:Decrypt"]
        return Statement(actions, [self._key], condition={"StringEquals": {"kms:ViaService": services}})
