"""Providers with plain OAuth 2 that are tools of work. Layer: providers."""

from __future__ import annotations

from codegrant.messages.metadata import ServerMetadata
from codegrant.providers.entry import Entry
from codegrant.providers.model import EmailList, Provider, Quirk, UserShape

__all__ = ["WORK"]

WORK = (
    Entry(
        provider=Provider(
            id="dropbox",
            name="Dropbox",
            server=ServerMetadata(
                authorization_endpoint="https://www.dropbox.com/oauth2/authorize",
                token_endpoint="https://api.dropboxapi.com/oauth2/token",
                userinfo_endpoint="https://api.dropboxapi.com/2/users/get_current_account",
            ),
            issuer="https://www.dropbox.com",
            scope=("account_info.read",),
            offline_params=(("token_access_type", "offline"),),
            user=UserShape(
                method="POST",
                subject=("account_id",),
                name=("name.display_name",),
                picture=("profile_photo_url",),
            ),
            quirks=frozenset({Quirk.USERINFO_POST}),
            notes=("A refresh token comes only with `offline=True`.",),
        )
    ),
    Entry(
        provider=Provider(
            id="notion",
            name="Notion",
            server=ServerMetadata(
                authorization_endpoint="https://api.notion.com/v1/oauth/authorize",
                token_endpoint="https://api.notion.com/v1/oauth/token",
                userinfo_endpoint="https://api.notion.com/v1/users/me",
                revocation_endpoint="https://api.notion.com/v1/oauth/revoke",
            ),
            issuer="https://api.notion.com",
            pkce="never",
            authorize_params=(("owner", "user"),),
            api_headers=(("notion-version", "2026-03-11"),),
            user=UserShape(
                within=("bot.owner.user",),
                in_tokens="owner.user",
                subject=("id",),
                email=("person.email",),
                email_proof="never",
                picture=("avatar_url",),
            ),
            quirks=frozenset({Quirk.HEADERS, Quirk.NESTED_USER, Quirk.WRAPPED_USER}),
            notes=(
                "There are no scopes: the integration's settings say what it may do.",
                "`workspace_id` is in `tokens.extra`.",
            ),
            unverified=("the revocation endpoint",),
        )
    ),
    Entry(
        provider=Provider(
            id="atlassian",
            name="Atlassian",
            server=ServerMetadata(
                authorization_endpoint="https://auth.atlassian.com/authorize",
                token_endpoint="https://auth.atlassian.com/oauth/token",
                userinfo_endpoint="https://api.atlassian.com/me",
            ),
            issuer="https://auth.atlassian.com",
            scope=("read:me",),
            auth_method="client_secret_post",
            authorize_params=(("audience", "api.atlassian.com"), ("prompt", "consent")),
            offline_scope="offline_access",
            user=UserShape(subject=("account_id",), email_proof="never"),
            notes=(
                (
                    "The sites of a person are listed at "
                    "`https://api.atlassian.com/oauth/token/accessible-resources`."
                ),
                "A refresh token comes only with `offline=True`, and rotates.",
            ),
        )
    ),
    Entry(
        provider=Provider(
            id="zoom",
            name="Zoom",
            server=ServerMetadata(
                authorization_endpoint="https://zoom.us/oauth/authorize",
                token_endpoint="https://zoom.us/oauth/token",
                userinfo_endpoint="https://api.zoom.us/v2/users/me",
                revocation_endpoint="https://zoom.us/oauth/revoke",
            ),
            issuer="https://zoom.us",
            user=UserShape(
                subject=("id",),
                email_verified=("verified",),
                name=("display_name", "first_name last_name"),
                picture=("pic_url",),
            ),
            quirks=frozenset({Quirk.ERROR_REASON, Quirk.NUMBER_BOOLEANS}),
            notes=("Scopes are set on the app.", "Refresh tokens rotate."),
            unverified=("the shape of errors",),
        )
    ),
    Entry(
        provider=Provider(
            id="stripe",
            name="Stripe Connect",
            server=ServerMetadata(
                authorization_endpoint="https://connect.stripe.com/oauth/authorize",
                token_endpoint="https://connect.stripe.com/oauth/token",
                userinfo_endpoint="https://api.stripe.com/v1/account",
            ),
            issuer="https://connect.stripe.com",
            scope=("read_only",),
            auth_method="client_secret_post",
            pkce="never",
            user=UserShape(
                subject=("id",),
                email_proof="never",
                name=("business_profile.name", "settings.dashboard.display_name"),
                picture=(),
            ),
            quirks=frozenset({Quirk.API_KEY_SECRET}),
            notes=(
                "`client_secret` is the platform's secret key, `sk_...`.",
                "The identity is a Stripe account; its id is `stripe_user_id` in `tokens.extra`.",
                "Tokens do not expire.",
            ),
            unverified=("revocation, which is not used",),
        )
    ),
    Entry(
        provider=Provider(
            id="hubspot",
            name="HubSpot",
            server=ServerMetadata(
                authorization_endpoint="https://app.hubspot.com/oauth/authorize",
                token_endpoint="https://api.hubapi.com/oauth/2026-03/token",
                userinfo_endpoint="https://api.hubapi.com/oauth/2026-03/token/introspect",
                revocation_endpoint="https://api.hubapi.com/oauth/2026-03/token/revoke",
            ),
            issuer="https://app.hubspot.com",
            scope=("oauth",),
            auth_method="client_secret_post",
            user=UserShape(
                method="POST",
                token_in_form=True,
                subject=("user_id",),
                email=("user",),
                email_proof="never",
                name=(),
                picture=(),
            ),
            quirks=frozenset({Quirk.USERINFO_POST}),
            notes=(
                "`hub_id` in `raw` names the account that the app is installed in.",
                "Access tokens last thirty minutes.",
            ),
            unverified=("the member names of the introspection answer",),
        )
    ),
    Entry(
        provider=Provider(
            id="bitbucket",
            name="Bitbucket Cloud",
            server=ServerMetadata(
                authorization_endpoint="https://bitbucket.org/site/oauth2/authorize",
                token_endpoint="https://bitbucket.org/site/oauth2/access_token",
                userinfo_endpoint="https://api.bitbucket.org/2.0/user",
            ),
            issuer="https://bitbucket.org",
            scope=("account", "email"),
            pkce="never",
            user=UserShape(
                subject=("uuid",),
                email=(),
                email_proof="never",
                name=("display_name", "username"),
                picture=("links.avatar.href",),
            ),
            emails=EmailList(
                url="https://api.bitbucket.org/2.0/user/emails",
                within="values",
                primary="is_primary",
                verified="is_confirmed",
            ),
            quirks=frozenset({Quirk.SCOPES_MEMBER, Quirk.EMAIL_LIST}),
            notes=(
                "Scopes and redirect URI are those of the consumer's settings.",
                "The subject is the UUID, never the user name.",
            ),
            unverified=("that tokens last two hours", "`scopes` in the plural"),
        )
    ),
)
