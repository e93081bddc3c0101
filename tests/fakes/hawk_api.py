"""The real API on real Postgres and S3, with tokens of the real development issuer and a fake Dagster."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psycopg
from cryptography.fernet import Fernet
from fastapi import FastAPI
from joserfc import jwt
from psycopg.rows import DictRow, dict_row
from pydantic import SecretStr

from hawk.api.app import create_app
from hawk.api.dagster_client import DagsterClient
from hawk.api.database import Database
from hawk.api.rate_limit import RateLimit
from hawk.api.services import Services
from hawk.api.token_broker import token_broker
from hawk.auth import TokenVerifier
from hawk.dev.issuer_tokens import Grant, TokenMint
from hawk.object_store import s3_client
from hawk.settings import ApiSettings, IssuerSettings, ObjectStoreSettings
from tests.fakes.dagster_graphql import FakeDagster

ISSUER = "http://issuer.example"
PUBLIC, PRIVATE = "model-access-public", "model-access-private"
MODELS = {"openai/small": PUBLIC, "openai/secret": PRIVATE, "anthropic/small": PUBLIC}


class HawkApi:
    """The app and everything behind it that a test may look at."""

    def __init__(
        self, database_url: str, object_store: ObjectStoreSettings, home: Path, *, issuer: str = ISSUER, **fields: Any
    ) -> None:
        self.settings = ApiSettings(
            home=home,
            database_url=SecretStr(database_url),
            issuer=issuer,
            job_token_key=SecretStr("k" * 40),
            secret_key=SecretStr(Fernet.generate_key().decode()),
            failed_sign_ins_per_minute=100_000,  # tests send more bad tokens than people
            dagster_url="http://dagster.example",
            viewer_url="http://viewer.example",
            **object_store.model_dump(exclude={"home"}),
            **fields,
        )
        self.dagster = FakeDagster()
        self._mint = TokenMint(IssuerSettings(home=home, issuer=issuer))
        fetch = self._document if issuer == ISSUER else None
        s3 = s3_client(self.settings)
        self.services = Services(
            settings=self.settings,
            database=Database(self.settings),
            s3=s3,
            verifier=TokenVerifier(self.settings, fetch=fetch),
            dagster=DagsterClient(self.settings.dagster_url, transport=self.dagster.transport),
            broker=token_broker(self.settings, s3),
            broker_limit=RateLimit(self.settings.broker_per_minute),
            failed_sign_ins=RateLimit(self.settings.failed_sign_ins_per_minute),
        )
        self.app: FastAPI = create_app(self.settings, services=self.services)

    def clear(self) -> None:
        """Make all as it was before the first request."""
        with self.connection() as connection:
            tables = ("eval_set", "attempt", "job_secret", "model_group", "log_inbox", "log_upload", "edit_request")
            connection.execute(f"truncate {', '.join(f'ops.{table}' for table in tables)} cascade")
            connection.execute("delete from raw.eval_import")  # with all that belongs to it
            connection.execute(
                "drop schema marts cascade; create schema marts; grant usage on schema marts to hawk_reader"
            )
            connection.cursor().executemany("insert into ops.model_group values (%s, %s)", list(MODELS.items()))
        s3, bucket = self.services.s3, self.settings.bucket
        for item in s3.list_objects_v2(Bucket=bucket).get("Contents", []):
            s3.delete_object(Bucket=bucket, Key=item["Key"])
        self.dagster.reset()

    def token(self, account: str = "researcher") -> str:
        return self._mint.access_token(Grant(account, "hawk-cli", "openid"))

    def headers(self, account: str = "researcher") -> dict[str, str]:
        return {"authorization": f"Bearer {self.token(account)}"}

    def expired_token(self) -> str:
        return self.signed(exp=int(time.time()) - 3600)

    def signed(self, *, token_type: str = "at+jwt", **claims: Any) -> str:
        """Return a token of the issuer's own key that says what a test wants."""
        body = {"iss": ISSUER, "aud": "hawk", "sub": "researcher", "exp": int(time.time()) + 600, **claims}
        key = self._mint._key
        return jwt.encode({"alg": "RS256", "kid": key.thumbprint(), "typ": token_type}, body, key)

    @contextmanager
    def connection(self) -> Iterator[psycopg.Connection[DictRow]]:
        url = self.settings.database_url.get_secret_value()
        with psycopg.connect(url, autocommit=True, row_factory=dict_row) as connection:
            yield connection

    def rows(self, query: str, *values: object) -> list[DictRow]:
        with self.connection() as connection:
            return connection.execute(query, values).fetchall()

    def execute(self, query: str, *values: object) -> None:
        with self.connection() as connection:
            connection.execute(query, values)

    def _document(self, url: str) -> dict[str, Any]:
        if url.endswith("openid-configuration"):
            return {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/jwks"}
        return self._mint.key_set()


def config_of(*models: str, **fields: Any) -> dict[str, Any]:
    """Return a small config that is right."""
    return {
        "name": "arithmetic",
        "tasks": [{"package": "inspect-ai", "items": [{"name": "task"}]}],
        "models": [{"package": "inspect-ai", "items": [{"name": model} for model in models or ("openai/small",)]}],
        **fields,
    }
