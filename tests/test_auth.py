import base64
import hmac
import json
import time
from datetime import timedelta

import pytest
from joserfc import jwt
from joserfc.jwk import OctKey, RSAKey
from pydantic import SecretStr

from hawk.auth import TokenVerifier, bearer_token, mint_job_token
from hawk.errors import NotSignedIn, Upstream, UserError
from hawk.settings import IdentitySettings

ISSUER = "https://issuer.example"
JOB_KEY = "a-job-key-of-more-than-32-characters!"


class FakeIssuer:
    """An issuer at the border of HTTP: documents by URL, with a count of fetches and a switch to fail."""

    def __init__(self) -> None:
        self.keys = [RSAKey.generate_key(2048)]
        self.fetches = 0
        self.is_down = False

    def fetch(self, url: str) -> dict:
        self.fetches += 1
        if self.is_down:
            raise ValueError("down")
        if url == f"{ISSUER}/.well-known/openid-configuration":
            return {"issuer": ISSUER, "jwks_uri": f"{ISSUER}/keys"}
        assert url == f"{ISSUER}/keys"
        return {"keys": [{**key.as_dict(private=False), "kid": key.thumbprint()} for key in self.keys]}

    def sign(self, claims: dict | None = None, *, key: RSAKey | None = None, without: str = "", **header) -> str:
        key = key or self.keys[0]
        body = {
            "iss": ISSUER,
            "aud": "hawk",
            "sub": "alice",
            "email": "alice@example.com",
            "exp": int(time.time()) + 600,
            "permissions": ["model-access-public"],
            **(claims or {}),
        }
        body.pop(without, None)
        return jwt.encode({"alg": "RS256", "kid": key.thumbprint(), "typ": "at+jwt", **header}, body, key)


@pytest.fixture
def issuer() -> FakeIssuer:
    return FakeIssuer()


@pytest.fixture
def settings() -> IdentitySettings:
    return IdentitySettings(issuer=ISSUER, job_token_key=SecretStr(JOB_KEY))


@pytest.fixture
def verifier(issuer: FakeIssuer, settings: IdentitySettings) -> TokenVerifier:
    return TokenVerifier(settings, fetch=issuer.fetch)


def unsigned(header: dict, claims: dict) -> str:
    def part(value: dict) -> str:
        return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()

    return f"{part(header)}.{part(claims)}."


def test_access_token_gives_the_principal(issuer, verifier):
    principal = verifier.verify(issuer.sign())

    assert principal.subject == "alice"
    assert principal.email == "alice@example.com"
    assert principal.permissions == {"model-access-public"}
    assert principal.kind == "user"
    assert not principal.is_admin
    assert principal.job_id is None


@pytest.mark.parametrize(
    ("claims", "expected"),
    [
        ({"permissions": "a b"}, {"a", "b"}),
        ({"permissions": ["a"], "cognito:groups": ["b"]}, {"a", "b"}),
        ({"permissions": None}, set()),
        ({"permissions": {"a": True}}, set()),
        ({"permissions": ["a", 7, None, "", "__unresolved__"]}, {"a"}),
        ({"permissions": [], "scp": "model-access-private"}, set()),
    ],
    ids=["string", "two claims", "null", "mapping", "odd items", "scopes are no permissions"],
)
def test_permissions_are_the_union_of_the_configured_claims(issuer, verifier, claims, expected):
    assert verifier.verify(issuer.sign(claims)).permissions == expected


def test_member_of_an_admin_group_is_admin(issuer, verifier):
    assert verifier.verify(issuer.sign({"permissions": ["hawk-admin"]})).is_admin


@pytest.mark.parametrize(
    ("claims", "is_admin"),
    [
        ({"https://hawk/admin": True}, True),
        ({"https://hawk/admin": "true"}, False),
        ({"https://hawk/admin": 1}, False),
        ({"https://hawk/admin": False}, False),
        ({}, False),
        ({"scp": "hawk-admin"}, False),
    ],
    ids=str,
)
def test_only_a_true_admin_claim_makes_an_admin(issuer, settings, claims, is_admin):
    claimed = settings.model_copy(update={"admin_claim": "https://hawk/admin"})

    assert TokenVerifier(claimed, fetch=issuer.fetch).verify(issuer.sign(claims)).is_admin is is_admin


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        ("openid model-access-public", {"model-access-public"}),
        (["model-access-public:read"], {"model-access-public:read"}),
        ("model-access-private hawk-admin", set()),
        ("", set()),
    ],
    ids=str,
)
def test_scope_grants_the_public_group_and_no_other(issuer, verifier, scope, expected):
    assert verifier.verify(issuer.sign({"permissions": [], "scp": scope})).permissions == expected


def test_audience_may_be_one_of_several(issuer, settings):
    both = settings.model_copy(update={"audiences": ("hawk", "viewer")})

    assert TokenVerifier(both, fetch=issuer.fetch).verify(issuer.sign({"aud": ["other", "viewer"]})).subject == "alice"


def test_cognito_token_without_audience_is_taken_by_its_client_id(issuer, verifier):
    token = issuer.sign({"client_id": "hawk", "token_use": "access"}, without="aud")

    assert verifier.verify(token).subject == "alice"


@pytest.mark.parametrize(
    ("claims", "header", "reason"),
    [
        pytest.param({"exp": int(time.time()) - 3600}, {}, "has expired", id="past"),
        ({"exp": "tomorrow"}, {}, "claims do not hold"),
        ({"exp": None}, {}, "claims do not hold"),
        pytest.param({"nbf": int(time.time()) + 3600}, {}, "claims do not hold", id="not yet"),
        ({"sub": ""}, {}, "claims do not hold"),
        ({"sub": 7}, {}, "claims do not hold"),
        ({"iss": "https://evil.example"}, {}, "another issuer"),
        ({"iss": "hawk-job"}, {}, "another issuer"),
        ({"aud": "other"}, {}, "another audience"),
        ({"aud": None}, {}, "claims do not hold"),
        ({"token_use": "id"}, {}, "ID token"),
        ({"nonce": "n"}, {"typ": "JWT"}, "ID token"),
        ({"at_hash": "h"}, {"typ": ""}, "ID token"),
        ({"typ": "ID"}, {"typ": "JWT"}, "ID token"),
        ({}, {"typ": "logout+jwt"}, "not an access token"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_token_with_wrong_claims_is_refused(issuer, verifier, claims, header, reason):
    with pytest.raises(NotSignedIn, match=reason):
        verifier.verify(issuer.sign(claims, **header))


def test_token_that_expired_within_the_leeway_still_holds(issuer, verifier):
    assert verifier.verify(issuer.sign({"exp": int(time.time()) - 5})).subject == "alice"


def test_token_signed_by_somebody_else_is_refused(issuer, verifier):
    stranger = RSAKey.generate_key(2048)
    token = issuer.sign(key=stranger, kid=issuer.keys[0].thumbprint())

    with pytest.raises(NotSignedIn, match="signature does not hold"):
        verifier.verify(token)


def test_changed_token_is_refused(issuer, verifier):
    head, body, signature = issuer.sign().split(".")
    claims = json.loads(base64.urlsafe_b64decode(body + "=="))
    claims["permissions"] = ["hawk-admin"]
    forged = base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()

    with pytest.raises(NotSignedIn, match="signature does not hold"):
        verifier.verify(f"{head}.{forged}.{signature}")


@pytest.mark.parametrize("algorithm", ["none", "None", "HS384", "RS512", "ES256", None, 7, ["RS256"]], ids=str)
def test_other_algorithms_are_refused(verifier, algorithm):
    token = unsigned({"alg": algorithm}, {"iss": ISSUER, "sub": "alice", "aud": "hawk", "exp": time.time() + 60})

    with pytest.raises(NotSignedIn, match="algorithm"):
        verifier.verify(token)


def test_public_key_of_the_issuer_is_no_hmac_secret(issuer, verifier):
    claims = {"iss": "hawk-job", "sub": "job:x", "exp": int(time.time()) + 60, "permissions": ["hawk-admin"]}
    signed = unsigned({"alg": "HS256", "typ": "hawk-job+jwt"}, claims).rstrip(".")
    digest = hmac.digest(issuer.keys[0].as_pem(private=False), signed.encode(), "sha256")

    with pytest.raises(NotSignedIn, match="signature does not hold"):
        verifier.verify(f"{signed}.{base64.urlsafe_b64encode(digest).rstrip(b'=').decode()}")


@pytest.mark.parametrize(
    "token",
    ["", "x", "a.b", "a.b.c", "..", "e30.e30.e30.e30", "W10.e30.e30", "eyJ" * 40_000],
    ids=lambda text: text[:12],
)
def test_text_that_is_no_token_is_refused(verifier, token):
    with pytest.raises(NotSignedIn):
        verifier.verify(token)


def test_deeply_nested_header_is_refused(verifier):
    head = base64.urlsafe_b64encode(b"[" * 30_000).decode()

    with pytest.raises(NotSignedIn):
        verifier.verify(f"{head}.e30.e30")


def test_critical_header_that_nobody_knows_is_refused(issuer, verifier):
    head = base64.urlsafe_b64encode(
        json.dumps({"alg": "RS256", "kid": issuer.keys[0].thumbprint(), "crit": ["x"], "x": 1}).encode()
    )
    _, body, signature = issuer.sign().split(".")

    with pytest.raises(NotSignedIn):
        verifier.verify(f"{head.rstrip(b'=').decode()}.{body}.{signature}")


class TestKeys:
    def test_keys_are_fetched_once_an_hour(self, issuer, settings):
        now = [time.time()]
        verifier = TokenVerifier(settings, fetch=issuer.fetch, clock=lambda: now[0])
        far = {"exp": int(now[0]) + 10_000}

        for _ in range(3):
            verifier.verify(issuer.sign(far))
        assert issuer.fetches == 2
        now[0] += 3601
        verifier.verify(issuer.sign(far))

        assert issuer.fetches == 4

    def test_new_key_is_found(self, issuer, settings):
        now = [time.time()]
        verifier = TokenVerifier(settings, fetch=issuer.fetch, clock=lambda: now[0])
        verifier.verify(issuer.sign())
        issuer.keys.insert(0, RSAKey.generate_key(2048))
        now[0] += 61

        assert verifier.verify(issuer.sign()).subject == "alice"

    def test_made_up_key_ids_reach_the_issuer_at_most_once_a_minute(self, issuer, settings):
        now = [time.time()]
        verifier = TokenVerifier(settings, fetch=issuer.fetch, clock=lambda: now[0])
        verifier.verify(issuer.sign())
        stranger = RSAKey.generate_key(2048)
        now[0] += 61

        for _ in range(5):
            with pytest.raises(NotSignedIn, match="does not have"):
                verifier.verify(issuer.sign(key=stranger))

        assert issuer.fetches == 4

    def test_known_keys_stay_believed_while_the_issuer_is_away(self, issuer, settings):
        now = [time.time()]
        verifier = TokenVerifier(settings, fetch=issuer.fetch, clock=lambda: now[0])
        token = issuer.sign({"exp": int(now[0]) + 10_000})
        verifier.verify(token)
        issuer.is_down = True
        now[0] += 4000

        assert verifier.verify(token).subject == "alice"

    def test_issuer_that_never_answered_is_an_upstream_fault(self, issuer, settings):
        issuer.is_down = True

        with pytest.raises(Upstream):
            TokenVerifier(settings, fetch=issuer.fetch).verify(issuer.sign())

    def test_discovery_document_of_another_issuer_is_not_believed(self, issuer, settings):
        other = settings.model_copy(update={"issuer": "https://other.example"})

        def fetch(url: str) -> dict:
            return issuer.fetch(url.replace("other.example", "issuer.example"))

        with pytest.raises(Upstream):
            TokenVerifier(other, fetch=fetch).verify(issuer.sign({"iss": "https://other.example"}))


class TestJobTokens:
    def mint(self, **changes) -> str:
        values = {"job_id": "set-1", "permissions": ["g1"], "created_by": "alice", "lifetime": timedelta(days=1)}
        return mint_job_token(changes.pop("key", SecretStr(JOB_KEY)), **{**values, **changes})

    def test_job_token_gives_a_job_principal(self, verifier):
        principal = verifier.verify(self.mint())

        assert principal.kind == "job"
        assert principal.job_id == "set-1"
        assert principal.subject == "job:set-1"
        assert principal.permissions == {"g1"}
        assert principal.created_by == "alice"

    def test_job_is_never_admin(self, verifier):
        assert not verifier.verify(self.mint(permissions=["hawk-admin"])).is_admin

    def test_expired_job_token_is_refused(self, verifier):
        with pytest.raises(NotSignedIn, match="expired"):
            verifier.verify(self.mint(lifetime=timedelta(hours=-1)))

    def test_job_token_of_another_key_is_refused(self, verifier):
        with pytest.raises(NotSignedIn, match="signature"):
            verifier.verify(self.mint(key="another-key-of-more-than-32-characters"))

    @pytest.mark.parametrize(
        ("claims", "header"),
        [
            ({"iss": ISSUER, "aud": "hawk"}, {"typ": "hawk-job+jwt"}),
            ({"sub": "alice"}, {"typ": "hawk-job+jwt"}),
            ({}, {"typ": "JWT"}),
        ],
        ids=["user issuer", "user subject", "other type"],
    )
    def test_job_key_signs_nothing_but_job_tokens(self, verifier, claims, header):
        body = {"iss": "hawk-job", "sub": "job:x", "exp": int(time.time()) + 60, **claims}

        with pytest.raises(NotSignedIn, match="not one of a job"):
            verifier.verify(jwt.encode({"alg": "HS256", **header}, body, OctKey.import_key(JOB_KEY), ["HS256"]))

    def test_short_key_is_refused(self):
        with pytest.raises(UserError, match="at least 32"):
            self.mint(key="short")

    def test_job_token_needs_no_issuer(self, issuer, settings):
        issuer.is_down = True

        assert TokenVerifier(settings, fetch=issuer.fetch).verify(self.mint()).job_id == "set-1"


def test_bearer_token_is_read_from_the_header():
    assert bearer_token("Bearer abc") == "abc"
    assert bearer_token("bearer   abc ") == "abc"


@pytest.mark.parametrize("header", [None, "", "Bearer", "Bearer ", "Basic abc", "abc"])
def test_header_without_bearer_token_is_refused(header):
    with pytest.raises(NotSignedIn, match="no bearer token"):
        bearer_token(header)
