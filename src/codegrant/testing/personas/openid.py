"""Personas of providers that speak OpenID Connect. Layer: testing."""

from __future__ import annotations

from codegrant.messages.json import JsonValue
from codegrant.testing.personas.facts import Facts, Person

__all__ = ["OPENID"]

_STANDARD = ("openid", "profile", "email")
_WITH_OFFLINE = (*_STANDARD, "offline_access")


def _claims(person: Person) -> dict[str, JsonValue]:
    return {
        "email": person.email,
        "email_verified": person.email_verified,
        "name": person.name,
        "picture": person.picture,
    }


def _userinfo(person: Person) -> JsonValue:
    return {"sub": person.subject, **_claims(person)}


def _text_boolean(person: Person) -> dict[str, JsonValue]:
    return {**_claims(person), "email_verified": "true" if person.email_verified else "false"}


def _apple(person: Person) -> dict[str, JsonValue]:
    verified = "true" if person.email_verified else "false"
    return {"email": person.email, "email_verified": verified, "is_private_email": "false"}


def _microsoft(person: Person) -> dict[str, JsonValue]:
    return {
        "email": person.email,
        "name": person.name,
        "preferred_username": person.email,
        "oid": f"00000000-0000-0000-0000-{person.number:012d}",
        "tid": person.tenant,
        "ver": "2.0",
    }


def _slack(person: Person) -> dict[str, JsonValue]:
    return {
        "https://slack.com/user_id": person.subject,
        "https://slack.com/team_id": "T0R7GR",
        **_claims(person),
    }


def _twitch(person: Person) -> dict[str, JsonValue]:
    return {
        "email": person.email,
        "email_verified": person.email_verified,
        "preferred_username": person.name,
    }


OPENID = (
    Facts(
        id="google",
        issuer="https://accounts.google.com",
        second_issuer="accounts.google.com",
        authorize="https://accounts.google.com/o/oauth2/v2/auth",
        token="https://oauth2.googleapis.com/token",
        userinfo="https://openidconnect.googleapis.com/v1/userinfo",
        revoke="https://oauth2.googleapis.com/revoke",
        scopes=_STANDARD,
        offline="access_type=offline",
        once=True,
        rotates=False,
        words={"invalid_refresh": "Token has been expired or revoked."},
        user=_userinfo,
        claims=lambda person: {**_claims(person), "hd": "example.com"},
        iss=True,
    ),
    Facts(
        id="microsoft",
        issuer="https://login.microsoftonline.com/{tenant}/v2.0",
        authorize="https://login.microsoftonline.com/{tenant}/oauth2/v2.0/authorize",
        token="https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token",
        userinfo="https://graph.microsoft.com/oidc/userinfo",
        unlisted=("code_challenge_methods_supported",),
        auth="post",
        scopes=_WITH_OFFLINE,
        offline="scope=offline_access",
        user=lambda person: {"sub": person.subject, "name": person.name, "email": person.email},
        claims=_microsoft,
    ),
    Facts(
        id="apple",
        issuer="https://appleid.apple.com",
        authorize="https://appleid.apple.com/auth/authorize",
        token="https://appleid.apple.com/auth/token",
        revoke="https://appleid.apple.com/auth/revoke",
        unlisted=("code_challenge_methods_supported", "userinfo_endpoint"),
        auth="post",
        signed_secret="https://appleid.apple.com",
        scopes=("name", "email"),
        pkce="must_not",
        id_token_unasked=True,
        wants=(("response_mode", "form_post"),),
        rotates=False,
        scope_answer="absent",
        claims=_apple,
        form_post=True,
    ),
    Facts(
        id="gitlab",
        issuer="{base_url}",
        authorize="{base_url}/oauth/authorize",
        token="{base_url}/oauth/token",
        userinfo="{base_url}/oauth/userinfo",
        revoke="{base_url}/oauth/revoke",
        scopes=_STANDARD,
        lifetime=7200,
        user=_userinfo,
    ),
    Facts(
        id="slack",
        issuer="https://slack.com",
        authorize="https://slack.com/openid/connect/authorize",
        token="https://slack.com/api/openid.connect.token",
        userinfo="https://slack.com/api/openid.connect.userInfo",
        unlisted=("code_challenge_methods_supported",),
        auth="post",
        scopes=_STANDARD,
        pkce="must_not",
        errors="ok_false",
        codes={
            "invalid_grant": "invalid_code",
            "invalid_refresh": "invalid_refresh_token",
            "invalid_client": "bad_client_secret",
            "invalid_token": "invalid_auth",
        },
        scope_answer="absent",
        user=lambda person: {"ok": True, "sub": person.subject, **_slack(person)},
        claims=_slack,
    ),
    Facts(
        id="linkedin",
        issuer="https://www.linkedin.com/oauth",
        authorize="https://www.linkedin.com/oauth/v2/authorization",
        token="https://www.linkedin.com/oauth/v2/accessToken",
        userinfo="https://api.linkedin.com/v2/userinfo",
        unlisted=("code_challenge_methods_supported", "token_endpoint_auth_methods_supported"),
        auth="post",
        scopes=_STANDARD,
        pkce="must_not",
        nonce=False,
        lifetime=5_184_000,
        token_type="",
        user=_userinfo,
        claims=_claims,
    ),
    Facts(
        id="twitch",
        issuer="https://id.twitch.tv/oauth2",
        authorize="https://id.twitch.tv/oauth2/authorize",
        token="https://id.twitch.tv/oauth2/token",
        userinfo="https://id.twitch.tv/oauth2/userinfo",
        revoke="https://id.twitch.tv/oauth2/revoke",
        unlisted=("code_challenge_methods_supported",),
        auth="post",
        scopes=("openid", "user:read:email"),
        pkce="must_not",
        wants=(("claims", '{"id_token":{"email":null,"email_verified":null}}'),),
        scope_answer="array",
        token_type="bearer",
        headers=(("client-id", "{client_id}"),),
        errors="message",
        codes={
            "invalid_grant": "Invalid authorization code",
            "invalid_refresh": "Invalid refresh token",
            "invalid_client": "invalid client secret",
            "invalid_token": "invalid access token",
        },
        user=lambda person: {"sub": person.subject, "preferred_username": person.name},
        claims=_twitch,
    ),
    Facts(
        id="okta",
        issuer="https://{domain}",
        authorize="https://{domain}/oauth2/v1/authorize",
        token="https://{domain}/oauth2/v1/token",
        userinfo="https://{domain}/oauth2/v1/userinfo",
        revoke="https://{domain}/oauth2/v1/revoke",
        scopes=_WITH_OFFLINE,
        offline="scope=offline_access",
        user=_userinfo,
    ),
    Facts(
        id="auth0",
        issuer="https://{domain}/",
        authorize="https://{domain}/authorize",
        token="https://{domain}/oauth/token",
        userinfo="https://{domain}/userinfo",
        revoke="https://{domain}/oauth/revoke",
        auth="post",
        scopes=_WITH_OFFLINE,
        offline="scope=offline_access",
        rotates=False,
        user=_userinfo,
        claims=_claims,
        subject=lambda person: f"auth0|{person.number}",
    ),
    Facts(
        id="keycloak",
        issuer="{base_url}/realms/{realm}",
        authorize="{base_url}/realms/{realm}/protocol/openid-connect/auth",
        token="{base_url}/realms/{realm}/protocol/openid-connect/token",
        userinfo="{base_url}/realms/{realm}/protocol/openid-connect/userinfo",
        revoke="{base_url}/realms/{realm}/protocol/openid-connect/revoke",
        scopes=_WITH_OFFLINE,
        lifetime=300,
        in_token=lambda _: {"refresh_expires_in": 1800, "session_state": "a"},
        user=_userinfo,
        claims=_claims,
        iss=True,
    ),
    Facts(
        id="cognito",
        issuer="https://cognito-idp.{region}.amazonaws.com/{user_pool}",
        authorize="https://login.pool.example/oauth2/authorize",
        token="https://login.pool.example/oauth2/token",
        userinfo="https://login.pool.example/oauth2/userInfo",
        revoke="https://login.pool.example/oauth2/revoke",
        unlisted=("code_challenge_methods_supported",),
        scopes=_STANDARD,
        spaces="%20",
        rotates=False,
        scope_answer="absent",
        user=lambda person: {"sub": person.subject, **_text_boolean(person)},
    ),
    Facts(
        id="salesforce",
        issuer="{base_url}",
        authorize="{base_url}/services/oauth2/authorize",
        token="{base_url}/services/oauth2/token",
        userinfo="{base_url}/services/oauth2/userinfo",
        revoke="{base_url}/services/oauth2/revoke",
        auth="post",
        scopes=(*_STANDARD, "refresh_token"),
        offline="scope=refresh_token",
        rotates=False,
        lifetime=None,
        bare_401=True,
        in_token=lambda person: {
            "instance_url": "https://example.my.salesforce.com",
            "id": f"https://login.salesforce.com/id/00D/{person.number}",
            "issued_at": "1700000000000",
            "signature": "c2ln",
        },
        user=lambda person: {
            "sub": f"https://login.salesforce.com/id/00D/{person.number}",
            "user_id": person.subject,
            "organization_id": "00D",
            **_claims(person),
        },
        subject=lambda person: f"https://login.salesforce.com/id/00D/{person.number}",
    ),
    Facts(
        id="yahoo",
        issuer="https://api.login.yahoo.com",
        authorize="https://api.login.yahoo.com/oauth2/request_auth",
        token="https://api.login.yahoo.com/oauth2/get_token",
        userinfo="https://api.login.yahoo.com/openid/v1/userinfo",
        unlisted=("code_challenge_methods_supported",),
        scopes=_STANDARD,
        pkce="must_not",
        rotates=False,
        in_token=lambda _: {"xoauth_yahoo_guid": "GUID"},
        user=_userinfo,
        claims=_claims,
    ),
)
