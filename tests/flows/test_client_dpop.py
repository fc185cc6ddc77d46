"""Tokens that are bound to a key of their login, at servers that look closely; both colours."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import httpx2
import pytest

from codegrant import (
    CodegrantError,
    ConfigurationError,
    KeyRing,
    LoginRequired,
    Refused,
    ResponseRejected,
    Tokens,
    TransportError,
    UsageError,
)
from codegrant.client import MemoryTokens
from codegrant.stores.token_file import TokenFile
from tests.flows.conftest import MakeApplication
from tests.support.application import Application, Clock
from tests.support.mock_provider import Answer, Grant, Lie, Received, redirect
from tests.support.other_grants import EXCHANGE, watch_pauses
from tests.support.proofs import header_of
from tests.support.proving_provider import ProvingApi, ProvingProvider, thumbprint_of

RING = KeyRing.parse("k" * 40)


@pytest.fixture
def provider() -> Iterator[ProvingProvider]:
    provider = ProvingProvider()
    yield provider
    provider.close()


@pytest.fixture
def clock(provider: ProvingProvider) -> Clock:
    provider.clock = clock = Clock()
    return clock


@pytest.fixture
def api(provider: ProvingProvider) -> Iterator[ProvingApi]:
    api = ProvingApi(provider)
    yield api
    api.close()


@pytest.fixture
def app(make_app: MakeApplication, provider: ProvingProvider, clock: Clock) -> Application:
    return make_app(provider, dpop=True, clock=clock)


def proven(*servers: ProvingProvider | ProvingApi) -> list[Received]:
    return [request for one in servers for request in one.received if "dpop" in request.headers]


def refused(app: Application, provider: ProvingProvider) -> CodegrantError:
    with pytest.raises(CodegrantError) as caught:
        app.log_in(provider)
    return caught.value


@pytest.mark.requirement("CL-TOK-13")
@pytest.mark.parametrize("pushed", [True, False], ids=["pushed", "in the address"])
def test_one_key_goes_through_all_of_a_login_and_no_proof_comes_twice(
    make_app: MakeApplication,
    provider: ProvingProvider,
    api: ProvingApi,
    clock: Clock,
    pushed: bool,
) -> None:
    app = make_app(provider, dpop=True, clock=clock, pushed_requests=pushed)
    tokens = app.log_in(provider)
    assert tokens.token_type == "DPoP"
    assert app.get(tokens, f"{api.url}?page=2").status_code == 200
    assert app.userinfo(tokens).sub == "person-1"
    clock.ahead = 301
    newer = app.refresh(tokens)
    assert app.get(newer, api.url).status_code == 200
    requests = proven(provider, api)
    assert len(requests) == 5 + pushed  # each was verified: htm, htu, ath, iat, signature
    assert {thumbprint_of(request) for request in requests} == {provider.requests[0]["dpop_jkt"]}
    assert len(provider.verifier.seen) == len(requests)
    assert newer.dpop_key == tokens.dpop_key


def test_each_login_has_a_key_of_its_own(app: Application, provider: ProvingProvider) -> None:
    one, other = app.log_in(provider), app.log_in(provider)
    assert one.dpop_key != other.dpop_key
    assert len({request["dpop_jkt"] for request in provider.requests}) == 2


def test_without_dpop_nothing_of_it_is_sent(
    make_app: MakeApplication, provider: ProvingProvider
) -> None:
    login = make_app(provider, pushed_requests=False).start()
    assert "code_challenge" in login.url
    assert "dpop_jkt" not in login.url
    with pytest.raises(Refused) as caught:
        make_app(provider).start()
    assert caught.value.error == "invalid_dpop_proof"
    assert proven(provider) == []


def test_a_code_is_worth_nothing_with_another_key(
    app: Application, provider: ProvingProvider
) -> None:
    login = app.start()
    callback = provider.authorize(login.url)
    (code,) = [code for code in provider.bound if code in callback]
    provider.bound[code] = "the thumbprint of somebody else's key"
    with pytest.raises(Refused) as caught:
        app.finish(callback, login)
    assert caught.value.error == "invalid_grant"


@pytest.mark.requirement("CL-TOK-13")
def test_each_origin_has_its_own_nonce_and_costs_one_request_more(
    app: Application, provider: ProvingProvider, api: ProvingApi
) -> None:
    provider.nonce, api.nonce = "nonce-of-the-server", "nonce-of-the-api"
    tokens = app.log_in(provider)
    assert provider.count("/par") == 2  # refused, and with the nonce
    assert provider.count("/token") == 1  # it is known by then
    for _ in range(3):
        assert app.get(tokens, api.url).status_code == 200
    assert len(api.received) == 4
    assert len(provider.verifier.seen) == 1 + 1 + 3  # what was refused is none of them


def test_a_nonce_that_comes_with_a_good_answer_is_used_next(
    app: Application, provider: ProvingProvider
) -> None:
    provider.following = "for-the-next-one"
    login = app.start()
    provider.nonce = "for-the-next-one"
    app.finish(provider.authorize(login.url), login)
    assert provider.count("/token") == 1


@pytest.mark.requirement("CL-TOK-13")
@pytest.mark.parametrize(
    ("nonces", "requests", "later"),
    [
        pytest.param(["a"], 2, 1, id="the one just sent, again"),
        pytest.param(["a", "b", "c"], 2, 2, id="another one each time"),
        pytest.param([""], 1, 1, id="none"),
        pytest.param(["x" * 1025], 1, 1, id="too long"),
        pytest.param(['a"b'], 1, 1, id="a quotation mark"),
        pytest.param(["a b"], 1, 1, id="a space"),
        pytest.param(["ä"], 1, 1, id="no ASCII"),
        pytest.param(["a\tb"], 1, 1, id="a tab"),
        pytest.param(["a\x7f"], 1, 1, id="a control character"),
        pytest.param(["a, b"], 1, 1, id="two of them in one field"),
    ],
)
def test_who_asks_for_nonces_over_and_over_is_asked_twice_and_no_more(
    app: Application,
    provider: ProvingProvider,
    api: ProvingApi,
    nonces: list[str],
    requests: int,
    later: int,
) -> None:
    asked = list(nonces)

    def never(_: Received) -> Answer:
        nonce = asked.pop(0) if len(asked) > 1 else asked[0]
        challenge = ("www-authenticate", 'DPoP error="use_dpop_nonce"')
        headers = [challenge, ("content-type", "application/json"), ("dpop-nonce", nonce)]
        return Answer(401, b'{"error":"use_dpop_nonce"}', headers)

    tokens = app.log_in(provider)
    api.routes["/me"] = never
    assert app.get(tokens, api.url).status_code == 401
    assert len(api.received) == requests
    assert provider.count("/token") == 1  # no refresh helps there
    asked[:] = nonces
    provider.routes["/token"] = never
    with pytest.raises(Refused) as caught:
        app.refresh(tokens)
    assert caught.value.error == "use_dpop_nonce"
    assert provider.count("/token") == 1 + requests
    asked[:] = nonces
    provider.routes["/userinfo"] = never
    with pytest.raises(Refused):
        app.userinfo(tokens)
    assert provider.count("/userinfo") == later  # a nonce of that origin is known already


def test_a_bearer_token_is_refused_where_a_bound_one_was_asked_for(
    app: Application, provider: ProvingProvider
) -> None:
    provider.kind = "Bearer"
    error = refused(app, provider)
    assert (type(error), error.code) == (ResponseRejected, "token_type_unknown")
    provider.kind = "DPoP"
    tokens = app.log_in(provider)
    provider.kind = "Bearer"
    with pytest.raises(ResponseRejected):
        app.refresh(tokens)


def test_a_bound_token_is_refused_where_none_was_asked_for(
    make_app: MakeApplication, provider: ProvingProvider, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app(provider, pushed_requests=False)
    issue = super(ProvingProvider, provider).issue

    def bound(grant: Grant, claims: Lie) -> dict[str, object]:
        return {**issue(grant, claims), "token_type": "DPoP"}

    provider.routes["/token"] = lambda request: super(ProvingProvider, provider).token_endpoint(
        request
    )
    monkeypatch.setattr(provider, "issue", bound)
    error = refused(app, provider)
    assert (type(error), error.code) == (ResponseRejected, "token_type_unknown")


@pytest.mark.parametrize(
    ("listed", "alg"),
    [
        pytest.param(["ES256"], "ES256", id="ES256"),
        pytest.param(["RS256", "EdDSA"], "EdDSA", id="EdDSA"),
        pytest.param(["Ed448", "Ed25519"], "Ed25519", id="EdDSA by its newer name alone"),
        pytest.param(["RS256", "PS256", "none"], "", id="nothing that we have"),
    ],
)
def test_a_proof_is_signed_as_the_server_can_verify_it(
    app: Application, provider: ProvingProvider, api: ProvingApi, listed: list[str], alg: str
) -> None:
    provider.describe(dpop_signing_alg_values_supported=listed)
    provider.verifier.algs = listed
    if alg:
        kept = Tokens.open(app.log_in(provider).seal(RING), RING)
        assert app.get(kept, api.url).status_code == 200
        assert app.refresh(kept).dpop_key == kept.dpop_key
        made = {header_of(request.headers["dpop"])["alg"] for request in proven(provider, api)}
        assert made == {alg}
        return
    error = refused(app, provider)
    assert (type(error), error.code) == (ConfigurationError, "no_dpop_alg")
    assert [path for path in provider.paths() if "well-known" not in path] == []


@pytest.mark.parametrize("place", ["memory", "file", "text"])
def test_the_key_is_kept_with_the_tokens(
    make_app: MakeApplication,
    provider: ProvingProvider,
    api: ProvingApi,
    clock: Clock,
    tmp_path: Path,
    place: str,
) -> None:
    tokens = make_app(provider, dpop=True, clock=clock).log_in(provider)
    saved: Any = TokenFile(tmp_path / "login", key_ring=RING)
    if place == "memory":
        saved = MemoryTokens(tokens)
    elif place == "file":
        saved.save(tokens)
        assert b"PRIVATE" not in (tmp_path / "login").read_bytes()
    else:
        saved = MemoryTokens(Tokens.open(tokens.seal(RING), RING))
    clock.ahead = 301  # another process, which refreshes first, and does not ask for bound ones
    assert make_app(provider, clock=clock).get(saved, api.url).status_code == 200
    kept = saved.load()
    assert kept.dpop_key == tokens.dpop_key
    assert not kept.is_same(tokens)


def test_stolen_tokens_are_worth_nothing_without_the_key(
    app: Application, provider: ProvingProvider, api: ProvingApi
) -> None:
    tokens = app.log_in(provider)
    other = app.log_in(provider)
    for stolen in (
        replace(tokens, dpop_key=None, token_type="Bearer", refresh_token=None),
        replace(tokens, dpop_key=other.dpop_key, refresh_token=None),
    ):
        assert app.get(stolen, api.url).status_code == 401
    with pytest.raises(LoginRequired):
        app.refresh(replace(tokens, dpop_key=other.dpop_key))


def test_a_proof_that_was_seen_on_the_way_is_worth_nothing(
    app: Application, provider: ProvingProvider, api: ProvingApi
) -> None:
    tokens = app.log_in(provider)
    assert app.get(tokens, api.url).status_code == 200
    api.routes["/other"] = api.me
    seen = {name: api.received[-1].headers[name] for name in ("authorization", "dpop")}
    for method, url in (
        ("GET", api.url),
        ("POST", api.url),
        ("GET", f"{api.origin}/other"),
        ("GET", f"{provider.issuer}/userinfo"),
    ):
        assert httpx2.request(method, url, headers=seen).status_code == 401
    assert app.get(tokens, f"{api.origin}/other").status_code == 200


def test_a_nonce_without_end_ends_the_request_and_nothing_else(
    app: Application, provider: ProvingProvider, api: ProvingApi, clock: Clock
) -> None:
    tokens = app.log_in(provider)
    saved = MemoryTokens(tokens)
    clock.ahead = 301
    endpoint = provider.routes["/token"]
    provider.routes["/token"] = lambda _: Answer(400, b"{}", [("dpop-nonce", "n" * 2_000_000)])
    with pytest.raises(TransportError):
        app.get(saved, api.url)
    assert saved.load() == tokens
    provider.routes["/token"] = endpoint
    assert app.get(saved, api.url).status_code == 200
    assert saved.load() != tokens


def test_a_repeat_is_dated_anew_however_long_the_first_request_took(
    app: Application, provider: ProvingProvider, api: ProvingApi, clock: Clock
) -> None:
    """The refusal of a large upload comes when all of it is sent."""
    api.nonce = "n"
    tokens = app.log_in(provider)

    def slow(request: Received) -> Answer:
        answer = api.me(request)
        clock.ahead += 90
        return answer

    api.routes["/slow"] = slow
    assert app.get(tokens, f"{api.origin}/slow").status_code == 200
    assert len(api.received) == 2


def test_a_token_that_the_api_refuses_is_refreshed_once(
    app: Application, provider: ProvingProvider, api: ProvingApi
) -> None:
    api.nonce = "n"
    tokens = app.log_in(provider)
    api.refused.add(tokens.access_token.reveal())
    assert app.get(tokens, api.url).status_code == 200
    assert len(provider.sent("refresh_token")) == 1


def test_a_redirect_gets_neither_token_nor_proof(
    app: Application, provider: ProvingProvider, api: ProvingApi
) -> None:
    """A proof is for one address, and nobody makes another one for where it leads."""
    api.routes["/old"] = lambda _: redirect("/me", 302)
    tokens = app.log_in(provider)
    answer = app.get(tokens, f"{api.origin}/old", follow_redirects=True)
    assert answer.status_code == 401
    old, new = api.received
    assert old.headers["authorization"].startswith("DPoP ")
    assert "authorization" not in new.headers
    assert "dpop" not in new.headers


def test_tokens_of_the_client_itself_are_bound_too(
    app: Application, provider: ProvingProvider, api: ProvingApi, clock: Clock
) -> None:
    client: Any = app.client
    tokens: Tokens = app.colour.wait(client.client_credentials(scope="read"))
    assert app.get(tokens, api.url).status_code == 200
    clock.ahead = 301
    assert app.get(tokens, api.url).status_code == 200
    assert {thumbprint_of(request) for request in proven(api)} == {
        provider.bound[tokens.access_token.reveal()]
    }


def test_a_login_on_another_device_is_bound_to_one_key(
    app: Application, provider: ProvingProvider, api: ProvingApi, clock: Clock
) -> None:
    watch_pauses(app, clock, [])
    provider.decisions = ["authorization_pending", "slow_down"]
    client: Any = app.client
    login = app.colour.wait(client.start_device_login(scope="openid"))
    tokens = app.colour.wait(client.finish_device_login(login))
    assert app.get(tokens, api.url).status_code == 200
    assert len({thumbprint_of(request) for request in proven(provider, api)}) == 1
    assert len(proven(provider)) == 3


def test_a_token_in_exchange_is_bound_too(
    app: Application, provider: ProvingProvider, api: ProvingApi
) -> None:
    tokens = app.log_in(provider)
    client: Any = app.client
    issued = app.colour.wait(client.exchange_token(tokens.access_token))
    assert len(provider.sent(EXCHANGE)) == 1
    assert app.get(issued.as_tokens(), api.url).status_code == 200
    assert issued.as_tokens().dpop_key not in {None, tokens.dpop_key}


def test_the_thumbprint_cannot_be_set_by_hand(app: Application) -> None:
    with pytest.raises(UsageError) as caught:
        app.start(extra={"dpop_jkt": "x"})
    assert caught.value.code == "own_parameter"


def test_no_key_is_told(
    app: Application, provider: ProvingProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    tokens = app.log_in(provider)
    assert tokens.dpop_key is not None
    body = "".join(tokens.dpop_key.to_pem().decode().splitlines()[1:-1])
    for text in (repr(tokens), str(tokens), repr(app.client), caplog.text):
        assert body[-40:] not in text
        assert "PRIVATE" not in text
