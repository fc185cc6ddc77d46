"""Records as the tests of the stores use them, each valid and different where it must be."""

from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import NamedTuple

from codegrant.accounts.records import Account, Session
from codegrant.secret import digest_of
from codegrant.server.effects import (
    RedeemCode,
    SaveCode,
    TransactionEnd,
)
from codegrant.server.records import (
    AccessTokenRecord,
    ClientRecord,
    CodeRecord,
    GrantRecord,
    KeyRecord,
    ResourceRecord,
    Transaction,
)
from codegrant.server.refresh_effects import (
    NewRefreshToken,
)

NOW = 1_800_000_000
CHALLENGE = "c" * 43
REDIRECT_URI = "https://app.example/callback"
AUDIENCE = "https://api.example/"
BROWSER = digest_of("this browser")
OTHER_BROWSER = digest_of("another browser")

_serial = count(1)


class Issued(NamedTuple):
    """A grant and its code, as `SaveCode` stores them."""

    grant: GrantRecord
    code: CodeRecord

    def save(self) -> SaveCode:
        return SaveCode(self.grant, self.code)

    def redeem(
        self, now: int = NOW + 1, refresh_token: NewRefreshToken | None = None
    ) -> RedeemCode:
        """Return the one right redemption."""
        return RedeemCode(
            digest=self.code.digest,
            client_id=self.code.client_id,
            redirect_uri=self.code.redirect_uri,
            presented_challenge=self.code.code_challenge or None,
            now=now,
            refresh_token=refresh_token,
        )


def issued(
    *,
    client_id: str = "web",
    subject: str = "alice",
    challenge: str = CHALLENGE,
    sid: str = "",
    offline: bool = False,
) -> Issued:
    """Return a grant and a code that no other call returns."""
    serial = next(_serial)
    grant = GrantRecord(
        grant_id=f"grant-{serial}",
        client_id=client_id,
        subject=subject,
        scope=("openid", "email"),
        audience=AUDIENCE,
        auth_time=NOW - 5,
        amr=("pwd",),
        acr="urn:example:acr",
        sid=sid or f"sid-{serial}",
        cnf="thumbprint",
        created_at=NOW,
    )
    code = CodeRecord(
        digest=digest_of(f"code {serial}"),
        grant_id=grant.grant_id,
        client_id=client_id,
        redirect_uri=REDIRECT_URI,
        redirect_uri_sent=True,
        code_challenge=challenge,
        nonce="n-0S6_WzA2Mj",
        requested_scope=("openid", "email", "phone"),
        created_at=NOW,
        expires_at=NOW + 60,
        claims='{"userinfo":{"email":null}}',
        auth_time_requested=True,
        offline=offline,
        cnf="thumbprint",
    )
    return Issued(grant, code)


def new_refresh_token(
    text: str, family: str, now: int = NOW + 1, *, idle: int = 1000, absolute: int = 5000
) -> NewRefreshToken:
    return NewRefreshToken(
        digest_of(text), digest_of(family), idle_until=now + idle, ends_at=now + absolute
    )


def access_token(grant: GrantRecord, text: str = "an opaque token") -> AccessTokenRecord:
    return AccessTokenRecord(
        digest=digest_of(text),
        grant_id=grant.grant_id,
        client_id=grant.client_id,
        subject=grant.subject,
        scope=grant.scope,
        audience=grant.audience,
        created_at=NOW,
        expires_at=NOW + 300,
        cnf=grant.cnf,
    )


def transaction(text: str = "transaction", *, source: str = "192.0.2.1") -> Transaction:
    return Transaction(
        digest=digest_of(text),
        client_id="web",
        request=(("scope", "openid"), ("resource", AUDIENCE), ("resource", 'é "\\')),
        source=source,
        created_at=NOW,
        expires_at=NOW + 600,
    )


def end_of(ended: Transaction, browser_digest: bytes = BROWSER) -> TransactionEnd:
    return TransactionEnd(ended.digest, browser_digest, "sealed", NOW + 15)


def client(client_id: str = "web") -> ClientRecord:
    return ClientRecord(
        client_id=client_id,
        client_name="The application",
        secret_digest=digest_of("a client's secret"),
        token_endpoint_auth_method="client_secret_post",
        application_type="native",
        redirect_uris=(REDIRECT_URI, "http://127.0.0.1/callback"),
        grant_types=("authorization_code",),
        scope=("openid", "email"),
        default_scope=("openid",),
        audiences=(AUDIENCE,),
        id_token_signed_response_alg="ES256",
        require_pkce=False,
        skip_consent=True,
        jwks='{"keys":[]}',
        metadata={"logo_uri": "https://app.example/é.png", "contacts": ["a@b.example"], "n": 1},
        enabled=False,
        created_at=NOW,
        updated_at=NOW + 1,
    )


def public_client(client_id: str = "spa") -> ClientRecord:
    return replace(client(client_id), token_endpoint_auth_method="none", secret_digest=None)


def resource(
    audience: str = AUDIENCE,
    resource_id: str = "api",
    *,
    scope: tuple[str, ...] = ("read", "write"),
) -> ResourceRecord:
    return ResourceRecord(
        audience=audience,
        resource_id=resource_id,
        secret_digest=digest_of("a resource server's secret"),
        scope=scope,
        access_format="opaque",
        created_at=NOW,
        updated_at=NOW + 1,
    )


def key(kid: str, alg: str = "ES256", *, created_at: int = NOW) -> KeyRecord:
    return KeyRecord(
        kid=kid,
        alg=alg,
        sealed_private_key="sealed",
        created_at=created_at,
        activates_at=created_at,
    )


def account(name: str = "alice") -> Account:
    return Account(
        subject=f"sub-{name}",
        username=name.title(),
        username_key=name,
        password_hash="$argon2id$v=19$m=19456,t=2,p=1$c2FsdA$aGFzaA",
        email=f"{name}@example.com",
        email_verified=True,
        name="Alice Ünique",
        claims={"locale": "de", "address": {"country": "DE"}},
        created_at=NOW,
        updated_at=NOW + 1,
    )


def session(text: str = "a session", *, subject: str = "sub-alice") -> Session:
    return Session(
        digest=digest_of(text),
        sid=f"sid of {text}",
        subject=subject,
        auth_time=NOW,
        amr=("pwd", "otp"),
        created_at=NOW,
        seen_at=NOW,
        expires_at=NOW + 1000,
        browser="Firefox on Linux",
    )
