"""Tokens by which Kubernetes says which pod is asking: projected service account tokens, bound to a living pod."""

import json
import time
from collections.abc import Callable

from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import Key, KeySet

from hawk.auth import LEEWAY_SECONDS, MAX_TOKEN_CHARACTERS
from hawk.errors import NotSignedIn
from hawk.issuer_keys import FetchJson, IssuerKeys
from hawk.settings import BrokerSettings

ALGORITHMS = ["RS256", "ES256"]


class PodTokenVerifier:
    """Says which service account a token is of; build one a program, it keeps the cluster's keys."""

    def __init__(
        self,
        settings: BrokerSettings,
        *,
        fetch: FetchJson | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._issuer = settings.pod_token_issuer or ""
        self._audience = settings.broker_audience
        self._key_set_file = settings.pod_token_key_set
        self._keys = IssuerKeys(self._issuer, fetch=fetch, clock=clock)
        self._clock = clock

    @property
    def is_configured(self) -> bool:
        return bool(self._issuer)

    def service_account(self, token: str) -> tuple[str, str]:
        """Return namespace and name. Raises NotSignedIn, or Upstream while the cluster's keys cannot be had."""
        if not self._issuer or len(token) > MAX_TOKEN_CHARACTERS:
            raise _refused("cannot be checked here")
        try:
            decoded = jwt.decode(token, self._key_of(token), ALGORITHMS)
            jwt.JWTClaimsRegistry(
                now=int(self._clock()),
                leeway=LEEWAY_SECONDS,
                iss={"essential": True, "value": self._issuer},
                aud={"essential": True, "value": self._audience},
                sub={"essential": True},
                exp={"essential": True},
            ).validate(decoded.claims)
        except (JoseError, ValueError, TypeError, OverflowError) as error:
            raise _refused("does not hold") from error
        kind, _, account = str(decoded.claims["sub"]).rpartition("system:serviceaccount:")
        namespace, _, name = account.partition(":")
        if kind or not namespace or not name or ":" in name:
            raise _refused("is of no service account")
        return namespace, name

    def _key_of(self, token: str) -> Key | KeySet:
        if self._key_set_file is not None:
            return KeySet.import_key_set(json.loads(self._key_set_file.read_text()))
        from joserfc.jws import extract_compact

        key_id = extract_compact(token.encode()).headers().get("kid")
        return self._keys.key(key_id if isinstance(key_id, str) else None)


def _refused(why: str) -> NotSignedIn:
    return NotSignedIn(f"The pod's token {why}.", hint="Only the job's own pod is given credentials.")
