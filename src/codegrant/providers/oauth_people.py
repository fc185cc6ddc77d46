"""Providers with plain OAuth 2 that people have accounts at of their own. Layer: providers."""

from __future__ import annotations

from codegrant.messages.metadata import ServerMetadata
from codegrant.providers.entry import Entry
from codegrant.providers.model import EmailList, Provider, Quirk, UserShape

__all__ = ["PEOPLE"]

PEOPLE = (
    Entry(
        provider=Provider(
            id="github",
            name="GitHub",
            server=ServerMetadata(
                issuer="{base_url}/login/oauth",
                authorization_endpoint="{base_url}/login/oauth/authorize",
                token_endpoint="{base_url}/login/oauth/access_token",
                userinfo_endpoint="{api}/user",
            ),
            issuer="{base_url}/login/oauth",
            scope=("read:user", "user:email"),
            auth_method="client_secret_post",
            user=UserShape(
                subject=("id",),
                email_proof="never",
                name=("name", "login"),
                picture=("avatar_url",),
            ),
            emails=EmailList(url="{api}/user/emails"),
            error_codes={
                "bad_verification_code": "invalid_grant",
                "bad_refresh_token": "invalid_grant",
                "incorrect_client_credentials": "invalid_client",
            },
            quirks=frozenset({Quirk.ERROR_WITH_200, Quirk.SCOPE_COMMAS, Quirk.EMAIL_LIST}),
            unverified=("`bad_refresh_token`, the error of a refresh token that is gone",),
            notes=(
                "The subject is the number, never the login, which can be changed and reused.",
                (
                    "The public address of a profile proves nothing; the primary, verified one of "
                    "`/user/emails` does."
                ),
                "Only GitHub Apps with expiring tokens get refresh tokens.",
                "GitHub Enterprise Server is named by `base_url`.",
            ),
        ),
        defaults={"base_url": "https://github.com"},
    ),
    Entry(
        provider=Provider(
            id="facebook",
            name="Facebook Login",
            server=ServerMetadata(
                authorization_endpoint="https://www.facebook.com/{version}/dialog/oauth",
                token_endpoint="https://graph.facebook.com/{version}/oauth/access_token",
                userinfo_endpoint=(
                    "https://graph.facebook.com/{version}/me?fields=id,name,email,picture"
                ),
            ),
            issuer="https://www.facebook.com",
            scope=("email", "public_profile"),
            scope_separator=",",
            auth_method="client_secret_post",
            pkce="never",
            user=UserShape(subject=("id",), email_proof="never", picture=("picture.data.url",)),
            error_codes={"190": "invalid_token"},
            quirks=frozenset(
                {
                    Quirk.ERROR_OBJECT,
                    Quirk.FORM_TOKEN_ANSWER,
                    Quirk.EXPIRES_MEMBER,
                    Quirk.NO_TOKEN_TYPE,
                }
            ),
            notes=(
                "The version is part of every address: `provider('facebook', version='v24.0')`.",
                "There are no refresh tokens, and the address may be absent.",
                "Old versions answer the token request with a form.",
            ),
            unverified=("190, the code of a token that is no good",),
        ),
        defaults={"version": "v24.0"},
    ),
    Entry(
        provider=Provider(
            id="discord",
            name="Discord",
            server=ServerMetadata(
                authorization_endpoint="https://discord.com/oauth2/authorize",
                token_endpoint="https://discord.com/api/oauth2/token",
                userinfo_endpoint="https://discord.com/api/users/@me",
                revocation_endpoint="https://discord.com/api/oauth2/token/revoke",
            ),
            issuer="https://discord.com",
            scope=("identify", "email"),
            user=UserShape(
                subject=("id",),
                email_verified=("verified",),
                name=("global_name", "username"),
                picture=(),
            ),
            notes=(
                "The picture is a hash, in `raw`, and no address.",
                "Access tokens last seven days; refresh tokens rotate.",
            ),
            unverified=("that tokens last seven days", "that a User-Agent is demanded"),
        )
    ),
    Entry(
        provider=Provider(
            id="x",
            name="X (Twitter)",
            server=ServerMetadata(
                authorization_endpoint="https://x.com/i/oauth2/authorize",
                token_endpoint="https://api.x.com/2/oauth2/token",
                userinfo_endpoint=(
                    "https://api.x.com/2/users/me?user.fields=profile_image_url,confirmed_email"
                ),
                revocation_endpoint="https://api.x.com/2/oauth2/revoke",
            ),
            issuer="https://x.com",
            scope=("users.read", "tweet.read"),
            offline_scope="offline.access",
            user=UserShape(
                within=("data",),
                subject=("id",),
                email=("confirmed_email",),
                email_proof="always",
                name=("name", "username"),
                picture=("profile_image_url",),
            ),
            quirks=frozenset({Quirk.WRAPPED_USER}),
            notes=(
                "The address needs the scope `users.email`.",
                "A refresh token is good once, and comes only with `offline=True`.",
            ),
            unverified=(
                "that a refresh token is good once",
                "that tokens last two hours",
            ),
        )
    ),
    Entry(
        provider=Provider(
            id="spotify",
            name="Spotify",
            server=ServerMetadata(
                authorization_endpoint="https://accounts.spotify.com/authorize",
                token_endpoint="https://accounts.spotify.com/api/token",
                userinfo_endpoint="https://api.spotify.com/v1/me",
            ),
            issuer="https://accounts.spotify.com",
            scope=("user-read-email",),
            user=UserShape(
                subject=("id",),
                email_proof="never",
                name=("display_name",),
                picture=("images.0.url",),
            ),
            notes=(
                "Redirect URIs are https, or http at a loopback address that is no name.",
                "Spotify does not verify addresses.",
            ),
            unverified=("the rule about localhost", "the quota of an app in development"),
        )
    ),
    Entry(
        provider=Provider(
            id="amazon",
            name="Login with Amazon",
            server=ServerMetadata(
                authorization_endpoint="https://www.amazon.com/ap/oa",
                token_endpoint="https://api.amazon.com/auth/o2/token",
                userinfo_endpoint="https://api.amazon.com/user/profile",
            ),
            issuer="https://www.amazon.com",
            scope=("profile",),
            auth_method="client_secret_post",
            pkce="never",
            user=UserShape(
                within=("Profile", ""),
                subject=("user_id", "CustomerId"),
                email=("email", "PrimaryEmail"),
                email_proof="never",
                name=("name", "Name"),
                picture=(),
            ),
            quirks=frozenset({Quirk.WRAPPED_USER}),
            unverified=("the regional hosts, which are not used",),
        )
    ),
    Entry(
        provider=Provider(
            id="reddit",
            name="Reddit",
            server=ServerMetadata(
                authorization_endpoint="https://www.reddit.com/api/v1/authorize",
                token_endpoint="https://www.reddit.com/api/v1/access_token",
                userinfo_endpoint="https://oauth.reddit.com/api/v1/me",
                revocation_endpoint="https://www.reddit.com/api/v1/revoke_token",
            ),
            issuer="https://www.reddit.com",
            scope=("identity",),
            pkce="never",
            offline_params=(("duration", "permanent"),),
            user_agent="{user_agent}",
            user=UserShape(subject=("id",), email=(), email_proof="never", picture=("icon_img",)),
            quirks=frozenset({Quirk.HEADERS}),
            notes=(
                (
                    "Reddit throttles every User-Agent that does not name the app and its author: "
                    "`provider('reddit', user_agent='web:my-app:1.0 (by /u/me)')`."
                ),
                "There is no e-mail address.",
                "A refresh token comes only with `offline=True`.",
            ),
            unverified=("the revocation endpoint",),
        ),
        needs=("user_agent",),
    ),
    Entry(
        provider=Provider(
            id="strava",
            name="Strava",
            server=ServerMetadata(
                authorization_endpoint="https://www.strava.com/oauth/authorize",
                token_endpoint="https://www.strava.com/oauth/token",
                userinfo_endpoint="https://www.strava.com/api/v3/athlete",
            ),
            issuer="https://www.strava.com",
            scope=("read",),
            scope_separator=",",
            auth_method="client_secret_post",
            pkce="never",
            authorize_params=(("approval_prompt", "auto"),),
            user=UserShape(
                in_tokens="athlete",
                subject=("id",),
                email=(),
                email_proof="never",
                name=("firstname lastname", "username"),
                picture=("profile",),
            ),
            quirks=frozenset({Quirk.SCOPE_IN_CALLBACK, Quirk.NESTED_USER}),
            notes=(
                "A person can untick scopes: look at `tokens.missing_scope`.",
                "There is no e-mail address.",
                "Refresh tokens rotate.",
            ),
        )
    ),
    Entry(
        provider=Provider(
            id="mastodon",
            name="Mastodon",
            server=ServerMetadata(
                authorization_endpoint="https://{instance}/oauth/authorize",
                token_endpoint="https://{instance}/oauth/token",
                userinfo_endpoint="https://{instance}/api/v1/accounts/verify_credentials",
                revocation_endpoint="https://{instance}/oauth/revoke",
            ),
            issuer="https://{instance}",
            scope=("read",),
            user=UserShape(
                subject=("id",),
                email=(),
                email_proof="never",
                name=("display_name", "username"),
                picture=("avatar",),
            ),
            quirks=frozenset({Quirk.HOST_CHOSEN}),
            notes=(
                "Each instance knows its own clients: register one with `POST /api/v1/apps`.",
                "From 4.3 on the scope `profile` is enough to log in.",
                "There is no e-mail address, and tokens do not expire.",
            ),
            unverified=("that it is version 4.3",),
        ),
        needs=("instance",),
    ),
    Entry(
        provider=Provider(
            id="bluesky",
            name="Bluesky (AT Protocol)",
            server="{base_url}",
            issuer="{base_url}",
            scope=("atproto",),
            auth_method="none",
            user=UserShape(source="tokens", email=(), email_proof="never", name=(), picture=()),
            dpop=True,
            quirks=frozenset({Quirk.HOST_CHOSEN}),
            notes=(
                "`client_id` is the https address of the client's metadata document.",
                (
                    "Requests are pushed (PAR), and tokens are bound to a key of the login (DPoP), "
                    "without a word in the program."
                ),
                (
                    "The subject is the DID in the token answer; that its PDS names this server is "
                    "for the program to look up."
                ),
            ),
        ),
        defaults={"base_url": "https://bsky.social"},
    ),
)
