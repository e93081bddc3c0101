"""Who is calling: what a bearer token says, once it is known to hold.

Two kinds are believed: access tokens of the configured OIDC issuer (RS256), and job tokens that Hawk signs itself
(HS256) so that a run that lasts for weeks needs nobody's refresh token. What a principal may do is for
hawk.permissions.
"""

import base64
import binascii
import json
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from joserfc import jwt
from joserfc.errors import ExpiredTokenError, InvalidClaimError, JoseError, MissingClaimError
from joserfc.jwk import OctKey
from joserfc.jws import JWSRegistry
from pydantic import SecretStr

from hawk.errors import NotSignedIn, UserError
from hawk.issuer_keys import FetchJson, IssuerKeys
from hawk.permissions import READ_SUFFIX, UNRESOLVED_GROUP
from hawk.settings import IdentitySettings, SignInSettings

USER_ALGORITHM = "RS256"
JOB_ALGORITHM = "HS256"
JOB_ISSUER = "hawk-job"
JOB_TOKEN_TYPE = "hawk-job+jwt"  # noqa: S105 - a media type
JOB_SUBJECT_PREFIX = "job:"
MIN_JOB_KEY_CHARACTERS = 32  # as long as the SHA-256 digest, RFC 7518 section 3.2
LEEWAY_SECONDS = 30  # clocks of two machines
MAX_TOKEN_CHARACTERS = 64 * 1024

# RFC 9068 names `at+jwt`; most issuers still write `JWT` or nothing.
ACCESS_TOKEN_TYPES = frozenset({"", "jwt", "at+jwt", "application/at+jwt"})
# OpenID Connect Core puts these in ID tokens only.
ID_TOKEN_CLAIMS = frozenset({"nonce", "at_hash", "c_hash"})

_SIGN_IN = "Sign in again: hawk login."


@dataclass(frozen=True)
class Principal:
    """A caller whose token holds; for a job, `created_by` is the person it works for."""

    subject: str
    email: str | None = None
    permissions: frozenset[str] = frozenset()
    is_admin: bool = False
    kind: Literal["user", "job"] = "user"
    job_id: str | None = None
    created_by: str | None = None
    expires_at: datetime | None = None


class TokenVerifier:
    """Turns tokens into principals; build one a program, it keeps the issuer's keys.

    A program whose settings have no key of job tokens believes people only.
    """

    def __init__(
        self, settings: SignInSettings, *, fetch: FetchJson | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        self._settings = settings
        self._keys = IssuerKeys(settings.issuer, fetch=fetch, clock=clock)
        self._job_key = _job_key(settings.job_token_key) if isinstance(settings, IdentitySettings) else None
        self._clock = clock

    def verify(self, token: str) -> Principal:
        """Return whom the token stands for; may wait for the issuer when its keys are not known yet.

        Raises NotSignedIn with the reason, or Upstream while the issuer's keys cannot be had.
        """
        header = _unverified_header(token)
        match header.get("alg"):
            case "RS256":
                return self._verify_user(token, header)
            case "HS256" if self._job_key is not None:
                return self._verify_job(token, header, self._job_key)
            case algorithm:
                raise _refused(f"The token's algorithm is {algorithm!r}, not {USER_ALGORITHM}.")

    def _verify_user(self, token: str, header: Mapping[str, Any]) -> Principal:
        if _token_type(header) not in ACCESS_TOKEN_TYPES:
            raise _refused(f"A token of type {header.get('typ')!r} is not an access token.")
        key_id = header.get("kid")
        key = self._keys.key(key_id if isinstance(key_id, str) else None)
        claims = self._claims(token, key, algorithm=USER_ALGORITHM)
        if str(claims["iss"]).rstrip("/") != self._settings.issuer.rstrip("/"):
            raise _refused(f"The token is of another issuer, {claims['iss']!r}.")
        if not _audiences(claims) & set(self._settings.audiences):
            raise _refused("The token is for another audience.")
        if _is_id_token(header, claims):
            raise _refused("The token is an ID token.", hint="Send the access token.")
        permissions = _permissions(claims, self._settings.permission_claims) | _public_scopes(claims, self._settings)
        email = claims.get("email")
        return Principal(
            subject=claims["sub"],
            email=email if isinstance(email, str) else None,
            permissions=permissions,
            is_admin=_is_admin(claims, permissions, self._settings),
            expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        )

    def _verify_job(self, token: str, header: Mapping[str, Any], key: OctKey) -> Principal:
        claims = self._claims(token, key, algorithm=JOB_ALGORITHM)
        subject = claims["sub"]
        is_job = claims["iss"] == JOB_ISSUER and _token_type(header) == JOB_TOKEN_TYPE
        if not is_job or not subject.startswith(JOB_SUBJECT_PREFIX):
            raise _refused("The token is not one of a job.")
        created_by = claims.get("created_by")
        return Principal(
            subject=subject,
            permissions=_permissions(claims, ("permissions",)),
            kind="job",
            job_id=subject.removeprefix(JOB_SUBJECT_PREFIX),
            created_by=created_by if isinstance(created_by, str) else None,
            expires_at=datetime.fromtimestamp(claims["exp"], UTC),
        )

    def _claims(self, token: str, key: Any, *, algorithm: str) -> dict[str, Any]:
        registry = JWSRegistry(algorithms=[algorithm], strict_check_header=False)
        checks = jwt.JWTClaimsRegistry(
            now=int(self._clock()),
            leeway=LEEWAY_SECONDS,
            iss={"essential": True},
            sub={"essential": True},
            exp={"essential": True},
        )
        try:
            claims: dict[str, Any] = jwt.decode(token, key, [algorithm], registry).claims
            checks.validate(claims)
        except ExpiredTokenError as error:
            raise _refused("The token has expired.") from error
        except (MissingClaimError, InvalidClaimError) as error:
            raise _refused(f"The token's claims do not hold ({error.description or error.error}).") from error
        except (JoseError, ValueError, TypeError, OverflowError) as error:
            raise _refused("The token's signature does not hold.") from error
        return claims


def mint_job_token(
    key: SecretStr | str,
    *,
    job_id: str,
    permissions: Iterable[str],
    created_by: str,
    lifetime: timedelta,
) -> str:
    """Return a token with which a job calls the proxy and the API: only these permissions, never an admin's."""
    now = int(time.time())
    claims = {
        "iss": JOB_ISSUER,
        "sub": JOB_SUBJECT_PREFIX + job_id,
        "permissions": sorted(permissions),
        "created_by": created_by,
        "iat": now,
        "exp": now + int(lifetime.total_seconds()),
    }
    secret = key if isinstance(key, SecretStr) else SecretStr(key)
    return jwt.encode({"alg": JOB_ALGORITHM, "typ": JOB_TOKEN_TYPE}, claims, _job_key(secret), [JOB_ALGORITHM])


def bearer_token(authorization: str | None) -> str:
    """Return the token of an `Authorization: Bearer …` header. Raises NotSignedIn if there is none."""
    scheme, _, token = (authorization or "").strip().partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        raise NotSignedIn("The request has no bearer token.", hint="Sign in: hawk login.")
    return token.strip()


def _job_key(secret: SecretStr) -> OctKey:
    value = secret.get_secret_value()
    if len(value) < MIN_JOB_KEY_CHARACTERS:
        raise UserError(
            f"HAWK_JOB_TOKEN_KEY has {len(value)} characters.", hint=f"Use at least {MIN_JOB_KEY_CHARACTERS}, random."
        )
    return OctKey.import_key(value)


def _unverified_header(token: str) -> dict[str, Any]:
    if len(token) > MAX_TOKEN_CHARACTERS:
        raise _refused(f"The token is longer than {MAX_TOKEN_CHARACTERS} characters.")
    head, *rest = token.split(".")
    try:
        header = json.loads(base64.urlsafe_b64decode(head + "=" * (-len(head) % 4)))
    except (ValueError, binascii.Error, RecursionError) as error:
        raise _refused("The token is not a JSON Web Token.") from error
    if len(rest) != 2 or not isinstance(header, dict):
        raise _refused("The token is not a JSON Web Token.")
    return header


def _token_type(header: Mapping[str, Any]) -> str:
    return str(header.get("typ") or "").lower()


def _is_id_token(header: Mapping[str, Any], claims: Mapping[str, Any]) -> bool:
    if claims.get("token_use", "access") != "access":  # Cognito
        return True
    if str(claims.get("typ", "")).lower() == "id":  # Keycloak
        return True
    return "at+jwt" not in _token_type(header) and bool(ID_TOKEN_CLAIMS & set(claims))


def _audiences(claims: Mapping[str, Any]) -> set[str]:
    # Cognito's access tokens have no `aud`; the client they were given to stands in its place.
    return set(_texts(claims.get("aud", claims.get("client_id"))))


def _permissions(claims: Mapping[str, Any], names: Iterable[str]) -> frozenset[str]:
    groups: set[str] = set()
    for name in names:
        value = claims.get(name)
        groups.update(value.split() if isinstance(value, str) else _texts(value))
    return frozenset(groups - {"", UNRESOLVED_GROUP})


def _public_scopes(claims: Mapping[str, Any], settings: SignInSettings) -> frozenset[str]:
    """Return the public group where a scope grants it: clients ask for scopes as they like, so for no other group."""
    public = {settings.public_group, settings.public_group + READ_SUFFIX} - {"", READ_SUFFIX}
    return _permissions(claims, settings.scope_claims) & public


def _is_admin(claims: Mapping[str, Any], permissions: frozenset[str], settings: SignInSettings) -> bool:
    # Only the JSON value true: the text "false" must make nobody an administrator.
    claimed = settings.admin_claim is not None and claims.get(settings.admin_claim) is True
    return claimed or bool(permissions & set(settings.admin_groups))


def _texts(value: object) -> list[str]:
    if isinstance(value, str):
        return [value]
    return [item for item in value if isinstance(item, str)] if isinstance(value, list) else []


def _refused(message: str, *, hint: str = _SIGN_IN) -> NotSignedIn:
    return NotSignedIn(message, hint=hint)
