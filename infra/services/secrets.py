"""Keys that are made once, kept in Secrets Manager and the cluster: without them a restored database is unread."""

import base64

import pulumi
import pulumi_aws as aws
import pulumi_random as random

from infra.core.database import Database
from infra.core.keys import Keys
from infra.lib.deployment import Deployment
from infra.lib.naming import DAGSTER_DATABASE
from infra.services.facts import Secrets

KEY_BYTES = 32  # of a Fernet key, and of what SHA-256 signs with
RECOVERY_DAYS = 30
PROGRAMS = ("api", "door", "proxy", "viewer", "dagster")  # each has a login of its own, `hawk_{program}`


class KeptSecrets(pulumi.ComponentResource):
    """Random keys, and passwords of the database."""

    def __init__(self, deployment: Deployment, keys: Keys, database: Database) -> None:
        super().__init__("hawk:services:Secrets", deployment.naming.of("secrets"), opts=deployment.inside)
        self._deployment = deployment
        self._key = keys.data
        self._options = deployment.keeping(pulumi.ResourceOptions(parent=self))
        owner = database.owner
        logins = {program: database.login(f"database-{program}", f"hawk_{program}") for program in PROGRAMS}
        # Dagster's own tables belong to a login of their own, so that it is nothing in the warehouse.
        store = database.login("database-dagster-store", DAGSTER_DATABASE)
        self.secrets = Secrets(
            job_token_key=self._random("job-token-key"),
            secret_key=self._random("secret-key"),
            metrics_token=self._random("metrics-token"),
            viewer_cookie_key=self._random("viewer-cookie-key"),
            database_urls={program: database.url(login) for program, login in logins.items()},
            dagster_database_url=database.url(store, DAGSTER_DATABASE, scheme="postgresql+psycopg2"),
            owner_database_url=database.url(owner),
            login_passwords={login.user: login.password for login in (*logins.values(), store)},
        )
        self._keep("job-token-key", self.secrets.job_token_key)
        self._keep("secret-key", self.secrets.secret_key)
        self._keep("database-owner", owner.password)
        self.register_outputs({})

    def _random(self, what: str) -> pulumi.Output[str]:
        """Return random bytes in the letters that URLs and Fernet take."""
        made = random.RandomBytes(self._deployment.naming.of(what), length=KEY_BYTES, opts=self._options)
        return pulumi.Output.secret(made.base64.apply(_url_safe))

    def _keep(self, what: str, value: pulumi.Output[str]) -> None:
        name, config = self._deployment.naming, self._deployment.config
        secret = aws.secretsmanager.Secret(
            name.of(what),
            name=f"{config.name}/{what}",
            kms_key_id=self._key.arn,
            recovery_window_in_days=RECOVERY_DAYS if config.keep_data else 0,
            tags=name.tags(what),
            opts=self._options,
        )
        aws.secretsmanager.SecretVersion(name.of(what), secret_id=secret.id, secret_string=value, opts=self._options)


def _url_safe(text: str) -> str:
    return base64.urlsafe_b64encode(base64.b64decode(text)).decode()
