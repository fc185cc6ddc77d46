"""An authorization server with its store in dictionaries, for tests that drive its flows.

One person, two confidential clients and a public one are registered. The store answers as
`server/effects.py` demands; what a real one does under a race is tested with the real one.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from hashlib import sha256
from typing import Any
from urllib.parse import parse_qs, parse_qsl, quote, urlencode, urlsplit

from codegrant.errors import OAuthError
from codegrant.flow import Effect, Flow, RandomBytes, run
from codegrant.http import Headers, Request, Response
from codegrant.rules.pkce import challenge_of
from codegrant.sealing import KeyRing
from codegrant.secret import digest_of
from codegrant.server import effects
from codegrant.server.events import Event
from codegrant.server.interaction import Authentication, Host, Visitor
from codegrant.server.keys import FIRST_ALGORITHMS, make_key
from codegrant.server.policy import Policy
from codegrant.server.records import (
    AccessTokenRecord,
    ClientRecord,
    CodeRecord,
    GrantRecord,
    KeyRecord,
    Person,
    ResourceRecord,
    Transaction,
)
from codegrant.server.server import AuthorizationServer

ISSUER = "https://issuer.test"
NOW = 1_800_000_000
KEY_RING = KeyRing(["a key ring for tests only, 32 characters and more"])
SECRET = "the secret of client a, long enough for anybody"
VERIFIER = "a-code-verifier-of-forty-three-characters-ok"
CALLBACK = "https://a.test/cb"

CLIENTS = (
    ClientRecord(
        client_id="a",
        secret_digest=digest_of(SECRET),
        redirect_uris=(CALLBACK, "https://a.test/other?x=1"),
        scope=("openid", "profile", "email", "offline_access", "read"),
    ),
    ClientRecord(
        client_id="b",
        secret_digest=digest_of(SECRET),
        redirect_uris=("https://b.test/cb",),
        token_endpoint_auth_method="client_secret_post",
        default_scope=("profile",),
    ),
    ClientRecord(
        client_id="p",
        token_endpoint_auth_method="none",
        application_type="native",
        redirect_uris=("http://127.0.0.1/cb",),
    ),
)
ALICE = Person(
    subject="person-1",
    claims={"name": "Alice", "email": "alice@test", "email_verified": False, "nickname": ""},
)


@cache
def first_keys() -> tuple[KeyRecord, ...]:
    """Return the keys of the first start, made once: RSA takes its time."""
    return tuple(make_key(KEY_RING, alg, NOW - 100) for alg in FIRST_ALGORITHMS)


@dataclass
class MemoryStore:
    """Performs the server's effects; `asked` and `events` keep what went by."""

    clients: dict[str, ClientRecord] = field(default_factory=dict[str, ClientRecord])
    resources: dict[str, ResourceRecord] = field(default_factory=dict[str, ResourceRecord])
    keys: tuple[KeyRecord, ...] = ()
    transactions: dict[bytes, Transaction] = field(default_factory=dict[bytes, Transaction])
    ends: dict[bytes, effects.TransactionEnd] = field(
        default_factory=dict[bytes, effects.TransactionEnd]
    )
    grants: dict[str, GrantRecord] = field(default_factory=dict[str, GrantRecord])
    codes: dict[bytes, CodeRecord] = field(default_factory=dict[bytes, CodeRecord])
    consumed: set[bytes] = field(default_factory=set[bytes])
    wrong_verifiers: dict[bytes, int] = field(default_factory=dict[bytes, int])
    access_tokens: dict[bytes, AccessTokenRecord] = field(
        default_factory=dict[bytes, AccessTokenRecord]
    )
    denied: set[str] = field(default_factory=set[str])
    failures: list[tuple[str, bytes, str, int]] = field(
        default_factory=list[tuple[str, bytes, str, int]]
    )
    events: list[Event] = field(default_factory=list[Event])
    asked: list[str] = field(default_factory=list[str])
    broken: dict[str, Exception] = field(default_factory=dict[str, Exception])
    drawn: int = 0

    def perform(self, effect: Effect[Any]) -> Any:
        name = type(effect).__name__
        self.asked.append(name)
        if name in self.broken:
            raise self.broken[name]
        return getattr(self, "on" + re.sub("(?=[A-Z])", "_", name).lower())(effect)

    def on_random_bytes(self, effect: RandomBytes) -> bytes:
        self.drawn += 1
        return b"".join(sha256(f"{self.drawn}/{part}".encode()).digest() for part in range(4))[
            : effect.size
        ]

    def on_find_client(self, effect: effects.FindClient) -> ClientRecord | None:
        return self.clients.get(effect.client_id)

    def on_find_resource(self, effect: effects.FindResource) -> ResourceRecord | None:
        return self.resources.get(effect.audience)

    def on_find_resource_scopes(self, effect: effects.FindResourceScopes) -> frozenset[str]:
        listed = {token for resource in self.resources.values() for token in resource.scope}
        return frozenset(listed.intersection(effect.scope))

    def on_save_transaction(self, effect: effects.SaveTransaction) -> None:
        self.transactions[effect.transaction.digest] = effect.transaction

    def on_find_transaction(self, effect: effects.FindTransaction) -> Transaction | None:
        found = self.transactions.get(effect.digest)
        return found if found is not None and effect.now < found.expires_at else None

    def _open(self, digest: bytes | None, browser_digest: bytes | None) -> Transaction | None:
        found = self.transactions.get(digest or b"")
        return found if found is not None and found.browser_digest == browser_digest else None

    def on_bind_transaction(self, effect: effects.BindTransaction) -> bool:
        found = self._open(effect.digest, None)
        if found is not None:
            bound = replace(found, browser_digest=effect.browser_digest)
            self.transactions[effect.digest] = bound
        return found is not None

    def on_record_login(self, effect: effects.RecordLogin) -> bool:
        found = self._open(effect.digest, effect.browser_digest)
        if found is not None:
            self.transactions[effect.digest] = replace(found, login_sid=effect.sid)
        return found is not None

    def on_finish_transaction(self, effect: effects.FinishTransaction) -> bool:
        return self._end(effect.end)

    def _end(self, end: effects.TransactionEnd) -> bool:
        if self._open(end.digest, end.browser_digest) is None:
            return False
        del self.transactions[end.digest]
        self.ends[end.digest] = end
        return True

    def on_find_answer(self, effect: effects.FindAnswer) -> str | None:
        end = self.ends.get(effect.digest)
        if end is None or end.browser_digest != effect.browser_digest:
            return None
        return end.sealed_answer if effect.now < end.answer_until else None

    def on_save_code(self, effect: effects.SaveCode) -> bool:
        if effect.end is not None and not self._end(effect.end):
            return False
        self.grants[effect.grant.grant_id] = effect.grant
        self.codes[effect.code.digest] = effect.code
        return True

    def on_redeem_code(self, effect: effects.RedeemCode) -> effects.Redemption:
        code = self.codes.get(effect.digest)
        if code is None:
            return effects.CodeRefused("unknown")
        grant = self.grants[code.grant_id]
        if code.client_id != effect.client_id:
            return effects.CodeRefused("wrong_client")
        if effect.redirect_uri is None and not code.code_challenge:
            return effects.CodeRefused("missing_redirect_uri")
        if effect.redirect_uri not in {None, code.redirect_uri}:
            return effects.CodeRefused("wrong_redirect_uri")
        if effect.presented_challenge is not None and not code.code_challenge:
            return effects.CodeRefused("unexpected_verifier")
        if effect.presented_challenge is None and code.code_challenge:
            return effects.CodeRefused("missing_verifier")
        if self.wrong_verifiers.get(effect.digest, 0) >= effect.max_failures:
            return effects.CodeRefused("too_many_verifiers")
        if (effect.presented_challenge or "") != code.code_challenge:
            tries = self.wrong_verifiers.get(effect.digest, 0)
            self.wrong_verifiers[effect.digest] = tries + 1
            return effects.CodeRefused("wrong_verifier")
        if effect.now >= code.expires_at:
            return effects.CodeRefused("expired")
        if effect.resource not in {None, grant.audience}:
            return effects.CodeRefused("wrong_resource")
        if grant.revoked_at is not None:
            return effects.CodeRefused("revoked")
        if effect.digest in self.consumed:
            self.grants[grant.grant_id] = replace(grant, revoked_at=effect.now)
            return effects.CodeReplayed(grant)
        self.consumed.add(effect.digest)
        return effects.CodeRedeemed(code, grant)

    def on_find_grant(self, effect: effects.FindGrant) -> GrantRecord | None:
        return self.grants.get(effect.grant_id)

    def on_revoke_grant(self, effect: effects.RevokeGrant) -> bool:
        grant = self.grants[effect.grant_id]
        self.grants[effect.grant_id] = replace(grant, revoked_at=effect.now)
        return grant.revoked_at is None

    def on_save_access_token(self, effect: effects.SaveAccessToken) -> bool:
        self.access_tokens[effect.token.digest] = effect.token
        return self.grants[effect.token.grant_id].revoked_at is None

    def on_find_access_token(self, effect: effects.FindAccessToken) -> AccessTokenRecord | None:
        found = self.access_tokens.get(effect.digest)
        return found if found is not None and effect.now < found.expires_at else None

    def on_find_standing(self, effect: effects.FindStanding) -> effects.Standing:
        client = self.clients.get(effect.client_id)
        return effects.Standing(
            denied=effect.jti in self.denied,
            client_enabled=client is not None
            and client.enabled
            and (effect.grant_id != "" or client.created_at <= effect.issued_at),
            grant=self.grants.get(effect.grant_id),
        )

    def on_load_keys(self, effect: effects.LoadKeys) -> tuple[KeyRecord, ...]:
        return tuple(
            key for key in self.keys if key.removes_at is None or effect.now < key.removes_at
        )

    def on_add_key(self, effect: effects.AddKey) -> tuple[KeyRecord, ...]:
        new = effect.key
        if not (effect.only_if_first and any(key.alg == new.alg for key in self.keys)):
            others = tuple(
                replace(
                    key,
                    retires_at=key.retires_at or effect.retire_others_at,
                    removes_at=key.removes_at or effect.remove_others_at,
                )
                if key.alg == new.alg
                else key
                for key in self.keys
            )
            self.keys = (*others, new)
        return self.keys

    def on_count_failures(self, effect: effects.CountFailures) -> effects.FailureCount:
        of_source = [
            failure
            for failure in self.failures
            if failure[0] == effect.kind
            and failure[2] == effect.source
            and failure[3] > effect.since
        ]
        of_pair = [failure for failure in of_source if failure[1] == effect.account]
        return effects.FailureCount(
            len(of_pair),
            len(of_source),
            min((failure[3] for failure in of_pair), default=0),
            min((failure[3] for failure in of_source), default=0),
        )

    def on_find_caller(self, effect: effects.FindCaller) -> effects.FoundCaller:
        known = self.clients.get(effect.caller_id)
        return effects.FoundCaller(known, self.on_count_failures(effect.count))

    def on_save_failure(self, effect: effects.SaveFailure) -> None:
        self.failures.append((effect.kind, effect.account, effect.source, effect.at))

    def on_emit(self, effect: effects.Emit) -> None:
        self.events.append(effect.event)


class Bench:
    """A server, its store, and the browser and the client that talk to it by hand.

    Attributes:
        perform: carries out one effect; the store's, unless a test puts another in.
        authentication: who is logged in in the browser; None for nobody.
        consents: remembered scope by (subject, client id), whatever the audience.
        people: by subject.
    """

    def __init__(self, **settings: Any) -> None:
        self.store = MemoryStore(
            clients={client.client_id: client for client in CLIENTS}, keys=first_keys()
        )
        self.perform: Callable[[Effect[Any]], Any] = self.store.perform
        self.authentication: Authentication | None = Authentication(
            subject=ALICE.subject, auth_time=NOW - 50, amr=("pwd",), sid="sid-1"
        )
        self.consents: dict[tuple[str, str], frozenset[str]] = {}
        self.people = {ALICE.subject: ALICE}
        self.pages: list[OAuthError] = []
        host = Host(
            find_visitor=self._find_visitor,
            find_consent=self._find_consent,
            find_person=self._find_person,
        )
        policy = Policy(**{"issuer": ISSUER, **settings})
        self.server = AuthorizationServer(policy, host, KEY_RING)
        self.now = NOW

    def _find_visitor(
        self, request: Request, client_id: str, audience: str, now: int
    ) -> Flow[Visitor | None]:
        self.store.asked.append("find_visitor")
        if self.authentication is None:
            return None
        consent = yield from self._find_consent(self.authentication.subject, client_id, audience)
        return Visitor(self.authentication, consent)

    def _find_consent(
        self,
        subject: str,
        client_id: str,
        audience: str,
    ) -> Flow[frozenset[str] | None]:
        yield from ()
        return self.consents.get((subject, client_id))

    def _find_person(self, subject: str) -> Flow[Person | None]:
        yield from ()
        return self.people.get(subject)

    def change_client(self, client_id: str, **changes: Any) -> None:
        """Change a registered client as an operator would."""
        self.store.clients[client_id] = replace(self.store.clients[client_id], **changes)

    def agree(self, client_id: str = "a") -> None:
        """Let the person have agreed to everything, before."""
        scope = frozenset(self.store.clients[client_id].scope)
        self.consents[ALICE.subject, client_id] = scope

    def run(self, flow: Flow[Any]) -> Any:
        """Drive a flow on this store."""
        return run(flow, self.perform)

    def send(
        self,
        method: str,
        path: str,
        *,
        query: str = "",
        body: str | bytes = "",
        headers: Sequence[tuple[str, str]] = (),
        peer: str = "192.0.2.1",
    ) -> Response:
        """Send one request and return the answer."""
        request = Request(
            method=method,
            url=f"{ISSUER}{path}",
            path=path,
            query=query,
            headers=Headers(headers),
            body=body.encode() if isinstance(body, str) else body,
            peer=peer,
        )
        answer: Response = self.run(self.server.respond(request, self.now))
        return answer

    def authorize(self, **changes: str | None) -> Response:
        """GET an authorization request of client a; None leaves a parameter out."""
        return self.authorize_raw(urlencode(authorization_parameters(**changes)))

    def authorize_by_post(self, **changes: str | None) -> Response:
        """POST an authorization request of client a; None leaves a parameter out."""
        query = urlencode(authorization_parameters(**changes))
        return self.authorize_raw(query, method="POST")

    def authorize_raw(self, query: str, *, method: str = "GET") -> Response:
        """Send an authorization request as it stands."""
        if method == "GET":
            return self.send("GET", "/authorize", query=query)
        return self.send(method, "/authorize", body=query, headers=[FORM])

    def code(self, **changes: str | None) -> str:
        """Return a fresh code, to which the person agreed."""
        self.agree(changes.get("client_id") or "a")
        return answered(self.authorize(**changes))["code"]

    def token(
        self,
        code: str,
        *,
        auth: tuple[str, str] | None = ("a", SECRET),
        headers: Sequence[tuple[str, str]] = (),
        peer: str = "192.0.2.1",
        form: Mapping[str, str | None] | None = None,
        **changes: str | None,
    ) -> Response:
        """Send the token request of client a for `code`; None leaves a parameter out."""
        good: dict[str, str | None] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": CALLBACK,
            "code_verifier": VERIFIER,
        }
        pairs = [(k, v) for k, v in (good | changes | dict(form or {})).items() if v is not None]
        return self.token_raw(urlencode(pairs), auth=auth, headers=headers, peer=peer)

    def token_raw(
        self,
        body: str | bytes,
        *,
        auth: tuple[str, str] | None = ("a", SECRET),
        headers: Sequence[tuple[str, str]] = (),
        peer: str = "192.0.2.1",
    ) -> Response:
        """Send a token request as it stands."""
        sent = [FORM, *headers, *([] if auth is None else [basic(*auth)])]
        return self.send("POST", "/token", body=body, headers=sent, peer=peer)

    def event_names(self) -> list[str]:
        """Return the names of the events so far."""
        return [event.name for event in self.store.events]

    def reason(self) -> str:
        """Return the private reason of the last event that has one."""
        reasons = (event.facts.get("reason") for event in reversed(self.store.events))
        return str(next(filter(None, reasons), ""))


FORM = ("content-type", "application/x-www-form-urlencoded")


def authorization_parameters(**changes: str | None) -> list[tuple[str, str]]:
    """Return a good authorization request of client a, with changes; None leaves one out."""
    good: dict[str, str | None] = {
        "client_id": "a",
        "response_type": "code",
        "redirect_uri": CALLBACK,
        "scope": "openid",
        "state": "the state",
        "nonce": "the nonce",
        "code_challenge": challenge_of(VERIFIER),
        "code_challenge_method": "S256",
    }
    return [(name, value) for name, value in (good | changes).items() if value is not None]


def basic(client_id: str, secret: str) -> tuple[str, str]:
    """Return the Authorization header of RFC 6749 §2.3.1."""
    pair = f"{quote(client_id, safe='')}:{quote(secret, safe='')}"
    return ("authorization", f"Basic {b64encode(pair.encode()).decode()}")


def location(answer: Response) -> str:
    """Return where a 303 leads."""
    assert answer.status == 303, (answer.status, answer.body)
    return answer.headers.get("location")


def answered(answer: Response, *, at: str = CALLBACK) -> Mapping[str, str]:
    """Return the parameters of an authorization response at the client."""
    where = location(answer)
    assert where.startswith(at), where
    pairs = parse_qsl(urlsplit(where).query, keep_blank_values=True)
    assert len(dict(pairs)) == len(pairs), "a parameter is repeated"
    return dict(pairs)


def page_of(answer: Response) -> tuple[str, str]:
    """Return which page of the server a 303 leads to, and the transaction's id."""
    parts = urlsplit(location(answer))
    assert f"{parts.scheme}://{parts.netloc}" == ISSUER
    query = parse_qs(parts.query)
    assert list(query) == ["transaction"]
    return parts.path.rpartition("/")[2], query["transaction"][0]


def document(answer: Response) -> dict[str, Any]:
    """Return the JSON object of an answer."""
    assert answer.headers.get("content-type") == "application/json"
    value: dict[str, Any] = json.loads(answer.body)
    return value
