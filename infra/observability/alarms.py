"""CloudWatch alarms on what AWS itself measures, a dashboard of the same, and a budget."""

from collections.abc import Mapping
from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from infra.core.database import Database
from infra.core.keys import Keys
from infra.core.load_balancer import LoadBalancer
from infra.core.logs import Logs
from infra.lib.deployment import Deployment
from infra.lib.policies import Statement, Text, document

_FRACTION_OF_CAPACITY = 0.9
_MAIL_AT_PERCENT = (80, 100)


@dataclass(frozen=True)
class Alarm:
    """One rule: it rings when the metric is above the limit for some periods in a row."""

    name: str
    says: str  # what it means and where to look first
    namespace: str
    metric: str
    dimensions: Mapping[str, Text]
    above: float
    statistic: str = "Maximum"
    period_seconds: int = 300
    periods: int = 3


class Alarms(pulumi.ComponentResource):
    """Alarms of a deployment, which go to one topic."""

    def __init__(
        self, deployment: Deployment, *, keys: Keys, logs: Logs, database: Database, load_balancer: LoadBalancer
    ) -> None:
        super().__init__("hawk:observability:Alarms", deployment.naming.of("alarms"), opts=deployment.inside)
        self._deployment = deployment
        self._options = pulumi.ResourceOptions(parent=self)
        self.topic = self._make_topic(keys)
        rules = alarms(deployment, logs=logs, database=database, load_balancer=load_balancer)
        for rule in rules:
            self._make_alarm(rule)
        name = deployment.naming
        aws.cloudwatch.Dashboard(
            name.of("dashboard"),
            dashboard_name=deployment.config.name,
            dashboard_body=pulumi.Output.json_dumps({"widgets": [_widget(rule, deployment.region) for rule in rules]}),
            opts=self._options,
        )
        if deployment.config.observability.monthly_budget_usd:
            self._make_budget(deployment.config.observability.monthly_budget_usd)
        self.register_outputs({"topic": self.topic.arn})

    def _make_topic(self, keys: Keys) -> aws.sns.Topic:
        name, address = self._deployment.naming, self._deployment.config.observability.alarm_email
        topic = aws.sns.Topic(
            name.of("alarms"),
            name=name.of("alarms"),
            kms_master_key_id=keys.data.arn,
            tags=name.tags("alarms"),
            opts=self._options,
        )
        own_alarms = self._deployment.arn("cloudwatch", f"alarm:{self._deployment.config.name}-*")
        from_alarms = Statement(
            ["sns:Publish"],
            [topic.arn],
            principal={"Service": "cloudwatch.amazonaws.com"},
            condition={"ArnLike": {"aws:SourceArn": own_alarms}},
        )
        aws.sns.TopicPolicy(name.of("alarms"), arn=topic.arn, policy=document(from_alarms), opts=self._options)
        if address:
            aws.sns.TopicSubscription(
                name.of("alarms"), topic=topic.arn, protocol="email", endpoint=address, opts=self._options
            )
        return topic

    def _make_alarm(self, rule: Alarm) -> None:
        name = self._deployment.naming.of(rule.name)
        aws.cloudwatch.MetricAlarm(
            name,
            name=name,
            alarm_description=rule.says,
            namespace=rule.namespace,
            metric_name=rule.metric,
            dimensions=dict(rule.dimensions),
            statistic=rule.statistic,
            period=rule.period_seconds,
            evaluation_periods=rule.periods,
            comparison_operator="GreaterThanThreshold",
            threshold=rule.above,
            treat_missing_data="notBreaching",
            alarm_actions=[self.topic.arn],
            ok_actions=[self.topic.arn],
            tags=self._deployment.naming.tags(rule.name),
            opts=self._options,
        )

    def _make_budget(self, usd: int) -> None:
        address = self._deployment.config.observability.alarm_email
        aws.budgets.Budget(
            self._deployment.naming.of("budget"),
            budget_type="COST",
            limit_amount=str(usd),
            limit_unit="USD",
            time_unit="MONTHLY",
            cost_filters=[{"name": "TagKeyValue", "values": [f"user:hawk:deployment${self._deployment.config.name}"]}],
            notifications=[
                {
                    "comparison_operator": "GREATER_THAN",
                    "notification_type": "ACTUAL",
                    "threshold": percent,
                    "threshold_type": "PERCENTAGE",
                    "subscriber_email_addresses": [address],
                }
                for percent in _MAIL_AT_PERCENT
            ],
            opts=self._options,
        )


def alarms(deployment: Deployment, *, logs: Logs, database: Database, load_balancer: LoadBalancer) -> list[Alarm]:
    """Return the rules."""
    sizes = deployment.config.sizes
    lag_seconds = deployment.config.observability.import_lag_minutes * 60
    cluster: Mapping[str, Text] = {"DBClusterIdentifier": database.cluster.cluster_identifier}
    balancer: Mapping[str, Text] = {"LoadBalancer": load_balancer.balancer.arn_suffix}
    rules = [
        Alarm(
            "import-lag",
            "Events of new logs are not taken off their queue: look at the sensor `log_inbox` in Dagster.",
            *("AWS/SQS", "ApproximateAgeOfOldestMessage"),
            dimensions={"QueueName": logs.events.name},
            above=lag_seconds,
            periods=1,
        ),
        Alarm(
            "dead-letters",
            "An event was refused five times: look at the message in the dead-letter queue.",
            *("AWS/SQS", "ApproximateNumberOfMessagesVisible"),
            dimensions={"QueueName": logs.dead_letters.name},
            above=0,
            periods=1,
        ),
        Alarm(
            "database-full-power",
            "The database has worked at its most for a quarter of an hour: raise `database.maximum_capacity`.",
            *("AWS/RDS", "ServerlessDatabaseCapacity"),
            dimensions=cluster,
            above=sizes.database_maximum * _FRACTION_OF_CAPACITY,
            statistic="Average",
        ),
        Alarm(
            "database-connections",
            "The database has close to all the connections that it takes: see `pg_stat_activity`.",
            *("AWS/RDS", "DatabaseConnections"),
            dimensions=cluster,
            above=_connections(sizes.database_minimum) * _FRACTION_OF_CAPACITY,
        ),
        Alarm(
            "errors",
            "Programs answer with errors: `kubectl -n hawk logs deployment/hawk-api`, and so on.",
            *("AWS/ApplicationELB", "HTTPCode_Target_5XX_Count"),
            dimensions=balancer,
            above=10,
            statistic="Sum",
            periods=2,
        ),
    ]
    return [*rules, *(_unhealthy(name, group, balancer) for name, group in load_balancer.target_groups.items())]


def _unhealthy(name: str, group: aws.lb.TargetGroup, balancer: Mapping[str, Text]) -> Alarm:
    return Alarm(
        f"{name}-unhealthy",
        f"Pods of {name} do not answer: `kubectl -n hawk get pods`, then `describe` the one that is not ready.",
        *("AWS/ApplicationELB", "UnHealthyHostCount"),
        dimensions={**balancer, "TargetGroup": group.arn_suffix},
        above=0,
        period_seconds=60,
        periods=5,
    )


def _connections(minimum_capacity: float) -> int:
    """Return the `max_connections` of Aurora Serverless v2: its own table by GiB, 2,000 at most below one unit."""
    return 2000 if minimum_capacity < 1 else min(5000, int(minimum_capacity * 2 * 1024**3 / 9_531_392))


def _widget(rule: Alarm, region: str) -> dict[str, object]:
    place = [part for pair in rule.dimensions.items() for part in pair]
    return {
        "type": "metric",
        "width": 8,
        "height": 6,
        "properties": {
            "title": rule.name,
            "region": region,
            "stat": rule.statistic,
            "period": rule.period_seconds,
            "metrics": [[rule.namespace, rule.metric, *place]],
            "annotations": {"horizontal": [{"label": "alarm", "value": rule.above}]},
        },
    }
