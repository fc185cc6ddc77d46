"""`Persona`: answers at a provider's addresses as that provider does. Layer: testing."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from hashlib import sha256
from secrets import token_urlsafe
from typing import TYPE_CHECKING, NamedTuple, cast
from urllib.parse import parse_qsl, urlsplit

from codegrant.http import Headers, Request, Response
from codegrant.jose import PrivateKey, base64url, sign_jwt
from codegrant.messages.json import JsonValue, build_json
from codegrant.messages.parameters import build_query
from codegrant.remote.transport import machine_time
from codegrant.rules.uri import origin_of
from codegrant.testing.personas.answers import refusal, token_answer
from codegrant.testing.personas.binding import ProofJudge
from codegrant.testing.personas.facts import Facts, Person
from codegrant.testing.personas.judging import Refusal, judge_authorization, judge_client
from codegrant.testing.personas.metadata import SEVERAL, openid_metadata, plain_metadata
from codegrant.testing.personas.signed_secret import is_signed_secret
from codegrant.testing.personas.table import find_facts, find_variables

if TYPE_CHECKING:
    from codegrant.testing.wire import Wire

__all__ = ["Persona"]

_ADDRESS = re.compile(r"\{([a-z_]+)\}")


class _Grant(NamedTuple):
    """What somebody has agreed to."""

    person: Person
    scope: tuple[str, ...]
    nonce: str | None
    challenge: str | None
    offline: bool
    is_first: bool
    jkt: str = ""


class Persona:
    """One provider, with one client that is registered there.

    Args:
        facts: the provider's id, or facts that were changed for a test.
        client_id: as registered.
        client_secret: as registered; at Apple the private key in PEM; empty for a public client.
        redirect_uri: as registered.
        person: who is at the browser.
        variables: of the addresses: those that `provider` was given.
        clock: returns epoch seconds.

    Attributes:
        facts: how the provider behaves.
        person: who is at the browser; another one may take their place.
        denies: whether that person says no.
        unticked: scopes that they do not agree to.
        requests: all that were answered.

    Raises:
        UsageError: there is no such persona.
    """

    def __init__(
        self,
        facts: str | Facts,
        *,
        client_id: str,
        client_secret: str,
        redirect_uri: str,
        person: Person | None = None,
        variables: Mapping[str, str] | None = None,
        clock: Callable[[], float] = machine_time,
    ) -> None:
        self.facts: Facts = find_facts(facts) if isinstance(facts, str) else facts
        self.person: Person = person or Person()
        self.denies: bool = False
        self.unticked: frozenset[str] = frozenset()
        self.requests: list[Request] = []
        self._client = (client_id, client_secret)
        self._redirect_uri = redirect_uri
        self._clock = clock
        self._variables = find_variables(self.facts.id, dict(variables or {}))
        self._key = PrivateKey.generate("ES256")
        self._proofs = ProofJudge(clock)
        self._pushed: dict[str, tuple[dict[str, str], str]] = {}
        self._codes: dict[str, _Grant] = {}
        self._refresh_tokens: dict[str, _Grant] = {}
        self._access_tokens: dict[str, _Grant] = {}
        self._consented: set[str] = set()

    @property
    def origins(self) -> tuple[str, ...]:
        """Where it answers."""
        facts = self.facts
        addresses = (facts.issuer, facts.authorize, facts.token, facts.userinfo, facts.emails)
        filled = (self.address(address) for address in addresses if address)
        return tuple(dict.fromkeys(origin_of(address) for address in filled))

    @property
    def issuer(self) -> str:
        """Of its ID tokens; empty without OpenID."""
        tenant = self._variables.get("tenant", "")
        if tenant in SEVERAL:
            return self.address(self.facts.issuer).replace(tenant, self.person.tenant)
        return self.address(self.facts.issuer)

    def serve(self, wire: Wire) -> None:
        """Answer on `wire`, at every origin of this provider."""
        for origin in self.origins:
            wire.serve(origin, self.respond)

    def address(self, template: str) -> str:
        """Return an address of `facts` with the variables filled in."""
        return _ADDRESS.sub(lambda found: self._variables.get(found[1], found[0]), template)

    def end_codes(self) -> None:
        """Make every code invalid, as when its time is over."""
        self._codes.clear()

    def forget_nonces(self) -> None:
        """Leave the nonce out of the ID tokens of logins that are under way."""
        self._codes = {code: one._replace(nonce=None) for code, one in self._codes.items()}

    def move_grants(self) -> None:
        """Give what was agreed to so far to whoever is at the browser now: a mix-up."""
        moved = {t: one._replace(person=self.person) for t, one in self._refresh_tokens.items()}
        self._refresh_tokens = moved

    def change_secret(self) -> None:
        """Register another secret for the client, as after a rotation that it has missed."""
        pem = PrivateKey.generate("ES256").to_pem().decode()
        self._client = self._client[0], pem if self.facts.signed_secret else token_urlsafe(24)

    def change_nonces(self) -> None:
        """Want another nonce in every proof, as a provider does each few minutes."""
        self._proofs.change_nonces()

    def end_access_tokens(self) -> None:
        """Make every access token invalid, as when its time is over."""
        self._access_tokens.clear()

    def end_refresh_tokens(self) -> None:
        """Make every refresh token invalid, as when the person withdraws what they agreed to."""
        self._refresh_tokens.clear()

    # What the browser does.

    def authorize(self, url: str) -> str:
        """Return the address that the browser comes back to, with its answer in the query.

        What a provider posts as a form stands in the query too; `authorize_form` has it apart.

        Args:
            url: of the authorization request.
        """
        return f"{self._redirect_uri}?{build_query(self._authorize(url))}"

    def authorize_form(self, url: str) -> tuple[str, bytes]:
        """Return where the browser posts the answer to an authorization request, and the form."""
        return self._redirect_uri, build_query(self._authorize(url)).encode()

    def _authorize(self, url: str) -> list[tuple[str, str]]:
        facts, asked = self.facts, dict(parse_qsl(urlsplit(url).query))
        try:
            self._check_address(url)
            jkt = ""
            if facts.pushed:
                asked, jkt = self._find_pushed(asked)
            grant = self._judge(asked)._replace(jkt=jkt)
        except Refusal as refused:
            answer = [("error", refused.error), ("error_description", refused.description)]
        else:
            code = token_urlsafe(24)
            self._codes[code] = grant
            answer = [("code", code)]
            if facts.scope_answer == "callback":
                answer.append(("scope", facts.separator.join(grant.scope)))
            if facts.form_post and grant.is_first and "name" in grant.scope:
                answer.append(("user", self._user_field(grant.person)))
        if facts.iss:
            plain = self.address(facts.plain_issuer or facts.authorize.removesuffix("/authorize"))
            server = self.issuer or plain
            answer.append(("iss", server))
        return [*answer, ("state", asked.get("state", ""))]

    def _check_address(self, url: str) -> None:
        """Check an authorization URL as a whole."""
        if url.partition("?")[0] != self.address(self.facts.authorize):
            raise Refusal("invalid_request", "this is not the authorization endpoint")
        if self.facts.spaces and "+" in url:
            raise Refusal("invalid_scope", "a plus sign is no space here")

    def _find_pushed(self, asked: Mapping[str, str]) -> tuple[dict[str, str], str]:
        """Return the request that a name stands for, and the key that it was bound to."""
        name = asked.get("request_uri", "")
        if set(asked) != {"client_id", "request_uri"} or name not in self._pushed:
            raise Refusal("invalid_request", "request_uri: one that was pushed is expected")
        return self._pushed.pop(name)

    def _judge(self, asked: Mapping[str, str]) -> _Grant:
        """Return what the person agrees to, if the request is one that the provider takes."""
        client_id, redirect_uri = self._client[0], self._redirect_uri
        scope = judge_authorization(
            self.facts, asked, client_id=client_id, redirect_uri=redirect_uri
        )
        scope = tuple(one for one in scope if one not in self.unticked)
        if self.denies:
            raise Refusal("access_denied", "the person said no")
        subject = self.person.subject
        is_first = subject not in self._consented
        self._consented.add(subject)
        asks = is_first or asked.get("prompt") == "consent"
        offline = self._is_offline(asked, scope) and (asks or not self.facts.once)
        return _Grant(
            self.person, scope, asked.get("nonce"), asked.get("code_challenge"), offline, is_first
        )

    def _is_offline(self, asked: Mapping[str, str], scope: tuple[str, ...]) -> bool:
        """Return whether a refresh token was asked for as the provider wants it."""
        name, _, value = self.facts.offline.partition("=")
        if name == "scope":
            return value in scope
        return name == "always" or (bool(value) and asked.get(name) == value)

    @staticmethod
    def _user_field(person: Person) -> str:
        first, last = person.names
        told = {"name": {"firstName": first, "lastName": last}, "email": person.email}
        return build_json(told).decode()

    # What the client asks.

    def respond(self, request: Request) -> Response:
        """Return the answer to a request, whose query may stand in its URL or beside it."""
        self.requests.append(request)
        url, _, query = request.url.partition("?")
        request = replace(request, url=url, query=request.query or query)
        answer = self._answer_or_refuse(request)
        return self._proofs.announce(request, answer) if self.facts.dpop else answer

    def _answer_or_refuse(self, request: Request) -> Response:
        try:
            return self._answer(request)
        except Refusal as refused:
            code = self.facts.codes.get(refused.error, refused.error)
            if refused.error == "invalid_refresh":
                code = self.facts.codes.get("invalid_refresh", "invalid_grant")
            words = self.facts.words.get(refused.error, refused.description)
            answer = refusal(self.facts.errors, code, words, refused.status)
            is_of_api = refused.status == 401 and refused.error != "invalid_client"
            if not is_of_api or self.facts.bare_401:
                return answer
            challenge = ("www-authenticate", f'{self._scheme} error="{refused.error}"')
            return replace(answer, headers=Headers([*answer.headers.pairs(), challenge]))

    def _answer(self, request: Request) -> Response:
        facts, url = self.facts, request.url
        if not request.headers.get("user-agent").startswith(facts.user_agent):
            raise Refusal("too_many_requests", "this User-Agent is throttled", 429)
        if facts.issuer and url == f"{self._issuer_address()}/.well-known/openid-configuration":
            return _json(openid_metadata(facts, self.address, self._variables))
        if facts.issuer and url == f"{self._issuer_address()}/keys":
            return _json({"keys": [cast("JsonValue", self._key.public.to_jwk())]})
        plain = self.address(facts.plain_issuer)
        if plain and url == f"{plain}/.well-known/oauth-authorization-server":
            return _json(plain_metadata(facts, self.address))
        if facts.pushed and url == self.address(facts.pushed) and request.method == "POST":
            return self._push(request)
        if url == self.address(facts.token) and request.method == "POST":
            return self._token(request)
        if url == self.address(facts.userinfo) and request.method == facts.userinfo_method:
            return self._userinfo(request)
        if facts.emails and url == self.address(facts.emails) and request.method == "GET":
            return _json(facts.email_list(self._bearer(request).person))
        if facts.revoke and url == self.address(facts.revoke) and request.method == "POST":
            token = self._authenticate(request).get("token", "")
            self._refresh_tokens.pop(token, None)
            self._access_tokens.pop(token, None)
            return Response(status=200)
        return Response(
            status=404, headers=Headers([("content-type", "text/html")]), body=b"<h1>Not Found</h1>"
        )

    def _push(self, request: Request) -> Response:
        """Keep a request for the browser to name. RFC 9126 §2."""
        form, jkt = self._authenticate(request), self._proofs.judge(request)
        client_id, redirect_uri = self._client[0], self._redirect_uri
        judge_authorization(self.facts, form, client_id=client_id, redirect_uri=redirect_uri)
        if form.get("dpop_jkt", jkt) != jkt:
            raise Refusal("invalid_dpop_proof", "dpop_jkt: it is of another key")
        name = f"urn:ietf:params:oauth:request_uri:{token_urlsafe(24)}"
        self._pushed[name] = form, jkt
        return replace(_json({"request_uri": name, "expires_in": 299}), status=201)

    def _token(self, request: Request) -> Response:
        form = self._authenticate(request)
        facts = self.facts
        jkt = self._proofs.judge(request) if facts.dpop else ""
        if form.get("grant_type") == "refresh_token":
            token = form.get("refresh_token", "")
            grant = self._refresh_tokens.get(token)
            if grant is None or grant.jkt != jkt:
                raise Refusal("invalid_refresh", "no such refresh token")
            if facts.rotates:
                del self._refresh_tokens[token]
            issued = self._issue(grant._replace(nonce=None, is_first=False), keeps=facts.rotates)
        else:
            grant = self._redeem(form)
            if grant.jkt != jkt:
                raise Refusal("invalid_grant", "the code is bound to another key")
            issued = self._issue(grant, keeps=True, code=True)
        asked = "application/json" in request.headers.get("accept")
        as_form = facts.form == "always" or (facts.form == "unless_asked" and not asked)
        return token_answer(issued, as_form=as_form)

    def _redeem(self, form: Mapping[str, str]) -> _Grant:
        """Return the grant of a code, which is spent."""
        grant = self._codes.pop(form.get("code", ""), None)
        if form.get("grant_type") != "authorization_code" or grant is None:
            raise Refusal("invalid_grant", "no such code")
        if form.get("redirect_uri") != self._redirect_uri:
            raise Refusal("invalid_grant", "another redirect URI")
        verifier = form.get("code_verifier")
        if (verifier is None) != (grant.challenge is None):
            raise Refusal("invalid_grant", "code_verifier and code_challenge go together")
        if verifier is not None:
            digest = base64url.encode(sha256(verifier.encode()).digest())
            if digest != grant.challenge:
                raise Refusal("invalid_grant", "another code verifier")
        return grant

    def _issue(self, grant: _Grant, *, keeps: bool, code: bool = False) -> dict[str, JsonValue]:
        """Return the token answer for a grant."""
        facts = self.facts
        access_token = token_urlsafe(24)
        self._access_tokens[access_token] = grant
        answer: dict[str, JsonValue] = {"access_token": access_token}
        if facts.token_type:
            answer["token_type"] = facts.token_type
        if facts.lifetime is not None:
            answer[facts.lifetime_name] = facts.lifetime
        match facts.scope_answer:
            case "spaces":
                answer["scope"] = " ".join(grant.scope)
            case "commas":
                answer["scope"] = ",".join(grant.scope)
            case "plural":
                answer["scopes"] = " ".join(grant.scope)
            case "array":
                answer["scope"] = list(grant.scope)
            case "absent" | "callback":
                pass
        if grant.offline and keeps:
            refresh_token = token_urlsafe(24)
            self._refresh_tokens[refresh_token] = grant
            answer["refresh_token"] = refresh_token
        if facts.issuer and ("openid" in grant.scope or facts.id_token_unasked):
            answer["id_token"] = self._id_token(grant)
        return answer | (facts.in_token(grant.person) if code or facts.tells_again else {})

    def _id_token(self, grant: _Grant) -> str:
        now, facts = int(self._clock()), self.facts
        claims: dict[str, JsonValue] = {
            "iss": facts.second_issuer or self.issuer,
            "sub": facts.subject(grant.person),
            "aud": self._client[0],
            "iat": now,
            "exp": now + 3600,
            **facts.claims(grant.person),
        }
        if grant.nonce and facts.nonce:
            claims["nonce"] = grant.nonce
        return sign_jwt(self._key, claims, typ="JWT")

    def _userinfo(self, request: Request) -> Response:
        facts = self.facts
        if facts.userinfo_query and request.query != facts.userinfo_query:
            raise Refusal("invalid_request", f"{facts.userinfo_query} is expected")
        if facts.userinfo_form:
            grant = self._access_tokens.get(self._authenticate(request).get("token", ""))
            if grant is None:
                return _json({"active": False})
        else:
            grant = self._bearer(request)
        told = facts.user(grant.person)
        if isinstance(told, dict) and facts.issuer and "sub" in told:
            told["sub"] = facts.subject(grant.person)
        return _json(told)

    def _bearer(self, request: Request) -> _Grant:
        """Return whose access token came with a request of an API."""
        for name, expected in self.facts.headers:
            found = request.headers.get(name)
            if not found or found != (expected.replace("{client_id}", self._client[0]) or found):
                raise Refusal("invalid_request", f"{name}: the header is missing", 400)
        if request.method == "POST" and request.body:
            raise Refusal("invalid_request", "no body is expected")
        scheme, _, token = request.headers.get("authorization").partition(" ")
        grant = self._access_tokens.get(token)
        if scheme != self._scheme or grant is None:
            raise Refusal("invalid_token", "the access token is not valid", 401)
        if self.facts.dpop and self._proofs.judge(request, token) != grant.jkt:
            raise Refusal("invalid_token", "the access token is bound to another key", 401)
        return grant

    def _authenticate(self, request: Request) -> dict[str, str]:
        """Return the form of a client that authenticates as the provider wants it."""
        return judge_client(self.facts, request, self._client, self._is_signed)

    def _is_signed(self, sent: str) -> bool:
        return is_signed_secret(
            sent,
            PrivateKey.from_pem(self._client[1].encode(), "ES256", self._variables["key_id"]),
            team_id=self._variables["team_id"],
            client_id=self._client[0],
            audience=self.facts.signed_secret,
            now=int(self._clock()),
        )

    @property
    def _scheme(self) -> str:
        return "DPoP" if self.facts.dpop else "Bearer"

    def _issuer_address(self) -> str:
        return self.address(self.facts.issuer).removesuffix("/")


def _json(value: JsonValue) -> Response:
    headers = Headers([("content-type", "application/json"), ("cache-control", "no-store")])
    return Response(status=200, headers=headers, body=build_json(value))
