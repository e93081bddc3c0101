"""Aurora PostgreSQL Serverless v2: the warehouse, and Dagster's own tables beside it."""

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws
import pulumi_random as random

from infra.core.keys import Keys
from infra.core.network import Network
from infra.lib.deployment import Deployment
from infra.lib.naming import HAWK_DATABASE

OWNER = "hawk_owner"
PORT = 5432
PASSWORD_CHARACTERS = 40
_PARAMETERS = {
    "rds.force_ssl": "1",
    "default_toast_compression": "lz4",  # raw logs are large JSON; see docs/decisions/raw-storage.md
    "log_min_duration_statement": "5000",
    "idle_in_transaction_session_timeout": "600000",
}
_AT_RESTART = {"shared_preload_libraries": "pg_stat_statements"}


@dataclass(frozen=True)
class Login:
    """A user of the database."""

    user: str
    password: pulumi.Output[str]


class Database(pulumi.ComponentResource):
    """The cluster of Postgres, reached from the cluster's nodes and nowhere else."""

    def __init__(self, deployment: Deployment, keys: Keys, network: Network) -> None:
        super().__init__("hawk:core:Database", deployment.naming.of("database"), opts=deployment.inside)
        self._deployment = deployment
        self._options = pulumi.ResourceOptions(parent=self)
        self._keeping = deployment.keeping(self._options)
        self._key = keys.data
        name, sizes = deployment.naming, deployment.config.sizes
        self.security_group = aws.ec2.SecurityGroup(
            name.of("database"),
            description="Postgres, for the cluster's nodes",
            vpc_id=network.vpc.id,
            tags=name.tags("database"),
            opts=self._options,
        )
        self.owner = self.login("database-owner", OWNER)
        self.cluster = self._make_cluster(network)
        for number in range(1, sizes.database_instances + 1):
            self._make_instance(number)
        self.register_outputs({"endpoint": self.cluster.endpoint})

    def url(self, login: Login, database: str = HAWK_DATABASE, *, scheme: str = "postgresql") -> pulumi.Output[str]:
        """Return the URL that a program connects with, encrypted, to the server that AWS vouches for."""
        return pulumi.Output.concat(
            f"{scheme}://{login.user}:", login.password, "@", self.cluster.endpoint, f":{PORT}/{database}",
            "?sslmode=verify-full&sslrootcert=/etc/hawk/database/authorities.pem",
        )  # fmt: skip

    def let_in(self, group_id: pulumi.Output[str]) -> None:
        """Let what has a security group connect."""
        aws.vpc.SecurityGroupIngressRule(
            self._deployment.naming.of("database-from-nodes"),
            security_group_id=self.security_group.id,
            description="Postgres from nodes and pods",
            referenced_security_group_id=group_id,
            ip_protocol="tcp",
            from_port=PORT,
            to_port=PORT,
            opts=self._options,
        )

    def login(self, what: str, user: str) -> Login:
        """Return a user with a new password; that the database lets him in is for the migration to see to."""
        made = random.RandomPassword(
            self._deployment.naming.of(what),
            length=PASSWORD_CHARACTERS,
            special=False,  # it stands in URLs
            keepers={"period": self._deployment.config.key_period},
            opts=self._keeping,
        )
        return Login(user, made.result)

    def _make_cluster(self, network: Network) -> aws.rds.Cluster:
        deployment, name, sizes = self._deployment, self._deployment.naming, self._deployment.config.sizes
        subnets = aws.rds.SubnetGroup(
            name.of("database"),
            subnet_ids=[subnet.id for subnet in network.database],
            tags=name.tags("database"),
            opts=self._options,
        )
        version = deployment.config.database.engine_version
        parameters = [
            {"name": key, "value": value, "apply_method": method}
            for values, method in ((_PARAMETERS, "immediate"), (_AT_RESTART, "pending-reboot"))
            for key, value in values.items()
        ]
        group = aws.rds.ClusterParameterGroup(
            name.of("database"),
            family=f"aurora-postgresql{version.split('.')[0]}",
            parameters=parameters,
            tags=name.tags("database"),
            opts=self._options,
        )
        last_snapshot = random.RandomId(name.of("last-snapshot"), byte_length=4, opts=self._options)
        return aws.rds.Cluster(
            name.of("database"),
            cluster_identifier=name.of("database"),
            engine="aurora-postgresql",
            engine_mode="provisioned",  # with db.serverless instances; `serverless` is its first version
            engine_version=version,
            database_name=HAWK_DATABASE,
            master_username=self.owner.user,
            master_password=self.owner.password,
            iam_database_authentication_enabled=True,
            storage_encrypted=True,
            kms_key_id=self._key.arn,
            serverlessv2_scaling_configuration={
                "min_capacity": sizes.database_minimum,
                "max_capacity": sizes.database_maximum,
            },
            db_subnet_group_name=subnets.name,
            db_cluster_parameter_group_name=group.name,
            vpc_security_group_ids=[self.security_group.id],
            backup_retention_period=sizes.backup_days,
            preferred_backup_window="03:00-04:00",
            preferred_maintenance_window="sun:04:30-sun:05:30",
            copy_tags_to_snapshot=True,
            snapshot_identifier=deployment.config.database.snapshot,
            skip_final_snapshot=not deployment.config.keep_data,
            final_snapshot_identifier=pulumi.Output.concat(name.of("last-"), last_snapshot.hex),
            enabled_cloudwatch_logs_exports=["postgresql"],
            tags=name.tags("database"),
            # The snapshot is named once, when the cluster is made; a later change of it must not make another.
            opts=pulumi.ResourceOptions.merge(
                self._options, pulumi.ResourceOptions(ignore_changes=["snapshotIdentifier"])
            ),
        )

    def _make_instance(self, number: int) -> None:
        name = self._deployment.naming
        what = f"database-{number}"
        aws.rds.ClusterInstance(
            name.of(what),
            identifier=name.of(what),
            cluster_identifier=self.cluster.id,
            engine="aurora-postgresql",
            instance_class="db.serverless",
            publicly_accessible=False,
            auto_minor_version_upgrade=True,
            performance_insights_enabled=True,
            performance_insights_kms_key_id=self._key.arn,
            tags=name.tags(what),
            opts=self._options,
        )
