"""The provider itself: people, clients, logins, tokens."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest

from codegrant import (
    AsyncClient,
    Client,
    ConfigurationError,
    OAuthError,
    Refused,
    TransportError,
    UsageError,
)
from codegrant.http import Headers, Request, Response
from codegrant.jose import PrivateKey
from codegrant.remote.aio import AsyncDriver
from codegrant.remote.sync import SyncDriver
from codegrant.resource import ResourceServer
from codegrant.server.policy import Policy
from codegrant.testing import ProviderInProcess
from tests.support.application import Application
from tests.support.colours import Colour

APP = "https://app.test/callback"
API = "https://api.test"
KEY = PrivateKey.generate("ES256")


@pytest.fixture(params=["sync", "async"])
def colour(request: pytest.FixtureRequest) -> Iterator[Colour]:
    colour = Colour(request.param)
    yield colour
    colour.close()


@pytest.fixture
def application(colour: Colour, provider: ProviderInProcess) -> Iterator[Callable[..., Any]]:
    """Return a function that makes an application with a registered client."""
    made: list[Application] = []

    def make(client_id: str = "app", **more: Any) -> Application:
        known = provider.add_client(client_id, redirect_uri=APP, **more)
        one = Application(
            colour,
            provider.issuer,
            client_id=known.client_id,
            client_secret=known.client_secret,
            redirect_uri=known.redirect_uri,
            clock=provider.clock,
        )
        made.append(one)
        return one

    yield make
    for one in made:
        one.close()


class At:
    """A person at the provider, for `Application.log_in`."""

    def __init__(self, provider: ProviderInProcess, name: str = "alice", **more: Any) -> None:
        self._authorize, self._name, self._more = provider.authorize, name, more

    def authorize(self, url: str) -> str:
        return self._authorize(url, self._name, **self._more)


def test_a_person_logs_in_and_the_server_knows_them(
    provider: ProviderInProcess, application: Callable[..., Application]
) -> None:
    alice = provider.add_person(
        "alice", name="Alice Liddell", email="a@people.test", claims={"locale": "fr"}
    )
    app = application()
    tokens = app.log_in(At(provider))
    assert tokens.identity is not None
    assert tokens.identity.subject == alice.subject
    claims = app.userinfo(tokens).claims
    assert claims["name"] == "Alice Liddell"
    assert (claims["email"], claims["email_verified"]) == ("a@people.test", True)
    assert claims["locale"] == "fr"
    names = [event.name for event in provider.events]
    assert "login_succeeded" in names
    assert "login_failed" not in names


def test_one_person_logs_in_twice_and_another_is_somebody_else(
    provider: ProviderInProcess, application: Callable[..., Application]
) -> None:
    app = application()
    subjects = [app.log_in(At(provider, name)).identity for name in ("alice", "bob", "alice")]
    first, second, third = (found.subject if found else "" for found in subjects)
    assert first == third != second


@pytest.mark.parametrize("asked", [{"prompt": "login"}, {"max_age": 0}, {"prompt": "consent"}])
@pytest.mark.parametrize("asks", [False, True], ids=["skips consent", "asks for consent"])
def test_a_login_that_needs_pages_goes_through_them(
    provider: ProviderInProcess,
    application: Callable[..., Application],
    asked: dict[str, Any],
    asks: bool,
) -> None:
    app = application(ask_for_consent=asks)
    for _ in range(2):
        login = app.start(**asked)
        assert app.finish(provider.authorize(login.url, "alice"), login).identity
    consented = [event.name for event in provider.events].count("login_succeeded")
    assert consented == (1 if asked == {"prompt": "consent"} else 2)


def test_who_does_not_agree_gives_no_code(
    provider: ProviderInProcess, application: Callable[..., Application]
) -> None:
    app = application()
    app.log_in(At(provider))  # not even with a session that knows better
    with pytest.raises(Refused) as caught:
        app.log_in(At(provider, allow=False))
    assert caught.value.error == "access_denied"


def test_who_does_not_agree_on_the_consent_page_gives_no_code(
    provider: ProviderInProcess, application: Callable[..., Application]
) -> None:
    app = application(ask_for_consent=True)
    with pytest.raises(Refused) as caught:
        app.log_in(At(provider, allow=False))
    assert caught.value.error == "access_denied"
    assert app.log_in(At(provider)).identity


def test_a_silent_login_needs_somebody_who_is_logged_in(
    provider: ProviderInProcess, application: Callable[..., Application]
) -> None:
    app = application()
    with pytest.raises(Refused, match="login_required"):
        app.log_in(At(provider), prompt="none")
    app.log_in(At(provider))
    assert app.log_in(At(provider), prompt="none").identity


@pytest.mark.parametrize(
    ("changed", "told"),
    [
        pytest.param({"redirect_uri": "https://other.test/cb"}, "redirect_uri", id="redirect URI"),
        pytest.param({"client_id": "nobody"}, "client", id="client"),
    ],
)
def test_an_error_page_of_the_provider_is_told(
    provider: ProviderInProcess,
    application: Callable[..., Application],
    changed: dict[str, str],
    told: str,
) -> None:
    url = application().start().url
    query = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
    wrong = f"{provider.issuer}/authorize?{urlencode(query | changed)}"
    with pytest.raises(UsageError, match=told) as caught:
        provider.authorize(wrong, "alice")
    assert caught.value.stage == "authorize"
    assert "add_client" in caught.value.hint


def test_a_login_that_came_too_late_is_refused_by_the_servers_clock(
    provider: ProviderInProcess, application: Callable[..., Application]
) -> None:
    app = application()
    login = app.start()
    callback = provider.authorize(login.url)
    provider.clock.advance(61)
    with pytest.raises(Refused, match="invalid_grant"):
        app.finish(callback, login)


def test_tokens_are_refreshed_when_the_clock_has_moved(
    provider: ProviderInProcess, application: Callable[..., Application]
) -> None:
    app = application()
    tokens = app.log_in(At(provider), scope="openid offline_access")
    api = ResourceServer(provider.issuer, audience=provider.issuer, clock=provider.clock)

    def answer(request: Request) -> Response:
        api.verify_request(request)
        return Response(status=200)

    provider.serve(API, answer)
    kept: list[Any] = []
    session = app.client.api(tokens, on_tokens=kept.append)
    for hours in range(3):
        assert app.colour.wait(session.get(f"{API}/x")).status_code == 200
        assert len(kept) == hours
        provider.clock.advance(3600)
    with pytest.raises(OAuthError, match="expired"):
        api.verify(tokens.access_token.reveal())


def test_a_session_that_was_made_before_the_provider_reaches_it(colour: Colour) -> None:
    with ProviderInProcess() as provider:
        app = Application(
            colour,
            provider.issuer,
            client_id="app",
            client_secret="secret of app",
            redirect_uri=APP,
        )
        provider.register(app.client)
        tokens = app.log_in(At(provider))
    session = app.client.api(tokens)
    with ProviderInProcess() as provider:
        provider.serve(API, lambda _: Response(status=204))
        assert app.colour.wait(session.get(f"{API}/x")).status_code == 204
        with pytest.raises(TransportError, match="nothing serves"):
            app.colour.wait(session.get("https://other.test/"))
    app.close()


@pytest.mark.parametrize(
    "more", [{"public": True}, {"client_secret": "a secret of the test's own"}, {"native": True}]
)
def test_clients_of_every_kind_log_in(
    provider: ProviderInProcess, application: Callable[..., Application], more: dict[str, Any]
) -> None:
    assert application(**more).log_in(At(provider)).identity


def test_an_application_gets_tokens_for_an_api(
    provider: ProviderInProcess, application: Callable[..., Application]
) -> None:
    provider.add_api(API, scope="read write")
    app = application(scope="read", audiences=[API])
    tokens = app.log_in(At(provider), scope="openid read", resource=API)
    api = ResourceServer(provider.issuer, audience=API)
    token = api.verify(tokens.access_token.reveal(), ["read"], person=True)
    assert token.subject == provider.find_person("alice").subject
    with pytest.raises(UsageError, match="taken"):
        provider.add_api(API)


@pytest.mark.parametrize(
    "configured",
    [
        pytest.param({"client_secret": "secret of a"}, id="secret"),
        pytest.param({}, id="public"),
        pytest.param(
            {"client_secret": "s", "token_endpoint_auth_method": "client_secret_post"}, id="post"
        ),
        pytest.param({"client_secret": "secret of a", "scope": "openid read"}, id="scope"),
    ],
)
def test_a_client_is_registered_as_it_is_configured(
    provider: ProviderInProcess, colour: Colour, configured: dict[str, Any]
) -> None:
    given: dict[str, Any] = {"client_secret": None, "redirect_uri": APP, **configured}
    app = Application(colour, provider.issuer, client_id="a", **given)
    provider.register(app.client)
    tokens = app.log_in(At(provider))
    assert tokens.identity
    assert "scope" not in configured or "read" in tokens.scope
    with pytest.raises(UsageError, match="taken"):
        provider.register(app.client)
    app.close()


@pytest.mark.parametrize(
    ("issuer", "more", "told"),
    [
        pytest.param("https://other.test", {"redirect_uri": APP}, "its issuer is", id="issuer"),
        pytest.param("https://issuer.test", {}, "redirect_uri", id="no redirect URI"),
        pytest.param(
            "https://issuer.test", {"redirect_uri": APP, "dpop": True}, "no DPoP", id="DPoP"
        ),
        pytest.param(
            "https://issuer.test",
            {"redirect_uri": APP, "pushed_requests": True},
            "no pushed requests",
            id="pushed requests",
        ),
        pytest.param(
            "https://issuer.test",
            {"redirect_uri": APP, "client_secret": None, "private_key": KEY},
            "no private_key_jwt",
            id="private_key_jwt",
        ),
        pytest.param(
            "https://issuer.test",
            {"redirect_uri": APP, "private_key": KEY, "signed_requests": True}
            | {"token_endpoint_auth_method": "client_secret_basic"},
            "no signed requests",
            id="signed requests",
        ),
    ],
)
def test_a_client_that_cannot_be_registered_is_told_why(
    provider: ProviderInProcess, issuer: str, more: dict[str, Any], told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        provider.register(Client(issuer, client_id="a", **{"client_secret": "s", **more}))
    fine = {"client_secret": "s", "redirect_uri": APP, "pushed_requests": False, "dpop": False}
    provider.register(Client(provider.issuer, client_id="a", **fine))  # type: ignore[arg-type]


def test_a_client_of_an_api_gets_its_tokens(provider: ProviderInProcess, colour: Colour) -> None:
    given: dict[str, Any] = {"redirect_uri": APP, "client_secret": "s" * 32, "resource": API}
    app = Application(colour, provider.issuer, client_id="a", **given)
    provider.register(app.client)
    with pytest.raises(Refused, match="invalid_target"):
        app.log_in(At(provider))
    provider.add_api(API, scope="read")
    tokens = app.log_in(At(provider))
    assert ResourceServer(provider.issuer, audience=API).verify(tokens.access_token.reveal())
    app.close()


def test_a_person_has_one_name(provider: ProviderInProcess) -> None:
    alice = provider.add_person("Alice")
    assert provider.find_person("alice") == alice
    for name in ("alice", "ALICE"):
        with pytest.raises(UsageError, match="taken"):
            provider.add_person(name)
    with pytest.raises(UsageError, match="not allowed"):
        provider.add_person(" ")
    assert provider.add_person("bob", subject="sub-of-bob", email="").subject == "sub-of-bob"


@pytest.mark.parametrize(
    ("username", "name", "email"),
    [
        pytest.param("alice", "Alice", "alice@example.org", id="a name"),
        pytest.param("Alice", "Alice", "alice@example.org", id="with a capital"),
        pytest.param("alice l", "Alice l", "alice.l@example.org", id="two words"),
        pytest.param("Alice@Example.com", "Alice", "alice@example.com", id="an address"),
    ],
)
def test_a_person_has_a_name_and_an_address_of_their_own(
    provider: ProviderInProcess, username: str, name: str, email: str
) -> None:
    person = provider.find_person(username)
    assert (person.name, person.email, person.email_verified) == (name, email, True)
    assert provider.add_person(f"{username}2", name="Eve", email="").name == "Eve"


@pytest.mark.parametrize(
    ("claims", "told"),
    [
        pytest.param({"groups": ["admin"]}, "knows no groups", id="of one provider"),
        pytest.param({"locale": "fr", "hd": "a.test", "roles": []}, "knows no hd, roles", id="two"),
        pytest.param({"sub": "another"}, "knows no sub", id="sub"),
        pytest.param({"email": "a@b.test"}, "email: name, email and username", id="an argument"),
    ],
)
def test_a_claim_that_nobody_would_be_told_is_refused(
    provider: ProviderInProcess, application: Any, claims: dict[str, object], told: str
) -> None:
    with pytest.raises(UsageError, match=told):
        provider.add_person("alice", claims=claims)
    provider.add_person("alice", claims={"locale": "fr", "picture": "https://a.test/p"})
    with provider.faults.changed_id_token({"groups": ["admin"]}):
        tokens = application().log_in(At(provider))
    assert tokens.identity is not None
    assert tokens.identity.claims["groups"] == ["admin"]


def test_a_token_says_what_it_was_made_to_say(provider: ProviderInProcess) -> None:
    api = ResourceServer(provider.issuer, audience=API)
    alice = provider.add_person("alice")
    token = api.verify(
        provider.make_token("alice", scope=["a", "b"], audience=[API, "https://b.test"])
    )
    assert (token.subject, token.scope) == (alice.subject, frozenset({"a", "b"}))
    assert token.audience == (API, "https://b.test")
    assert token.client_id == "app"
    own = api.verify(provider.make_token(audience=API, client_id="robot"))
    assert own.subject == "robot"
    with pytest.raises(OAuthError):
        api.verify(provider.make_token(audience=API), person=True)


@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"expires_in": -120}, id="expired"),
        pytest.param({"audience": "https://other.test"}, id="audience"),
        pytest.param({"typ": "JWT"}, id="an ID token's type"),
        pytest.param({"typ": ""}, id="no type"),
        pytest.param({"claims": {"iss": "https://evil.test"}}, id="issuer"),
        pytest.param({"claims": {"sub": None}}, id="no subject"),
        pytest.param({"claims": {"exp": None}}, id="no end"),
        pytest.param({"claims": {"nbf": 99_999_999_999}}, id="not yet"),
    ],
)
def test_a_token_that_should_be_refused_can_be_made(
    provider: ProviderInProcess, more: dict[str, Any]
) -> None:
    api = ResourceServer(provider.issuer, audience=API)
    assert api.verify(provider.make_token("alice", audience=API))
    with pytest.raises(OAuthError, match="invalid_token"):
        api.verify(provider.make_token("alice", **{"audience": API, **more}))


@pytest.mark.parametrize("alg", ["ES256", "RS256", "PS256", "EdDSA"])
def test_a_token_is_signed_with_any_algorithm(provider: ProviderInProcess, alg: Any) -> None:
    api = ResourceServer(provider.issuer, audience=API)
    assert api.verify(provider.make_token("alice", audience=API, alg=alg))


def test_a_foreign_token_is_refused(provider: ProviderInProcess) -> None:
    api = ResourceServer(provider.issuer, audience=API)
    token = provider.make_token("alice", audience=API)
    head, body, signature = token.split(".")
    forged = f"{head}.{body}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"
    with pytest.raises(OAuthError, match="invalid_token"):
        api.verify(forged)


def test_a_person_with_a_password_can_fill_in_the_login_page(provider: ProviderInProcess) -> None:
    provider.add_person("alice", password="wonderland")
    page = provider.respond(_get(provider, "account"))
    assert (page.status, page.headers.get("location")) == (303, f"{provider.issuer}/login")


def _get(provider: ProviderInProcess, path: str) -> Request:
    url = f"{provider.issuer}/{path}"
    return Request(method="GET", url=url, path=f"/{path}", headers=Headers(), peer="192.0.2.9")


def test_many_people_log_in_at_once(provider: ProviderInProcess) -> None:
    known = provider.add_client(redirect_uri=APP)
    client = Client(
        provider.issuer,
        client_id=known.client_id,
        client_secret=known.client_secret,
        redirect_uri=APP,
    )
    found: dict[str, str] = {}
    finished: list[str] = []

    def log_in(name: str) -> None:
        login = client.start_login()
        tokens = client.finish_login(provider.authorize(login.url, name), login)
        found[name] = tokens.verified_identity().subject
        finished.append(name)

    # Somebody is new and comes several times at once.
    names = [f"person {number % 6}" for number in range(24)]
    threads = [threading.Thread(target=log_in, args=(name,)) for name in names]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == {name: provider.find_person(name).subject for name in names}
    assert len(set(found.values())) == 6
    assert sorted(finished) == sorted(names)
    client.close()


def test_many_tasks_log_in_at_once(provider: ProviderInProcess) -> None:
    known = provider.add_client(redirect_uri=APP)

    async def log_in_all() -> set[str]:
        client = AsyncClient(
            provider.issuer,
            client_id=known.client_id,
            client_secret=known.client_secret,
            redirect_uri=APP,
        )

        async def log_in(name: str) -> str:
            login = await client.start_login()
            callback = await asyncio.to_thread(provider.authorize, login.url, name)
            return (await client.finish_login(callback, login)).verified_identity().subject

        return set(await asyncio.gather(*(log_in(f"person {n}") for n in range(12))))

    assert len(asyncio.run(log_in_all())) == 12


def test_two_providers_stand_side_by_side() -> None:
    with ProviderInProcess("https://one.test") as one, ProviderInProcess("https://two.test") as two:
        for provider in (one, two):
            known = provider.add_client(redirect_uri=APP)
            client = Client(
                provider.issuer,
                client_id=known.client_id,
                client_secret=known.client_secret,
                redirect_uri=APP,
            )
            login = client.start_login()
            tokens = client.finish_login(provider.authorize(login.url, "alice"), login)
            assert tokens.verified_identity().issuer == provider.issuer


def test_nothing_of_one_provider_is_known_to_the_next() -> None:
    with ProviderInProcess() as first:
        alice = first.add_person("alice")
        token = first.make_token(alice)
    with ProviderInProcess() as second:
        assert second.find_person("alice").subject != alice.subject
        second.add_client(redirect_uri=APP)
        # The keys are a process's: to make them takes its time.
        api = ResourceServer(second.issuer, audience=second.issuer)
        assert api.verify(token).subject == alice.subject


def test_the_servers_settings_are_at_hand() -> None:
    policy = Policy(issuer="https://short.test/tenant", access_token_lifetime=30)
    with ProviderInProcess(policy=policy) as provider:
        assert provider.issuer == "https://short.test/tenant"
        known = provider.add_client(redirect_uri=APP, public=True)
        client = Client(provider.issuer, client_id=known.client_id, redirect_uri=APP)
        login = client.start_login()
        tokens = client.finish_login(provider.authorize(login.url), login)
        assert tokens.received_at is not None
        assert tokens.expires_at == tokens.received_at + 30


@pytest.mark.parametrize(
    "issuer", ["http://127.0.0.1:9", "http://localhost:9/a/b", "https://issuer.test:8443"]
)
def test_an_issuer_may_be_any_that_is_allowed(issuer: str, colour: Colour) -> None:
    with ProviderInProcess(issuer) as provider:
        given: dict[str, Any] = {"client_id": "app", "client_secret": None, "redirect_uri": APP}
        app = Application(colour, issuer, **given)
        provider.register(app.client)
        identity = app.log_in(At(provider)).identity
        assert identity is not None
        assert identity.issuer == issuer
        app.close()


@pytest.mark.parametrize("issuer", ["http://issuer.test", "issuer.test", "https://issuer.test?a=b"])
def test_an_issuer_that_is_none_is_refused(issuer: str) -> None:
    with pytest.raises(ConfigurationError, match="issuer"):
        ProviderInProcess(issuer)


def test_nothing_of_it_is_left() -> None:
    def running() -> set[str]:
        return {f"{thread.name} {thread.ident}" for thread in threading.enumerate()}

    before = (running(), SyncDriver.pool, AsyncDriver.pool, SyncDriver.send_guarded)
    with ProviderInProcess() as provider:
        provider.add_person("alice", password="wonderland")
        assert (running(), SyncDriver.pool) != before[:2]
    assert (running(), SyncDriver.pool, AsyncDriver.pool, SyncDriver.send_guarded) == before


def test_nothing_secret_is_shown(provider: ProviderInProcess) -> None:
    known = provider.add_client(redirect_uri=APP)
    assert known.client_secret
    assert known.client_secret not in f"{known!r} {provider!r} {provider.wire!r}"
