"""What a persona must know of its provider, apart from what the client knows. Layer: testing."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Literal, TypeAlias

from codegrant.messages.json import JsonValue

__all__ = ["ErrorStyle", "Facts", "Person", "ScopeAnswer"]

ScopeAnswer: TypeAlias = Literal["spaces", "commas", "array", "absent", "plural", "callback"]
ErrorStyle: TypeAlias = Literal["standard", "with_200", "ok_false", "object", "message", "reason"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Person:
    """Somebody with an account at a provider.

    Attributes:
        number: of the account; the text of it where accounts have texts.
        email: the primary address.
        email_verified: whether the provider has proven it.
        name: first and last.
        picture: address of a picture.
        tenant: at Microsoft: the directory that the account is in.
    """

    number: int = 583231
    email: str = "ada@example.com"
    email_verified: bool = True
    name: str = "Ada Lovelace"
    picture: str = "https://images.example/ada.png"
    tenant: str = "72f988bf-86f1-41af-91ab-2d7cd011db47"

    @property
    def subject(self) -> str:
        """The number as text."""
        return str(self.number)

    @property
    def names(self) -> tuple[str, str]:
        """First name and last name."""
        first, _, last = self.name.partition(" ")
        return first, last


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """How one provider behaves. `{variable}` in an address is filled in for each persona.

    Attributes:
        id: in the catalogue.
        authorize, token, userinfo: addresses, without a query.
        userinfo_query: that the userinfo request must have.
        userinfo_method: of the request.
        userinfo_form: the userinfo request is a form that the client authenticates.
        revoke: address; empty for none.
        emails: address of a list of addresses; empty for none.
        more: further addresses that answer a bearer token, each with what it says.
        issuer: of the metadata and of ID tokens; empty without OpenID.
        plain_issuer: of the metadata of a server without OpenID; empty where there is none.
        pushed: where requests are pushed, as all of them then must be; empty for nowhere.
        published_issuer: what the metadata says instead.
        second_issuer: what ID tokens say in the place of `issuer`.
        unlisted: members that the metadata lacks.
        auth: how a client authenticates.
        secret: what a client secret looks like: its beginning.
        signed_secret: the secret is a JWT for this audience, signed with ES256.
        scopes: that exist.
        separator: between scopes of a request.
        pkce: whether a challenge must, may, or must not be sent.
        nonce: whether the ID token repeats it.
        id_token_unasked: it comes without the scope `openid`.
        wants: parameters that an authorization request must have.
        spaces: how a space in the authorization URL must be written.
        offline: what makes a refresh token come: `always`, `never`, `scope=NAME`, or a
            parameter with its value.
        once: a refresh token comes only with consent, and consent is asked for once.
        rotates: whether a refresh spends its token.
        lifetime: of an access token, as the answer says it; None for not at all.
        lifetime_name: of the member that says it.
        token_type: of the answer; empty for none.
        scope_answer: how the granted scope is told.
        form: the token answer is form-encoded: always, or unless JSON is asked for.
        headers: that API calls must have; an empty value means any.
        user_agent: the beginning that every User-Agent must have.
        errors: how a refusal looks.
        dpop: tokens are bound to a key, and every proof of it has a nonce.
        bare_401: a token that is no good is answered with 401 and no challenge.
        codes: what this provider says for an OAuth error code.
        words: how it describes an error, where a client has to know it by them.
        user: what userinfo says of a person.
        claims: what an ID token says of a person besides the subject.
        in_token: what the first token answer says of a person.
        tells_again: every later one says it too.
        subject: the person's id, as it must come out.
        iss: whether the callback carries the issuer.
        form_post: whether the callback is a form.
    """

    id: str
    authorize: str
    token: str
    userinfo: str = ""
    userinfo_query: str = ""
    userinfo_method: str = "GET"
    userinfo_form: bool = False
    revoke: str = ""
    emails: str = ""
    issuer: str = ""
    plain_issuer: str = ""
    pushed: str = ""
    published_issuer: str = ""
    second_issuer: str = ""
    unlisted: tuple[str, ...] = ()
    auth: Literal["basic", "post", "none"] = "basic"
    secret: str = ""
    signed_secret: str = ""
    scopes: tuple[str, ...] = ()
    separator: str = " "
    pkce: Literal["must", "may", "must_not"] = "must"
    nonce: bool = True
    id_token_unasked: bool = False
    wants: tuple[tuple[str, str], ...] = ()
    spaces: str = ""
    offline: str = "always"
    once: bool = False
    rotates: bool = True
    lifetime: JsonValue = 3600
    lifetime_name: str = "expires_in"
    token_type: str = "Bearer"
    scope_answer: ScopeAnswer = "spaces"
    form: Literal["never", "unless_asked", "always"] = "never"
    headers: tuple[tuple[str, str], ...] = ()
    user_agent: str = ""
    errors: ErrorStyle = "standard"
    dpop: bool = False
    bare_401: bool = False
    codes: Mapping[str, str] = field(default_factory=dict[str, str])
    words: Mapping[str, str] = field(default_factory=dict[str, str])
    user: Callable[[Person], JsonValue] = lambda person: {"sub": person.subject}
    claims: Callable[[Person], dict[str, JsonValue]] = lambda _: {}
    in_token: Callable[[Person], dict[str, JsonValue]] = lambda _: {}
    tells_again: bool = False
    email_list: Callable[[Person], JsonValue] = lambda _: []
    subject: Callable[[Person], str] = lambda person: person.subject
    iss: bool = False
    form_post: bool = False
