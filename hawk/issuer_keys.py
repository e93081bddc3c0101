"""The public keys of an OIDC issuer, fetched as its discovery document says and kept in memory."""

import logging
import threading
import time
from collections.abc import Callable
from typing import Any

from joserfc.errors import InvalidKeyIdError, JoseError
from joserfc.jwk import Key, KeySet

from hawk.errors import NotSignedIn, Upstream

KEYS_LIVE_SECONDS = 3600.0
# A token with a made-up `kid` must not make us call the issuer each time.
UNKNOWN_KEY_SECONDS = 60.0
FAILED_FETCH_SECONDS = 1.0
FETCH_TIMEOUT_SECONDS = 10.0
DISCOVERY_PATH = "/.well-known/openid-configuration"

FetchJson = Callable[[str], dict[str, Any]]
Clock = Callable[[], float]

logger = logging.getLogger(__name__)


class IssuerKeys:
    """Gives the key that a token names; safe to use from several threads.

    Keys are fetched when first needed and again each hour, and for a `kid` that is not known at most once a minute.
    While the issuer does not answer, keys that were known stay believed.
    """

    def __init__(self, issuer: str, *, fetch: FetchJson | None = None, clock: Clock = time.monotonic) -> None:
        self._issuer = issuer
        self._fetch = fetch or fetch_json
        self._clock = clock
        self._lock = threading.Lock()
        self._keys: KeySet | None = None
        self._fresh_until = 0.0
        self._no_fetch_before = 0.0

    def key(self, key_id: str | None) -> Key:
        """Return the key of that id. Raises NotSignedIn if the issuer has none, Upstream if it has never answered."""
        with self._lock:
            self._refresh_if(self._keys is None or self._clock() >= self._fresh_until)
            key = self._find(key_id)
            if key is None:
                self._refresh_if(True)
                key = self._find(key_id)
        if key is None:
            raise NotSignedIn(
                "The token is signed with a key that the issuer does not have.",
                hint="Sign in again: hawk login.",
                value=key_id,
            )
        return key

    def _find(self, key_id: str | None) -> Key | None:
        if self._keys is None:
            raise Upstream("The sign-in service does not answer.", hint="Try again in a moment.", value=self._issuer)
        try:
            return self._keys.get_by_kid(key_id)
        except InvalidKeyIdError:
            return None

    def _refresh_if(self, is_wanted: bool) -> None:
        now = self._clock()
        if not is_wanted or now < self._no_fetch_before:
            return
        import httpx  # large; a program that sees job tokens only never needs it

        try:
            self._keys = self._fetch_keys()
        except (httpx.HTTPError, JoseError, ValueError, KeyError, TypeError, AttributeError) as error:
            self._no_fetch_before = now + FAILED_FETCH_SECONDS
            logger.warning("could not fetch the issuer's keys", extra={"issuer": self._issuer, "error": repr(error)})
            return
        self._fresh_until = now + KEYS_LIVE_SECONDS
        self._no_fetch_before = now + UNKNOWN_KEY_SECONDS

    def _fetch_keys(self) -> KeySet:
        document = self._fetch(self._issuer.rstrip("/") + DISCOVERY_PATH)
        if str(document["issuer"]).rstrip("/") != self._issuer.rstrip("/"):
            raise ValueError(f"the discovery document is of another issuer: {document['issuer']!r}")
        return KeySet.import_key_set(self._fetch(str(document["jwks_uri"])))  # type: ignore[arg-type]  # it checks the shape


def fetch_json(url: str) -> dict[str, Any]:
    """Return the JSON object at a URL. Raises httpx.HTTPError, ValueError or TypeError if there is none."""
    import httpx

    response = httpx.get(url, timeout=FETCH_TIMEOUT_SECONDS, headers={"accept": "application/json"})
    response.raise_for_status()
    document = response.json()
    if not isinstance(document, dict):
        raise TypeError(f"{url} is not a JSON object")
    return document
