"""Finding a provider by its id, and filling in what differs from program to program.

Layer: providers.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from dataclasses import fields, replace
from difflib import get_close_matches
from functools import cache
from typing import Literal, cast

from codegrant.errors import ConfigurationError, UsageError
from codegrant.jose import PrivateKey
from codegrant.messages.metadata import ServerMetadata
from codegrant.providers.entry import Entry
from codegrant.providers.model import EmailList, Provider, SignedSecret, TenantRule
from codegrant.secret import Secret

__all__ = ["IDS", "find_entry", "provider"]

IDS = (
    "google", "github", "microsoft", "facebook", "apple", "gitlab", "slack", "discord",
    "linkedin", "x", "spotify", "twitch", "okta", "auth0", "keycloak", "cognito", "salesforce",
    "dropbox", "notion", "atlassian", "zoom", "yahoo", "amazon", "stripe", "hubspot", "reddit",
    "strava", "bitbucket", "mastodon", "bluesky",
)  # fmt: skip
"""Every id of the catalogue, the most used first."""

_SEVERAL_TENANTS = frozenset({"common", "organizations", "consumers"})
_PERSONAL = "9188040d-6c67-4c5b-b112-36a304b66dad"  # the tenant of all personal accounts
_ENTRA_TEMPLATE = "https://login.microsoftonline.com/{tenantid}/v2.0"
_APPLE = "https://appleid.apple.com"

_VARIABLE = re.compile(r"\{([a-z_]+)\}")
_GUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
# What may stand in an address at these places, and nothing that could change its meaning.
_HOST = r"(?=.{1,253}\Z)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?"
_FORMS: Mapping[str, tuple[str, str]] = {
    "authorization_server": (r"[A-Za-z0-9_-]{0,64}", "a server's id, `default` say"),
    "base_url": (
        rf"https://{_HOST}(:[1-9][0-9]{{0,4}})?(/(?!\.{{1,2}}(/|\Z))[A-Za-z0-9._~-]+)*",
        "https://HOST, without a slash at the end",
    ),
    "domain": (_HOST, "a host name"),
    "instance": (_HOST, "a host name"),
    "key_id": (r"[A-Za-z0-9]{1,64}", "letters and digits"),
    "realm": (r"[A-Za-z0-9._~-]{1,128}", "a realm's name"),
    "region": (r"[a-z0-9-]{1,32}", "a region, `eu-west-1` say"),
    "team_id": (r"[A-Za-z0-9]{1,64}", "letters and digits"),
    "tenant": (
        rf"common|organizations|consumers|{_GUID.pattern}",
        "the directory's id (a GUID), or common, organizations or consumers",
    ),
    "user_agent": (r"[!-~][ -~]{1,200}", "`platform:app:version (by /u/name)`"),
    "user_pool": (r"[A-Za-z0-9_-]{1,64}", "a user pool's id"),
    "version": (r"v[0-9]{1,3}\.[0-9]{1,2}", "a version, `v24.0` say"),
}


def provider(
    id: str,  # noqa: A002 - what it is called everywhere
    *,
    tenant: str = "",
    allowed_tenants: Collection[str] | Literal["any"] = (),
    domain: str = "",
    authorization_server: str = "",
    base_url: str = "",
    realm: str = "",
    region: str = "",
    user_pool: str = "",
    instance: str = "",
    version: str = "",
    user_agent: str = "",
    team_id: str = "",
    key_id: str = "",
    private_key: str | Secret = "",
) -> Provider:
    """Return a provider of the catalogue, for `Client` in the place of an issuer.

    Args:
        id: e.g. `google`, `github`, `microsoft`; all are listed in the documentation.
        tenant: Microsoft: the directory's id, or `common`, `organizations`, `consumers`.
        allowed_tenants: Microsoft, with `common` or `organizations`: ids of the directories
            whose people may log in, or `any`.
        domain: Okta, Auth0: the organization's host.
        authorization_server: Okta: the id of a custom authorization server.
        base_url: GitHub Enterprise, GitLab, Keycloak, Salesforce, Bluesky: `https://HOST`.
        realm: Keycloak.
        region: Cognito.
        user_pool: Cognito: the pool's id.
        instance: Mastodon: the instance's host.
        version: Facebook: of the Graph API.
        user_agent: Reddit: names the app and its author.
        team_id: Apple.
        key_id: Apple: of the key for Sign in with Apple.
        private_key: Apple: that key, PEM as it was downloaded.

    Raises:
        ConfigurationError: there is no such provider, or a value is missing, of no use to it, or
            malformed.
    """
    entry = find_entry(id)
    given = {
        "tenant": tenant, "domain": domain, "authorization_server": authorization_server,
        "base_url": base_url, "realm": realm, "region": region, "user_pool": user_pool,
        "instance": instance, "version": version, "user_agent": user_agent, "team_id": team_id,
        "key_id": key_id,
    }  # fmt: skip
    values = _values(entry, given, has_key=bool(private_key))
    if allowed_tenants and id != "microsoft":
        raise ConfigurationError(f"allowed_tenants: {entry.provider.name} has none")
    found = replace(_fill(entry.provider, values), variables=values)
    if id == "microsoft":
        return replace(found, tenants=_tenant_rule(values["tenant"].lower(), allowed_tenants))
    if id == "apple":
        return replace(found, signed_secret=_signed_secret(team_id, key_id, private_key))
    return found


def find_entry(id: str) -> Entry:  # noqa: A002
    """Return a row of the catalogue.

    Raises:
        ConfigurationError: there is none; the message names those that are spelled like it.
    """
    entry = _entries().get(id)
    if entry is not None:
        return entry
    near = _near(id)
    raise ConfigurationError(
        f"server: {id[:60]!r} is no provider that Codegrant knows"
        + (f"; did you mean {' or '.join(map(repr, near))}?" if near else ""),
        code="unknown_provider",
        hint="any other OpenID provider is named by its issuer, https://..., and a server "
        "without discovery is described by ServerMetadata(...)",
    )


@cache
def _entries() -> Mapping[str, Entry]:
    from codegrant.providers.oauth_people import PEOPLE
    from codegrant.providers.oauth_work import WORK
    from codegrant.providers.openid import OPENID

    return {entry.provider.id: entry for entry in (*OPENID, *PEOPLE, *WORK)}


def _near(text: str) -> list[str]:
    """Return the ids that somebody who wrote `text` may have meant."""
    words = {known: known for known in IDS}
    for known, entry in _entries().items():
        for word in re.findall(r"[a-z0-9]+", entry.provider.name.lower()):
            words.setdefault(word, known)
    wanted = text.strip().lower()
    close = get_close_matches(wanted, words, n=3, cutoff=0.7)
    parts = [word for word in re.findall(r"[a-z0-9]+", wanted) if word in words]
    return list(dict.fromkeys(words[word] for word in [*parts, *close]))[:3]


def _values(entry: Entry, given: Mapping[str, str], *, has_key: bool) -> dict[str, str]:
    """Return the values of an entry's variables, checked."""
    name = entry.provider.name
    known = {*entry.needs, *entry.defaults}
    present = {variable for variable, value in given.items() if value}
    if has_key:
        present.add("private_key")
    for variable in sorted(present - known):
        raise ConfigurationError(f"{variable}: {name} has none")
    missing = [variable for variable in entry.needs if variable not in present]
    if missing:
        example = ", ".join(f"{variable}=..." for variable in missing)
        raise ConfigurationError(
            f"{' and '.join(missing)}: {name} needs {'it' if len(missing) == 1 else 'them'}",
            code="provider_incomplete",
            hint=f"give provider({entry.provider.id!r}, {example}) in the place of the id",
        )
    values = {**entry.defaults, **{name: text for name, text in given.items() if text}}
    for variable, text in values.items():
        pattern, expected = _FORMS[variable]
        if not re.fullmatch(pattern, text, re.IGNORECASE if variable == "tenant" else 0):
            raise ConfigurationError(f"{variable}: {text[:80]!r} is not {expected}")
    return values | _derived(entry.provider.id, values)


def _derived(id: str, values: Mapping[str, str]) -> dict[str, str]:  # noqa: A002
    """Return what follows from the values of some providers."""
    if id == "github":
        base = values["base_url"]
        is_public = base == "https://github.com"
        return {"api": "https://api.github.com" if is_public else f"{base}/api/v3"}
    if id == "okta":
        server = values["authorization_server"]
        issuer = f"https://{values['domain']}"
        return {"issuer": f"{issuer}/oauth2/{server}" if server else issuer}
    if id == "microsoft":
        return {"tenant": values["tenant"].lower()}
    return {}


def _tenant_rule(tenant: str, allowed: Collection[str] | Literal["any"]) -> TenantRule | None:
    """Return which tenants may log in; None where the issuer is one tenant's own."""
    if tenant not in _SEVERAL_TENANTS or tenant == "consumers":
        if allowed:
            raise ConfigurationError(f"allowed_tenants: {tenant} is one tenant by itself")
        if tenant == "consumers":
            return TenantRule(template=_ENTRA_TEMPLATE, allowed=frozenset({_PERSONAL}))
        return None
    refused = frozenset({_PERSONAL}) if tenant == "organizations" else frozenset[str]()
    if allowed == "any":
        return TenantRule(template=_ENTRA_TEMPLATE, refused=refused)
    if isinstance(allowed, str):
        raise ConfigurationError("allowed_tenants: a list of ids is expected, or 'any'")
    for one in allowed:
        if not _GUID.fullmatch(one):
            raise ConfigurationError(f"allowed_tenants: {one[:80]!r} is no tenant's id (a GUID)")
    if not allowed:
        raise ConfigurationError(
            f"allowed_tenants: {tenant} lets every tenant of the world log people in, unless you "
            "list those that may",
            code="provider_incomplete",
            hint="list the ids of your customers' directories, or say allowed_tenants='any'",
        )
    ids = frozenset(one.lower() for one in allowed)
    return TenantRule(template=_ENTRA_TEMPLATE, allowed=ids, refused=refused)


def _signed_secret(team_id: str, key_id: str, private_key: str | Secret) -> SignedSecret:
    """Return what Apple's client secrets are made from."""
    pem = private_key.reveal() if isinstance(private_key, Secret) else private_key
    try:
        key = PrivateKey.from_pem(pem.encode(), "ES256", key_id)
    except UsageError as error:
        raise ConfigurationError(
            f"private_key: {error.message.removeprefix('key: ')}",
            hint="give the text of the .p8 file that Apple let you download once",
        ) from None
    return SignedSecret(issuer=team_id, audience=_APPLE, key=key)


def _fill(template: Provider, values: Mapping[str, str]) -> Provider:
    """Return a provider with the values in their places."""

    def put(text: str) -> str:
        return _VARIABLE.sub(lambda found: values.get(found[1], found[0]), text)

    server = template.server
    emails = template.emails
    return replace(
        template,
        server=put(server) if isinstance(server, str) else _fill_metadata(server, values),
        issuer=put(template.issuer),
        user_agent=put(template.user_agent),
        emails=emails
        and EmailList(
            url=put(emails.url),
            within=emails.within,
            primary=emails.primary,
            verified=emails.verified,
        ),
    )


def _fill_metadata(metadata: ServerMetadata, values: Mapping[str, str]) -> ServerMetadata:
    """Return metadata with the values in their places."""
    filled: dict[str, str] = {}
    for each in fields(metadata):
        text = cast("object", getattr(metadata, each.name))
        if isinstance(text, str) and "{" in text:
            filled[each.name] = _VARIABLE.sub(lambda found: values.get(found[1], found[0]), text)
    return replace(metadata, **filled)  # type: ignore[arg-type]  # texts stay texts
