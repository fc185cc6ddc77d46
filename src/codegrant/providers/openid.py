"""Providers that speak OpenID Connect: found by their issuer. Layer: providers."""

from __future__ import annotations

from codegrant.providers.entry import Entry
from codegrant.providers.model import Provider, Quirk, UserShape

__all__ = ["OPENID"]

# What an ID token leaves out, userinfo says.
_CLAIMS = UserShape(source="id_token")
_NEVER_PROVEN = UserShape(source="id_token", email_proof="never")
_STANDARD = ("openid", "profile", "email")

OPENID = (
    Entry(
        provider=Provider(
            id="google",
            name="Google",
            server="https://accounts.google.com",
            issuer="https://accounts.google.com",
            scope=("openid", "email", "profile"),
            offline_params=(("access_type", "offline"),),
            offline_prompt="consent",
            user=_CLAIMS,
            issuer_alias="accounts.google.com",
            quirks=frozenset({Quirk.ISSUER_ALIAS}),
            notes=(
                (
                    "A refresh token comes only with `offline=True`, and only when the person is "
                    "asked for consent."
                ),
                "A refresh brings no new refresh token; the old one is kept.",
                "The claim `hd` names the Workspace domain.",
                "Installed applications have a secret as well.",
            ),
        )
    ),
    Entry(
        provider=Provider(
            id="microsoft",
            name="Microsoft Entra ID",
            server="https://login.microsoftonline.com/{tenant}/v2.0",
            issuer="https://login.microsoftonline.com/{tenant}/v2.0",
            scope=("openid", "profile", "email", "offline_access"),
            auth_method="client_secret_post",
            user=_NEVER_PROVEN,
            quirks=frozenset({Quirk.ISSUER_TEMPLATE}),
            notes=(
                (
                    "The e-mail address is no proof of who somebody is: any administrator of a "
                    "tenant can write any address there. `email_verified` is always False."
                ),
                (
                    "The subject differs from application to application; `oid` and `tid` in `raw` "
                    "name the person in the directory."
                ),
                "The access token for Microsoft Graph is for Graph to read, not for you.",
            ),
            unverified=("the host of userinfo", "xms_edov, which is not used"),
        ),
        needs=("tenant",),
    ),
    Entry(
        provider=Provider(
            id="apple",
            name="Sign in with Apple",
            server="https://appleid.apple.com",
            issuer="https://appleid.apple.com",
            scope=("name", "email"),
            auth_method="client_secret_post",
            pkce="never",
            response_mode="form_post",
            user=UserShape(
                source="id_token", name=("name", "user.name.firstName user.name.lastName")
            ),
            quirks=frozenset(
                {
                    Quirk.SIGNED_SECRET,
                    Quirk.FORM_POST,
                    Quirk.NAME_ONCE,
                    Quirk.ID_TOKEN_UNASKED,
                    Quirk.TEXT_BOOLEANS,
                }
            ),
            notes=(
                "The address may be a relay address that Apple forwards.",
                "There is no userinfo endpoint, and a refresh brings no new refresh token.",
                "Redirect URIs are https, and never `localhost`.",
            ),
            unverified=("the revocation endpoint", "`email_verified` as the text `true`"),
        ),
        needs=("team_id", "key_id", "private_key"),
    ),
    Entry(
        provider=Provider(
            id="gitlab",
            name="GitLab",
            server="{base_url}",
            issuer="{base_url}",
            scope=_STANDARD,
            user=_CLAIMS,
            notes=(
                "A self-managed GitLab is named by `base_url`.",
                "Access tokens last two hours, and refresh tokens rotate.",
            ),
            unverified=(
                "the path of the revocation endpoint",
                "that tokens last two hours",
            ),
        ),
        defaults={"base_url": "https://gitlab.com"},
    ),
    Entry(
        provider=Provider(
            id="slack",
            name="Slack",
            server="https://slack.com",
            issuer="https://slack.com",
            scope=_STANDARD,
            auth_method="client_secret_post",
            pkce="never",
            user=_CLAIMS,
            error_codes={
                "invalid_code": "invalid_grant",
                "code_already_used": "invalid_grant",
                "invalid_refresh_token": "invalid_grant",
                "bad_client_secret": "invalid_client",
                "invalid_client_id": "invalid_client",
                "invalid_auth": "invalid_token",
                "token_expired": "invalid_token",
                "token_revoked": "invalid_token",
            },
            quirks=frozenset({Quirk.OK_FALSE}),
            notes=(
                "This is Sign in with Slack; installing an app into a workspace is another flow.",
                "`https://slack.com/team_id` in `raw` names the workspace.",
                "There is a refresh token only where token rotation is on.",
                "Redirect URIs are https.",
            ),
            unverified=("the names of Slack's errors",),
        )
    ),
    Entry(
        provider=Provider(
            id="linkedin",
            name="LinkedIn",
            server="https://www.linkedin.com/oauth",
            issuer="https://www.linkedin.com/oauth",
            scope=_STANDARD,
            auth_method="client_secret_post",
            pkce="never",
            user=_CLAIMS,
            quirks=frozenset({Quirk.NO_NONCE, Quirk.NO_TOKEN_TYPE, Quirk.AUTH_METHODS_UNLISTED}),
            notes=(
                "Without nonce and PKCE, `state` alone ties an answer to its login.",
                "Refresh tokens are for approved partners only.",
            ),
        )
    ),
    Entry(
        provider=Provider(
            id="twitch",
            name="Twitch",
            server="https://id.twitch.tv/oauth2",
            issuer="https://id.twitch.tv/oauth2",
            scope=("openid", "user:read:email"),
            auth_method="client_secret_post",
            pkce="never",
            authorize_params=(("claims", '{"id_token":{"email":null,"email_verified":null}}'),),
            api_headers=(("client-id", "{client_id}"),),
            user=UserShape(source="id_token", name=("preferred_username",)),
            error_codes={
                "Invalid refresh token": "invalid_grant",
                "Invalid authorization code": "invalid_grant",
                "invalid client": "invalid_client",
                "invalid client secret": "invalid_client",
            },
            quirks=frozenset({Quirk.SCOPE_ARRAY, Quirk.ERROR_MESSAGE, Quirk.HEADERS}),
            notes=(
                "The address comes in the ID token because `claims` asks for it.",
                (
                    "The Helix API wraps what it says in `data` and wants the header `Client-Id`, "
                    "which `api` sends."
                ),
            ),
            unverified=("the revocation endpoint", "the wording of Twitch's errors"),
        )
    ),
    Entry(
        provider=Provider(
            id="okta",
            name="Okta",
            server="{issuer}",
            issuer="{issuer}",
            scope=(*_STANDARD, "offline_access"),
            user=_CLAIMS,
            notes=(
                (
                    "The organization's own server and each custom one, `default` among them, have "
                    "different issuers: `authorization_server` names a custom one."
                ),
                "Access tokens of the organization's server are not for you to read.",
            ),
            unverified=("that there are DPoP and PAR",),
        ),
        needs=("domain",),
        defaults={"authorization_server": ""},
    ),
    Entry(
        provider=Provider(
            id="auth0",
            name="Auth0",
            server="https://{domain}/",
            issuer="https://{domain}/",
            scope=_STANDARD,
            offline_scope="offline_access",
            auth_method="client_secret_post",
            user=_CLAIMS,
            notes=(
                "The issuer ends with a slash.",
                (
                    "An access token for your own API needs the parameter `audience`; "
                    "without it the token is good for userinfo alone."
                ),
            ),
            unverified=("the addresses for logout",),
        ),
        needs=("domain",),
    ),
    Entry(
        provider=Provider(
            id="keycloak",
            name="Keycloak",
            server="{base_url}/realms/{realm}",
            issuer="{base_url}/realms/{realm}",
            scope=_STANDARD,
            offline_scope="offline_access",
            user=_CLAIMS,
            notes=(
                "Before version 17 the base address ends with `/auth`.",
                "The audience of an access token is `account` unless a mapper says otherwise.",
            ),
        ),
        needs=("base_url", "realm"),
    ),
    Entry(
        provider=Provider(
            id="cognito",
            name="Amazon Cognito",
            server="https://cognito-idp.{region}.amazonaws.com/{user_pool}",
            issuer="https://cognito-idp.{region}.amazonaws.com/{user_pool}",
            scope=_STANDARD,
            user=_CLAIMS,
            quirks=frozenset({Quirk.PERCENT_SPACES, Quirk.TEXT_BOOLEANS}),
            notes=(
                "The issuer is on another host than the endpoints.",
                "The access token has `client_id` and no `aud`.",
                "A refresh brings a new refresh token only where rotation is on.",
            ),
            unverified=("`email_verified` as a text", "the address for logout"),
        ),
        needs=("region", "user_pool"),
    ),
    Entry(
        provider=Provider(
            id="salesforce",
            name="Salesforce",
            server="{base_url}",
            issuer="{base_url}",
            scope=_STANDARD,
            offline_scope="refresh_token",
            auth_method="client_secret_post",
            user=_CLAIMS,
            quirks=frozenset({Quirk.BARE_401}),
            notes=(
                "The subject is a URL; `user_id` and `organization_id` are in `raw` of userinfo.",
                "The token answer has no `expires_in`: a 401 says that the session is over.",
                "`instance_url` in `tokens.extra` is the base of the APIs.",
                "A sandbox is `base_url='https://test.salesforce.com'`.",
            ),
            unverified=("that `expires_in` is absent", "the form of `issued_at`"),
        ),
        defaults={"base_url": "https://login.salesforce.com"},
    ),
    Entry(
        provider=Provider(
            id="yahoo",
            name="Yahoo",
            server="https://api.login.yahoo.com",
            issuer="https://api.login.yahoo.com",
            scope=_STANDARD,
            pkce="if_listed",
            user=_CLAIMS,
            notes=("Redirect URIs are https.",),
            unverified=("that redirect URIs are https only", "the member `xoauth_yahoo_guid`"),
        )
    ),
)
