"""`ProviderInProcess`: the production authorization server in a test's process.

An in-memory database, no socket, and people who need no password. Layer: testing.
"""

from __future__ import annotations

import secrets
from collections.abc import Awaitable, Iterable, Mapping, Sequence
from functools import partial
from threading import Lock
from typing import Self, TypeVar, cast

from codegrant.accounts.credentials import read_username
from codegrant.accounts.effects import AddAccount, FindAccount, HashPassword
from codegrant.accounts.hashing import PasswordHasher
from codegrant.accounts.records import Account
from codegrant.accounts.site import Site
from codegrant.accounts.subjects import new_subject
from codegrant.client import AsyncClient, Client
from codegrant.errors import UsageError
from codegrant.flow import Flow, run
from codegrant.http import Request, Response
from codegrant.jose import parse_jwt, sign_jwt
from codegrant.messages.json import JsonValue
from codegrant.secret import Secret
from codegrant.server.administration import AddClient, AddResource
from codegrant.server.effects import AddKey
from codegrant.server.events import Event
from codegrant.server.keys import FIRST_ALGORITHMS, SIGNING_ALGORITHMS, rotate_key
from codegrant.server.policy import Policy, SigningAlgorithm
from codegrant.server.records import AuthMethod, ResourceRecord
from codegrant.stores.sqlite import SqliteStore
from codegrant.testing.apps import ServedApp
from codegrant.testing.claims import access_token_claims, names_of, person_claims
from codegrant.testing.clock import MovableClock
from codegrant.testing.faults import Faults
from codegrant.testing.keys import first_keys, key_ring
from codegrant.testing.personas import Person as PersonaPerson
from codegrant.testing.personas import Persona
from codegrant.testing.registration import (
    ClientCredentials,
    client_record,
    make_persona,
    read_configuration,
    words,
)
from codegrant.testing.signing_in import Provides, SupportsGet, sign_in, sign_in_async
from codegrant.testing.visiting import Visitor
from codegrant.testing.wire import Wire, WireTransport
from codegrant.web.performer import ServerPerformer

__all__ = ["ISSUER", "ProviderInProcess"]

R = TypeVar("R")

ISSUER = "https://issuer.test"
_ALGS: Mapping[str, SigningAlgorithm] = {alg: alg for alg in SIGNING_ALGORITHMS}


class ProviderInProcess:
    """An OpenID provider for tests; a context manager.

    Inside its `with`, what clients and resource servers of Codegrant send to the issuer is
    answered in this process, and so is what they send to whatever `serve` was given. Any
    other request of theirs fails with a `TransportError` of the code `not_served`.

    Safe between threads and event loops, as the server is.

    Args:
        issuer: its URL; nobody listens there.
        clock: of the server; by default a `MovableClock` of its own.
        let_out: origins that may really be reached.
        policy: further settings of the server; its issuer counts.

    Raises:
        ConfigurationError: the issuer is not allowed, or Jinja2 is not installed.
    """

    __test__ = False

    def __init__(
        self,
        issuer: str = ISSUER,
        *,
        clock: MovableClock | None = None,
        let_out: Iterable[str] = (),
        policy: Policy | None = None,
    ) -> None:
        self.clock: MovableClock = clock or MovableClock()
        self.wire: Wire = Wire(let_out)
        self.events: list[Event] = []
        """What the server has to tell, oldest first."""
        self._policy = policy or Policy(issuer=issuer)
        self._site = Site.build(self._policy, key_ring())
        self._store = SqliteStore(":memory:")
        self._passwords = PasswordHasher()
        self._performer = ServerPerformer(self._store, self._passwords, (self.events.append,))
        self._visitors: dict[str, Visitor] = {}
        self._lock = Lock()
        self._closed = False
        for key in first_keys():
            self._store.perform(AddKey(key))
        self.faults: Faults = Faults(self._policy, self._sign_anew)
        self.wire.serve(self.issuer, self.respond)

    @property
    def issuer(self) -> str:
        """The issuer's URL."""
        return self._policy.issuer

    def respond(self, request: Request) -> Response:
        """Return the server's answer to a request, as it was received."""
        return self.faults.answer(
            request, lambda ahead: self._run(self._site.respond(request, self._now() + ahead))
        )

    # -- people, clients, APIs

    def add_person(
        self,
        username: str,
        *,
        name: str | None = None,
        email: str | None = None,
        email_verified: bool = True,
        claims: Mapping[str, object] | None = None,
        subject: str | None = None,
        password: str | None = None,
    ) -> Account:
        """Return a new person.

        Args:
            name: by default the username with a capital.
            email: by default `USERNAME@example.org`, or the username; empty for none.
            claims: further claims of OpenID Connect Core §5.1, e.g. `{"picture": "https://…"}`.
            subject: the `sub`; by default one that the server makes.
            password: only for a test that fills in the login page; it takes 50 ms to hash.

        Raises:
            UsageError: the username is not allowed or taken, or a claim is no further one.
        """
        key = read_username(username)
        if key is None:
            raise UsageError(f"username: {username!r} is not allowed")
        named, address = names_of(username)
        hashed = self._passwords.perform(HashPassword(Secret(password))) if password else ""
        account = Account(
            subject=self._run(new_subject()) if subject is None else subject,
            username=username,
            username_key=key,
            password_hash=hashed,
            name=named if name is None else name,
            email=address if email is None else email,
            email_verified=email_verified,
            claims=person_claims(claims or {}),
            created_at=self._now(),
            updated_at=self._now(),
        )
        if not self._store.perform(AddAccount(account)):
            raise UsageError(f"username: {username!r} is taken, or the subject is")
        return account

    def find_person(self, username: str) -> Account:
        """Return the person of this name, who is added when there is none yet."""
        with self._lock:
            found = self._store.perform(FindAccount(read_username(username) or ""))
            return found or self.add_person(username)

    def add_client(
        self,
        client_id: str = "app",
        *,
        redirect_uri: str | Sequence[str],
        client_secret: str | None = None,
        public: bool = False,
        auth_method: AuthMethod = "client_secret_basic",
        scope: str | Sequence[str] = (),
        audiences: Sequence[str] = (),
        ask_for_consent: bool = False,
        native: bool = False,
    ) -> ClientCredentials:
        """Register an application and return its credentials.

        Args:
            redirect_uri: one or several, compared as they are.
            client_secret: by default a new one.
            public: it has no secret.
            auth_method: how it authenticates at the token endpoint.
            scope: what it may ask for besides `openid profile email offline_access`.
            audiences: APIs that it may ask for, see `add_api`.
            ask_for_consent: whether people see the consent page.
            native: an application on a person's device: a loopback redirect URI may have any
                port, http is allowed.

        Raises:
            UsageError: the client id is taken.
        """
        uris = (redirect_uri,) if isinstance(redirect_uri, str) else tuple(redirect_uri)
        secret = None if public else client_secret or secrets.token_urlsafe(32)
        record = client_record(
            client_id,
            client_secret=secret,
            auth_method=auth_method,
            redirect_uris=uris,
            scope=words(scope),
            audiences=tuple(audiences),
            ask_for_consent=ask_for_consent,
            native=native,
            now=self._now(),
        )
        if not self._store.perform(AddClient(record)):
            raise UsageError(f"client_id: {client_id!r} is taken")
        return ClientCredentials(client_id=client_id, client_secret=secret, redirect_uri=uris[0])

    def register(
        self, client: Client | AsyncClient, *, redirect_uri: str | Sequence[str] | None = None
    ) -> None:
        """Register the application that `client` speaks for, as it is configured.

        Args:
            redirect_uri: by default the client's own.

        Raises:
            UsageError: the client is of another issuer, was given no redirect URI, needs
                what this server does not know, e.g. DPoP, or is registered.
        """
        config = client.flows.config
        configured = read_configuration(config, self.issuer, redirect_uri)
        self.add_client(
            config.client_id,
            redirect_uri=configured.redirect_uris,
            client_secret=configured.client_secret,
            public=configured.client_secret is None,
            auth_method=configured.auth_method,
            scope=config.scope or (),
            audiences=config.resource,
        )

    def add_api(self, audience: str, *, scope: str | Sequence[str] = ()) -> None:
        """Register an API, for clients that ask for its tokens with `resource`. RFC 8707.

        Raises:
            UsageError: the audience is taken.
        """
        record = ResourceRecord(
            audience=audience,
            resource_id=secrets.token_urlsafe(16),
            scope=words(scope),
            created_at=self._now(),
            updated_at=self._now(),
        )
        if not self._store.perform(AddResource(record)):
            raise UsageError(f"audience: {audience!r} is taken")

    def serve(self, origin: str, app: ServedApp) -> None:
        """Answer what is sent to `origin` with `app`; see `Wire.serve`."""
        self.wire.serve(origin, app)

    def persona(
        self,
        client: Client | AsyncClient,
        *,
        redirect_uri: str | None = None,
        person: PersonaPerson | None = None,
        variables: Mapping[str, str] | None = None,
    ) -> Persona:
        """Return the known provider of `client`, served here at its own addresses.

        Args:
            client: of a provider in the catalogue, e.g. `Client("github", ...)`; it is
                registered there.
            redirect_uri: by default the client's own.
            person: who is at the browser.
            variables: of the addresses, where others than the client's, e.g. another `tenant`.

        Raises:
            UsageError: the client is of no known provider or was given no redirect URI, or
                `person` is of the wrong kind.
        """
        persona = make_persona(
            client.flows.config, redirect_uri, person=person, variables=variables, clock=self.clock
        )
        persona.serve(self.wire)
        return persona

    def transport(self) -> WireTransport:
        """Return a transport for clients of httpx2 in the code under test, of both kinds.

        Those of the `Client` and `AsyncClient` of Codegrant need none. For httpx and requests
        see `codegrant.testing.httpx` and `codegrant.testing.requests`.
        """
        return WireTransport(self.wire)

    # -- logins and tokens

    def authorize(self, url: str, person: str | Account = "alice", *, allow: bool = True) -> str:
        """Log a person in at an authorization URL and return the callback's address.

        Args:
            url: where an application sends the browser, e.g. `PendingLogin.url`.
            person: as `login_as`.
            allow: whether the person agrees; else the answer is `access_denied`.

        Raises:
            UsageError: the server shows an error page, e.g. for a redirect URI that is not
                registered.
            TransportError: by a fault of this test the browser gets no answer.
        """
        account = self.find_person(person) if isinstance(person, str) else person
        with self._lock:
            visitor = self._visitors.get(account.subject)
            if visitor is None:
                visitor = self._visitors[account.subject] = Visitor(
                    self._site.server, account, respond=self.respond, run=self._run, clock=self._now
                )
        return visitor.authorize(url, allow=allow)

    def login_as(
        self,
        client: SupportsGet[R],
        person: str | Account = "alice",
        *,
        path: str = "/login",
        allow: bool = True,
    ) -> R:
        """Log a person in to the application behind a test client.

        The application's own login starts, the person logs in here, the callback finishes.
        The test client keeps the cookies, so that its next request is the person's.

        Args:
            client: the test client of Flask, Starlette, FastAPI or Django.
            person: their username, and they are added when there is nobody of that name; or
                what `add_person` returned.
            path: of the application's login; `/login/NAME` where there are several providers.
            allow: whether the person agrees.

        Returns:
            The application's answer to the callback; no redirect is followed.

        Raises:
            AssertionError: the application did not start the login, or did not finish it.
            UsageError: the provider shows an error page, the test client has to be awaited, or
                the provider is not inside its `with`.
            TransportError: by a fault of this test the browser gets no answer.
        """
        return sign_in(client, path, self._login_of(person, allow=allow))

    async def login_as_async(
        self,
        client: SupportsGet[Awaitable[R]],
        person: str | Account = "alice",
        *,
        path: str = "/login",
        allow: bool = True,
    ) -> R:
        """As `login_as`, for an `AsyncClient` of `httpx` or `httpx2` over the application."""
        return await sign_in_async(client, path, self._login_of(person, allow=allow))

    def make_token(
        self,
        person: str | Account | None = None,
        *,
        scope: str | Sequence[str] = (),
        audience: str | Sequence[str] | None = None,
        expires_in: int = 300,
        client_id: str = "app",
        claims: Mapping[str, object] | None = None,
        alg: SigningAlgorithm = "ES256",
        typ: str = "at+jwt",
    ) -> str:
        """Return a signed access token, as an API gets it.

        Nobody logged in for it: a resource server accepts it, userinfo and introspection do
        not know it.

        Args:
            person: as `login_as`; None for a token of the client's own.
            audience: the API's identifier, or several; by default the issuer.
            expires_in: seconds; below 0 it has expired.
            claims: further ones, or in place of those that are made; None leaves one out.
            alg: what it is signed with.
            typ: of its header; empty leaves it out.

        RFC 9068 §2.2.
        """
        account = self.find_person(person) if isinstance(person, str) else person
        made = access_token_claims(
            issuer=self.issuer,
            subject=None if account is None else account.subject,
            client_id=client_id,
            audience=self.issuer if audience is None else audience,
            scope=scope,
            now=self._now(),
            expires_in=expires_in,
        )
        return self._sign(alg, {**made, **(claims or {})}, typ=typ)

    def rotate_keys(self, alg: SigningAlgorithm | None = None) -> None:
        """Sign with new keys from now on; the old ones stay published until their time is over.

        Args:
            alg: whose key is replaced; by default those of RS256 and ES256.
        """
        for one in FIRST_ALGORITHMS if alg is None else (alg,):
            self._run(rotate_key(self._policy, key_ring(), one, self._now(), immediately=True))
        self._run(self._site.server.keys.current(self._now()))

    # -- its life

    def close(self) -> None:
        """Take down the wire and forget everything."""
        self._closed = True
        self.wire.__exit__()
        self._store.close()
        self._passwords.close()

    def __enter__(self) -> Self:
        if self._closed:
            raise UsageError("the provider is closed, and has forgotten everything: make a new one")
        self.wire.__enter__()
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"ProviderInProcess({self.issuer!r})"

    def _sign_anew(self, raw_token: str, changes: Mapping[str, object]) -> str:
        """Return one of the server's ID tokens with other claims, signed as it was."""
        jwt = parse_jwt(raw_token)
        return self._sign(_ALGS[jwt.alg], {**jwt.claimed, **changes}, typ="JWT")

    def _sign(self, alg: SigningAlgorithm, claims: Mapping[str, object], *, typ: str) -> str:
        key = self._run(self._site.server.keys.signer(alg, self._now()))
        told = {name: value for name, value in claims.items() if value is not None}
        return sign_jwt(key, cast("Mapping[str, JsonValue]", told), typ=typ)

    def _login_of(self, person: str | Account, *, allow: bool) -> Provides:
        self.wire.check_up()
        authorize = partial(self.authorize, person=person, allow=allow)
        return Provides(self._policy.endpoint("authorize"), authorize)

    def _now(self) -> int:
        return int(self.clock()) + self.faults.ahead

    def _run(self, flow: Flow[R]) -> R:
        return run(flow, self._performer.perform)
