"""What is known of one provider: frozen data. Layer: providers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import Enum
from typing import Literal, NamedTuple, TypeAlias

from codegrant.jose import PrivateKey
from codegrant.messages.metadata import ServerMetadata

__all__ = [
    "EmailList",
    "EmailProof",
    "Pkce",
    "Provider",
    "Quirk",
    "SignedSecret",
    "TenantRule",
    "UserShape",
    "UserSource",
]

UserSource: TypeAlias = Literal["id_token", "userinfo", "tokens"]
EmailProof: TypeAlias = Literal["told", "always", "never"]
Pkce: TypeAlias = Literal["always", "if_listed", "never"]


class Quirk(Enum):
    """One departure from the standards; its value is its description."""

    FORM_TOKEN_ANSWER = "the token answer may be form-encoded instead of JSON"
    EXPIRES_MEMBER = "the token answer may say `expires` instead of `expires_in`"
    NO_TOKEN_TYPE = "the token answer may come without `token_type`, which then means Bearer"
    SCOPE_ARRAY = "the granted scope is a JSON array"
    SCOPE_COMMAS = "the granted scope is parted by commas"
    SCOPES_MEMBER = "the granted scope comes as `scopes` instead of `scope`"
    SCOPE_IN_CALLBACK = "the granted scope comes as a parameter of the callback, parted by commas"
    OK_FALSE = "a refusal is a 200 with `ok: false` and the error beside it"
    ERROR_WITH_200 = "a refusal is a 200 with an `error`"
    ERROR_OBJECT = "`error` is an object with the code and the message in it"
    ERROR_MESSAGE = "a refusal has a `message` and no OAuth error code"
    ERROR_REASON = "the description of an error comes as `reason`"
    NO_NONCE = "the ID token repeats no nonce, so none is sent and none is looked for"
    ID_TOKEN_UNASKED = "an ID token comes without the scope `openid`"
    ISSUER_ALIAS = "the ID token may name the issuer in a second spelling"
    ISSUER_TEMPLATE = "the issuer is a template; the ID token's tenant must be allowed and fit it"
    TEXT_BOOLEANS = "`email_verified` may be the text `true`"
    NUMBER_BOOLEANS = "the mark of a verified address is the number 1"
    AUTH_METHODS_UNLISTED = "the metadata lists no way to authenticate; the catalogue knows it"
    FORM_POST = "the callback is a form that the browser posts across sites"
    NAME_ONCE = "the name comes once, in the form field `user` of the first callback"
    SIGNED_SECRET = "the client secret is a JWT that the client signs, made anew each time"
    API_KEY_SECRET = "the client secret is the API's secret key"
    PERCENT_SPACES = "spaces in the authorization URL must be `%20`, not `+`"
    WRAPPED_USER = "what userinfo says is wrapped in another object"
    NESTED_USER = "the token answer holds the user"
    USERINFO_POST = "userinfo is a POST"
    EMAIL_LIST = "verified addresses are at an address of their own"
    BARE_401 = "an API says that a token is no good by a 401 alone"
    HEADERS = "API calls need headers of this provider's own"
    HOST_CHOSEN = "the host is somebody's input: it must live at public addresses"


@dataclass(frozen=True, slots=True, kw_only=True)
class UserShape:
    """Where a provider says who somebody is.

    A path names members from the outside in, `picture.data.url`; a number is a place in a
    list; paths parted by a space give one text, `firstname lastname`. The first that is
    there counts.

    Attributes:
        source: what is asked: the ID token, and userinfo for an address that it leaves out; or
            userinfo; or the token answer alone.
        method: of the userinfo request.
        token_in_form: the userinfo request is a form with the token and the client's secret.
        within: the objects that may hold the person; empty for the answer itself.
        in_tokens: path of the person in the token answer, which saves the request.
        subject: stable and never given to another: a text or a whole number.
        email: of the e-mail address.
        email_proof: what makes it a verified one: `told` where `email_verified` says so,
            `always`, or `never` whatever the provider says.
        email_verified: of the mark.
        name: for people to read.
        picture: address of a picture.
    """

    source: UserSource = "userinfo"
    method: Literal["GET", "POST"] = "GET"
    token_in_form: bool = False
    within: tuple[str, ...] = ("",)
    in_tokens: str = ""
    subject: tuple[str, ...] = ("sub",)
    email: tuple[str, ...] = ("email",)
    email_proof: EmailProof = "told"
    email_verified: tuple[str, ...] = ("email_verified",)
    name: tuple[str, ...] = ("name",)
    picture: tuple[str, ...] = ("picture",)


class EmailList(NamedTuple):
    """Where a provider lists somebody's addresses; only the primary, verified one counts.

    Attributes:
        url: answers GET; a refusal (403, 404) means that there is none to see.
        within: path of the list; empty for the answer itself.
        primary: member of an entry that marks the primary address.
        verified: member of an entry that marks a verified address.
    """

    url: str
    within: str = ""
    primary: str = "primary"
    verified: str = "verified"


class TenantRule(NamedTuple):
    """Which tenants of a provider with one issuer for each may log people in.

    Attributes:
        template: of the issuers, as the metadata spells it, with `{tenantid}`.
        allowed: the tenants' ids in lower case; empty for every tenant.
        refused: those that are not allowed in any case.
    """

    template: str
    allowed: frozenset[str] = frozenset()
    refused: frozenset[str] = frozenset()


class SignedSecret(NamedTuple):
    """What a client secret is made from that is a JWT of the client's own.

    Attributes:
        issuer: `iss`: who signs.
        audience: `aud`.
        key: for ES256, with the name that the provider gave it.
    """

    issuer: str
    audience: str
    key: PrivateKey


@dataclass(frozen=True, slots=True, kw_only=True)
class Provider:
    """What a client must know of one provider beyond the standards.

    Made by `provider`; the program gives it to `Client` in the place of an issuer.

    Attributes:
        id: in the catalogue.
        name: for people.
        server: the issuer, for discovery; or the whole metadata.
        issuer: what `Identity.issuer` says: the issuer, or a stable name where there is none.
        scope: what to ask for unless the program says.
        scope_separator: between the scopes of a request.
        auth_method: how a client with a secret authenticates.
        pkce: whether S256 PKCE is sent; `if_listed` where the metadata has it.
        response_mode: of the authorization request; empty for the query.
        authorize_params: sent with every authorization request, unless the program sends
            something else under that name.
        offline_scope: asked for besides, by a client that wants a refresh token.
        offline_params: sent besides, by such a client.
        offline_prompt: the `prompt` that brings a refresh token back when none is stored.
        user_agent: of every request; empty for Codegrant's own.
        api_headers: of userinfo and API calls; `{client_id}` stands for it.
        user: where the person is described.
        emails: where their addresses are listed.
        issuer_alias: the second spelling of the issuer in an ID token.
        tenants: which tenants may log people in.
        signed_secret: what the client secret is made from.
        dpop: whether it binds all tokens to a key of their login, and takes no others. RFC 9449.
        error_codes: the OAuth code for what the provider says instead.
        quirks: its departures from the standards.
        variables: what its addresses were filled with, e.g. `tenant`.
        notes: what a developer should know besides.
        unverified: what was not seen in a source of this provider and may be wrong.
    """

    id: str
    name: str
    server: str | ServerMetadata
    issuer: str
    scope: tuple[str, ...] = ()
    scope_separator: str = " "
    auth_method: str = "client_secret_basic"
    pkce: Pkce = "always"
    response_mode: str = ""
    authorize_params: tuple[tuple[str, str], ...] = ()
    offline_scope: str = ""
    offline_params: tuple[tuple[str, str], ...] = ()
    offline_prompt: str = ""
    user_agent: str = ""
    api_headers: tuple[tuple[str, str], ...] = ()
    user: UserShape = UserShape()
    emails: EmailList | None = None
    issuer_alias: str = ""
    tenants: TenantRule | None = None
    signed_secret: SignedSecret | None = None
    dpop: bool = False
    error_codes: Mapping[str, str] = field(default_factory=dict[str, str], hash=False, repr=False)
    quirks: frozenset[Quirk] = frozenset()
    variables: Mapping[str, str] = field(default_factory=dict[str, str], hash=False, repr=False)
    notes: tuple[str, ...] = field(default=(), repr=False)
    unverified: tuple[str, ...] = field(default=(), repr=False)

    def has(self, quirk: Quirk) -> bool:
        """Return whether this provider departs from the standards in this way."""
        return quirk in self.quirks

    def __repr__(self) -> str:
        return f"Provider({self.id!r}, issuer={self.issuer!r})"
