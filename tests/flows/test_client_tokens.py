"""The token request, what comes back, and where the access token goes."""

from __future__ import annotations

import asyncio
import logging
import pickle
import threading
import traceback
from base64 import b64encode, urlsafe_b64encode
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from urllib.parse import quote, quote_plus

import pytest

from codegrant import (
    AsyncClient,
    Client,
    CodegrantError,
    KeyRing,
    PendingLogin,
    Refused,
    ResponseRejected,
    SealBroken,
    Secret,
    Tokens,
    TransportError,
    UsageError,
)
from codegrant.client.api_auth import BearerAuth
from tests.flows.conftest import MakeApplication
from tests.support.application import REDIRECT_URI, Application
from tests.support.colours import Colour
from tests.support.mock_provider import (
    CLIENT_ID,
    CLIENT_SECRET,
    Answer,
    Lie,
    Listener,
    MockProvider,
    as_json,
    html,
    redirect,
)

RING = KeyRing(["r" * 32])


def rejected(app: Application, provider: MockProvider, **arguments: Any) -> CodegrantError:
    with pytest.raises(CodegrantError) as caught:
        app.log_in(provider, **arguments)
    return caught.value


@pytest.mark.requirement("CL-TOK-01")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_token_request_is_a_post_and_follows_no_redirect(
    app: Application, provider: MockProvider, status: int
) -> None:
    truth, elsewhere = provider.routes["/token"], Listener()
    provider.routes["/token"] = lambda _: redirect(f"{elsewhere.origin}/token?a=b", status)
    error = rejected(app, provider)
    assert isinstance(error, ResponseRejected)
    assert (error.code, error.stage) == ("redirect_refused", "token")
    assert f"127.0.0.1:{elsewhere.port}" in error.message
    assert elsewhere.received == []
    provider.routes["/token"] = truth
    app.log_in(provider)
    request = next(r for r in reversed(provider.received) if r.path == "/token")
    assert (request.method, request.target) == ("POST", "/token")
    assert request.headers["content-type"] == "application/x-www-form-urlencoded"
    assert request.form["redirect_uri"] == REDIRECT_URI
    assert len(request.form["code_verifier"]) == 43
    elsewhere.close()


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(html(), "not_json", id="a page"),
        pytest.param(html(404), "not_json", id="a page, 404"),
        pytest.param(html(405), "not_json", id="a page, 405"),
        pytest.param(Answer(200, b""), "not_json", id="nothing"),
        pytest.param(Answer(500, b"oops"), "server_failed", id="500"),
        pytest.param(as_json(["access_token"]), "not_json", id="a list"),
        pytest.param(as_json({}), "malformed_token_response", id="an empty object"),
        pytest.param(
            as_json({"access_token": "", "token_type": "Bearer"}),
            "malformed_token_response",
            id="an empty token",
        ),
        pytest.param(
            as_json({"access_token": 5, "token_type": "Bearer"}),
            "malformed_token_response",
            id="a number for a token",
        ),
        pytest.param(as_json({"access_token": "a"}), "token_type_unknown", id="no type"),
        pytest.param(
            Answer(200, b'{"access_token":"a","access_token":"b","token_type":"Bearer"}'),
            "malformed_token_response",
            id="twice a token",
        ),
    ],
)
def test_a_wrong_token_endpoint_says_what_it_answered(
    app: Application, provider: MockProvider, answer: Answer, code: str
) -> None:
    truth = provider.routes["/token"]
    provider.routes["/token"] = lambda _: answer
    error = rejected(app, provider)
    assert isinstance(error, ResponseRejected)
    assert (error.code, error.stage) == (code, "token")
    assert error.facts["endpoint"] == f"{provider.issuer}/token"
    provider.routes["/token"] = truth
    app.log_in(provider)


def test_an_answer_without_end_is_cut_off(app: Application, provider: MockProvider) -> None:
    provider.routes["/token"] = lambda _: Answer(200, b'{"a":"' + b"x" * (10 << 20))
    error = rejected(app, provider)
    assert isinstance(error, TransportError)
    assert (error.code, error.stage) == ("too_large", "token")


def test_a_token_endpoint_that_does_not_answer_is_left(
    make_app: MakeApplication, provider: MockProvider
) -> None:
    provider.routes["/token"] = provider.hang
    error = rejected(make_app(provider, timeout=0.3), provider)
    assert isinstance(error, TransportError)
    assert (error.code, error.stage) == ("timeout", "token")


@pytest.mark.parametrize("status", [200, 400, 401, 403])
def test_an_oauth_error_is_told_as_it_came(
    app: Application, provider: MockProvider, status: int
) -> None:
    body = {
        "error": "invalid_grant",
        "error_description": 'code "expired"\n',
        "error_uri": "https://x/",
    }
    provider.routes["/token"] = lambda _: as_json(body, status)
    error = rejected(app, provider)
    assert isinstance(error, Refused)
    assert (error.error, error.status, error.stage) == ("invalid_grant", status, "token")
    assert not set(error.description) & set('"\\\n')
    assert "start the login again" in error.hint


def test_a_wrong_secret_names_method_and_what_the_server_takes(
    make_app: MakeApplication, provider: MockProvider
) -> None:
    error = rejected(make_app(provider, client_secret="w" * 32), provider)
    assert isinstance(error, Refused)
    assert error.error == "invalid_client"
    assert "client_secret_basic" in error.hint
    assert "w" * 32 not in f"{error} {error.facts}"


@pytest.mark.requirement("CL-TOK-02")
@pytest.mark.parametrize("token_type", ["mac", "DPoP", "", None, 5, "Bearer2", "pop"])
def test_a_token_of_unknown_type_is_not_used(
    app: Application, provider: MockProvider, token_type: object
) -> None:
    provider.token = Lie({"token_type": token_type})
    assert isinstance(rejected(app, provider), ResponseRejected)
    for fine in ("bearer", "BEARER", "Bearer"):
        provider.token = Lie({"token_type": fine})
        assert app.log_in(provider).token_type == "Bearer"


@pytest.mark.requirement("CL-TOK-03")
def test_basic_authentication_encodes_id_and_secret_as_forms_do(
    app: Application, provider: MockProvider
) -> None:
    assert CLIENT_SECRET.startswith("a:b%+ ü")
    app.log_in(provider)  # the provider compares the decoded secret
    sent = next(r for r in provider.received if r.path == "/token").headers["authorization"]
    expected = f"{quote_plus(CLIENT_ID)}:{quote_plus(CLIENT_SECRET)}"
    assert sent == f"Basic {b64encode(expected.encode()).decode()}"
    bare = f"{CLIENT_ID}:{CLIENT_SECRET}".encode()
    assert sent != f"Basic {b64encode(bare).decode()}"


@pytest.mark.parametrize(
    ("listed", "configured", "secret", "sends"),
    [
        (["client_secret_post", "client_secret_basic"], None, True, "basic"),
        (["client_secret_post"], None, True, "post"),
        (None, None, True, "basic"),
        (["private_key_jwt", "client_secret_post"], None, True, "post"),
        (["client_secret_basic"], "client_secret_post", True, "post"),
        (["client_secret_basic"], None, False, "none"),
        (["none"], "none", False, "none"),
    ],
)
def test_the_method_is_named_or_listed_and_never_tried(
    make_app: MakeApplication,
    provider: MockProvider,
    listed: list[str] | None,
    configured: str | None,
    secret: bool,
    sends: str,
) -> None:
    provider.metadata = Lie({"token_endpoint_auth_methods_supported": listed})
    app = make_app(
        provider,
        client_secret=CLIENT_SECRET if secret else None,
        token_endpoint_auth_method=configured,
    )
    app.log_in(provider)
    [request] = [r for r in provider.received if r.path == "/token"]
    assert ("authorization" in request.headers) == (sends == "basic")
    assert ("client_secret" in request.form) == (sends == "post")
    assert ("client_id" in request.form) == (sends != "basic")


def test_a_server_without_a_method_of_ours_is_refused_before_the_code_is_sent(
    app: Application, provider: MockProvider
) -> None:
    provider.metadata = Lie({"token_endpoint_auth_methods_supported": ["private_key_jwt"]})
    assert isinstance(rejected(app, provider), UsageError)
    assert provider.count("/token") == 0


def spellings(secret: str) -> set[str]:
    """Return how `secret` may stand in a log: bare, percent-encoded, base64, JSON."""
    raw = secret.encode()
    return {
        secret,
        quote(secret, safe=""),
        quote_plus(secret),
        b64encode(raw).decode().rstrip("="),
        urlsafe_b64encode(raw).decode().rstrip("="),
        repr(secret)[1:-1],
    }


@pytest.mark.requirement("CL-TOK-04")
def test_no_secret_is_in_a_url_log_exception_or_repr(
    app: Application, provider: MockProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    api = Listener()
    api.routes["/me"] = lambda _: as_json({})
    told: list[str] = []
    login = app.start(return_to="/deep")
    callback = provider.authorize(login.url)
    tokens = app.finish(callback, login)
    app.userinfo(tokens)
    assert app.get(tokens, f"{api.origin}/me").status_code == 200
    assert api.received[0].headers["authorization"] == f"Bearer {tokens.access_token.reveal()}"
    failures: list[Callable[[], object]] = [
        lambda: app.finish(callback, login),
        lambda: app.get(tokens, "http://api.example/me"),
        lambda: app.finish(f"{callback}&code=x", app.start()),
    ]
    for answer in (html(), as_json({"error": "invalid_grant"}, 400), redirect("https://x/")):
        second = app.start()
        url = provider.authorize(second.url)
        provider.routes["/token"] = lambda _, answer=answer: answer  # type: ignore[misc]
        failures.append(lambda url=url, second=second: app.finish(url, second))  # type: ignore[misc]
    for fail in failures:
        with pytest.raises(CodegrantError) as caught:
            fail()
        error = caught.value
        told += [
            str(error),
            repr(error),
            str(error.facts),
            "".join(traceback.format_exception(error)),
        ]
        told.append(repr(pickle.loads(pickle.dumps(error)).__dict__))  # noqa: S301
    told += [repr(tokens), str(tokens), repr(login), repr(app.client), repr(app.client.api(tokens))]
    told += [repr(app.client.flows.config), caplog.text, *(str(r.__dict__) for r in caplog.records)]
    told += [request.target for request in [*provider.received, *api.received]]
    secrets = [*provider.minted, CLIENT_SECRET, login.code_verifier.reveal(), login.seed.reveal()]
    assert len(secrets) > 6
    text = "\n".join(told)
    assert provider.issuer in text
    assert not [s for secret in secrets for s in spellings(secret) if s in text]


@pytest.mark.requirement("CL-TOK-05")
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_an_access_token_goes_to_the_named_origin_and_across_no_redirect_to_another(
    app: Application, make_app: MakeApplication, provider: MockProvider, status: int
) -> None:
    api, elsewhere = Listener(), Listener()
    api.routes["/here"] = lambda _: redirect("/there", status)
    api.routes["/there"] = lambda _: redirect(f"{elsewhere.origin}/back", status)
    elsewhere.routes["/back"] = lambda _: redirect(f"{api.origin}/end", status)
    api.routes["/end"] = lambda _: as_json({})
    tokens = app.log_in(provider)
    assert app.get(tokens, f"{api.origin}/here").status_code == status
    assert api.paths() == ["/here"]
    assert app.get(tokens, f"{api.origin}/here", follow_redirects=True).status_code == 200
    sent = [("authorization" in r.headers) for r in (*api.received[1:], *elsewhere.received)]
    assert sent == [True, True, False, False]
    for url in ("http://api.example/", "ftp://api.example/", "/path", "http://127.0.0.1.example/"):
        with pytest.raises(UsageError) as caught:
            app.get(tokens, url)
        assert caught.value.stage == "api"
    narrow = make_app(provider, api_origins=[api.origin])
    tokens = narrow.log_in(provider)
    assert narrow.get(tokens, f"{api.origin}/end").status_code == 200
    with pytest.raises(UsageError, match="api_origins"):
        narrow.get(tokens, f"{elsewhere.origin}/back")
    assert len(elsewhere.received) == 1
    api.close()
    elsewhere.close()


@pytest.mark.requirement("CL-TOK-06")
@pytest.mark.parametrize(
    "access_token", ["x", "a.b.c", "eyJhbGciOiJub25lIn0.e30.", "0" * 4096, "~+/-._=="]
)
def test_an_access_token_is_opaque(
    app: Application, provider: MockProvider, access_token: str
) -> None:
    provider.token = Lie({"access_token": access_token})
    provider.claims = Lie({"at_hash": None})
    tokens = app.log_in(provider)
    api = Listener()
    api.routes["/"] = lambda _: as_json({})
    app.get(tokens, f"{api.origin}/")
    assert api.received[0].headers["authorization"] == f"Bearer {access_token}"
    provider.token = Lie({"access_token": "a b\r\nX: y"})
    assert isinstance(rejected(app, provider), ResponseRejected)
    api.close()


@pytest.mark.requirement("CL-TOK-09")
def test_a_reduced_scope_is_reported(
    app: Application, provider: MockProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, logger="codegrant.client")
    tokens = app.log_in(provider, scope="openid profile email")
    assert tokens.scope == {"openid", "profile", "email"}
    assert not tokens.missing_scope
    provider.token = Lie({"scope": "openid email extra"})
    tokens = app.log_in(provider, scope="openid profile email")
    assert tokens.scope == {"openid", "email", "extra"}
    assert tokens.missing_scope == {"profile"}
    assert "missing_scope='profile'" in caplog.text
    provider.token = Lie({"scope": None})
    tokens = app.log_in(provider, scope="openid profile")
    assert tokens.scope == {"openid", "profile"}
    assert not tokens.missing_scope


@pytest.mark.parametrize(("expires_in", "adds"), [(300, 300), (0, 0), (None, None), ("60", 60)])
def test_the_lifetime_counts_from_the_request(
    make_app: MakeApplication, provider: MockProvider, expires_in: object, adds: int | None
) -> None:
    provider.token = Lie({"expires_in": expires_in})
    tokens = make_app(provider).log_in(provider)
    assert tokens.expires_at == (None if adds is None else tokens.received_at + adds)


def test_tokens_can_be_sealed_and_opened_with_the_same_key_only(
    app: Application, provider: MockProvider
) -> None:
    tokens = app.log_in(provider)
    sealed = tokens.seal(RING)
    assert Tokens.open(sealed, RING) == tokens
    assert tokens.access_token.reveal() not in sealed
    for wrong in (sealed[:-2], sealed[:50] + "AAAA" + sealed[54:], ""):
        with pytest.raises(SealBroken):
            Tokens.open(wrong, RING)
    with pytest.raises(SealBroken):
        Tokens.open(sealed, KeyRing(["o" * 32]))
    with pytest.raises(TypeError, match="seal it"):
        pickle.dumps(tokens)


def test_a_session_speaks_every_method_and_joins_a_base_url(
    app: Application, colour: Colour, provider: MockProvider
) -> None:
    tokens, api = app.log_in(provider), Listener()
    api.routes["/v1/items"] = lambda request: Answer(200, request.method.encode())
    session = app.client.api(tokens, base_url=f"{api.origin}/v1/")
    for name in ("get", "post", "put", "patch", "delete"):
        assert colour.wait(getattr(session, name)("items")).text == name.upper()
    posted = colour.wait(session.post("/items", json={"a": 1}, params={"q": "x y"}))
    assert posted.status_code == 200
    assert (api.received[-1].target, api.received[-1].body) == ("/v1/items?q=x+y", b'{"a":1}')
    assert {r.headers["authorization"] for r in api.received} == {
        f"Bearer {tokens.access_token.reveal()}"
    }
    api.close()


def test_an_answer_can_be_streamed(provider: MockProvider) -> None:
    api = Listener()
    api.routes["/"] = lambda _: Answer(200, b"x" * (3 << 20))
    colour = Colour("sync")
    app = Application(colour, provider)
    assert isinstance(app.client, Client)
    with app.client.api(app.log_in(provider)).stream("GET", f"{api.origin}/") as response:
        assert sum(map(len, response.iter_bytes())) == 3 << 20
    app.close()

    async def main() -> int:
        async with AsyncClient(
            provider.issuer,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            redirect_uri=REDIRECT_URI,
        ) as client:
            login = await client.start_login()
            tokens = await client.finish_login(provider.authorize(login.url), login)
            async with client.api(tokens).stream("GET", f"{api.origin}/") as response:
                return len(await response.aread())

    assert asyncio.run(main()) == 3 << 20
    api.close()


def test_cookies_of_one_persons_api_do_not_reach_another(
    app: Application, provider: MockProvider
) -> None:
    api = Listener()
    api.routes["/"] = lambda _: Answer(200, b"", [("set-cookie", "who=alice; Path=/")])
    app.get(app.log_in(provider), f"{api.origin}/")
    app.get(app.log_in(provider), f"{api.origin}/")
    assert all("cookie" not in request.headers for request in api.received)
    api.close()


@pytest.mark.parametrize("url", ["https://api.example/", "http://localhost:1/", "http://[::1]:1/"])
def test_the_auth_object_serves_clients_of_others(url: str) -> None:
    import httpx2

    auth = BearerAuth(Secret("token"))
    request = httpx2.Request("GET", url)
    assert next(auth.sync_auth_flow(request)).headers["authorization"] == "Bearer token"
    assert "token" not in repr(auth)
    foreign = BearerAuth(Secret("token"), origins=["https://other.example"])
    with pytest.raises(UsageError):
        next(foreign.sync_auth_flow(httpx2.Request("GET", url)))


def test_two_hundred_interleaved_logins_never_mix(provider: MockProvider) -> None:
    client = Client(
        provider.issuer, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, redirect_uri=REDIRECT_URI
    )
    lock = threading.Lock()

    def start(_: int) -> tuple[PendingLogin, str]:
        login = client.start_login()
        with lock:
            return login, provider.authorize(login.url)

    with client, ThreadPoolExecutor(8) as pool:
        started = list(pool.map(start, range(200)))
        tokens = list(pool.map(lambda s: client.finish_login(s[1], s[0]), started))
    assert len({t.access_token.reveal() for t in tokens}) == 200
    assert [t.verified_identity().nonce for t in tokens] == [s[0].nonce for s in started]
    assert provider.count("/jwks") == provider.count("/.well-known/openid-configuration") == 1


def test_one_async_client_serves_one_event_loop_after_another(provider: MockProvider) -> None:
    client = AsyncClient(
        provider.issuer, client_id=CLIENT_ID, client_secret=CLIENT_SECRET, redirect_uri=REDIRECT_URI
    )

    async def main() -> str:
        async with client:
            logins = await asyncio.gather(*(client.start_login() for _ in range(10)))
            callbacks = [provider.authorize(login.url) for login in logins]
            found = await asyncio.gather(*map(client.finish_login, callbacks, logins))
            return found[0].verified_identity().subject

    assert asyncio.run(main()) == asyncio.run(main()) == "person-1"
    assert provider.count("/jwks") == provider.count("/.well-known/openid-configuration") == 1
