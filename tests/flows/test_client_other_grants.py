"""Client credentials and token exchange, in both colours."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from codegrant import KeyRing, Refused, ResponseRejected, Secret, Tokens, UsageError
from codegrant.client import ExchangedToken, MemoryTokens
from tests.flows.conftest import MakeApplication
from tests.support.application import Application, Clock
from tests.support.mock_provider import Answer, Lie, as_json
from tests.support.other_grants import EXCHANGE, GrantsProvider
from tests.support.picky_api import PickyApi

URN = "urn:ietf:params:oauth:token-type:"


@pytest.fixture
def provider() -> Iterator[GrantsProvider]:
    provider = GrantsProvider()
    yield provider
    provider.close()


@pytest.fixture
def clock(provider: GrantsProvider) -> Clock:
    provider.clock = clock = Clock()
    return clock


@pytest.fixture
def app(make_app: MakeApplication, provider: GrantsProvider, clock: Clock) -> Application:
    return make_app(provider, clock=clock)


@pytest.fixture
def api(provider: GrantsProvider) -> Iterator[PickyApi]:
    api = PickyApi(provider)
    yield api
    api.close()


def own_tokens(app: Application, **arguments: Any) -> Tokens:
    client: Any = app.client
    tokens: Tokens = app.colour.wait(client.client_credentials(**arguments))
    return tokens


def exchange(app: Application, token: Any, **arguments: Any) -> ExchangedToken:
    client: Any = app.client
    issued: ExchangedToken = app.colour.wait(client.exchange_token(token, **arguments))
    return issued


def test_a_client_asks_for_tokens_of_its_own(app: Application, provider: GrantsProvider) -> None:
    tokens = own_tokens(
        app, scope=["read", "write"], resource="https://api.example", audience=["one", "two"]
    )
    (sent,) = (r for r in provider.received if r.path == "/token")
    assert sent.body.decode() == (
        "grant_type=client_credentials&scope=read+write&resource=https%3A%2F%2Fapi.example"
        "&audience=one&audience=two"
    )
    assert sent.headers["authorization"].startswith("Basic ")
    assert tokens.scope == {"read", "write"}
    assert tokens.refresh_token is None
    assert tokens.identity is None
    own_tokens(app)
    assert provider.sent("client_credentials")[1] == {"grant_type": "client_credentials"}


def test_the_api_asks_again_when_they_expire(
    app: Application, provider: GrantsProvider, api: PickyApi, clock: Clock
) -> None:
    asked = {"scope": "read", "resource": "https://api.example", "audience": "one"}
    tokens = own_tokens(app, **asked)
    session = app.client.api(tokens)
    for ahead, requests in [(0, 1), (265, 1), (275, 2), (400, 2), (275 + 275, 3)]:
        clock.ahead = ahead
        assert app.colour.wait(session.get(api.url)).status_code == 200
        assert len(provider.sent("client_credentials")) == requests
    assert (
        provider.sent("client_credentials") == [{"grant_type": "client_credentials", **asked}] * 3
    )
    assert provider.sent("refresh_token") == []


def test_the_api_asks_again_when_they_are_refused(
    app: Application, provider: GrantsProvider, api: PickyApi
) -> None:
    tokens = own_tokens(app, scope="read")
    api.refused.add(tokens.access_token.reveal())
    session = app.client.api(tokens)
    for _ in range(2):
        assert app.colour.wait(session.get(api.url)).status_code == 200
    assert len(provider.sent("client_credentials")) == 2


def test_many_calls_at_once_ask_once(
    app: Application, provider: GrantsProvider, api: PickyApi, clock: Clock
) -> None:
    session: Any = app.client.api(own_tokens(app))
    clock.ahead = 301
    if app.colour.is_async:

        async def ten() -> list[Any]:
            return list(await asyncio.gather(*(session.get(api.url) for _ in range(10))))

        answers: list[Any] = app.colour.wait(ten())
    else:
        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(session.get, [api.url] * 10))
    assert [answer.status_code for answer in answers] == [200] * 10
    assert len(provider.sent("client_credentials")) == 2


def test_they_are_kept_and_sealed_as_any_others(
    app: Application, provider: GrantsProvider, api: PickyApi, clock: Clock
) -> None:
    ring = KeyRing(["k" * 32])
    tokens = own_tokens(app, scope="read", audience="one")
    opened = Tokens.open(tokens.seal(ring), ring)
    assert opened == tokens
    saved = MemoryTokens(opened)
    clock.ahead = 301
    assert app.get(saved, api.url).status_code == 200
    kept = saved.load()
    assert kept is not None
    assert api.tokens() == [kept.access_token.reveal()]
    assert provider.sent("client_credentials")[1]["audience"] == "one"
    assert app.refresh(tokens).is_same(kept)


def test_a_failure_of_the_server_is_told_as_it_is_and_the_tokens_stay(
    app: Application, provider: GrantsProvider, api: PickyApi, clock: Clock
) -> None:
    saved, truth = MemoryTokens(own_tokens(app)), provider.routes["/token"]
    clock.ahead = 301
    for answer, code in [
        (Answer(503, b""), "server_failed"),
        (as_json({"error": "invalid_client"}, 401), "invalid_client"),
        (as_json({"error": "unauthorized_client"}, 400), "unauthorized_client"),
    ]:
        provider.routes["/token"] = lambda _, answer=answer: answer  # type: ignore[misc]
        with pytest.raises((Refused, ResponseRejected)) as caught:
            app.get(saved, api.url)
        assert caught.value.code == code
        assert saved.load() is not None
    assert api.received == []
    provider.routes["/token"] = truth
    assert app.get(saved, api.url).status_code == 200


def test_a_refresh_token_that_should_not_come_is_not_kept(
    app: Application, provider: GrantsProvider
) -> None:
    provider.client_token = Lie({"refresh_token": "s3cret"})
    assert own_tokens(app).refresh_token is None


def test_a_public_client_has_no_tokens_of_its_own(
    make_app: MakeApplication, provider: GrantsProvider
) -> None:
    with pytest.raises(UsageError) as caught:
        own_tokens(make_app(provider, client_secret=None))
    assert caught.value.code == "public_client"
    assert provider.sent("client_credentials") == []


@pytest.mark.parametrize(
    ("error", "word"),
    [
        ("unauthorized_client", "client_credentials"),
        ("invalid_scope", "scopes"),
        ("invalid_target", "resource"),
        ("unsupported_grant_type", "client_credentials"),
    ],
)
def test_the_hint_of_a_refusal_speaks_of_this_grant(
    app: Application, provider: GrantsProvider, error: str, word: str
) -> None:
    provider.routes["/token"] = lambda _: as_json({"error": error}, 400)
    with pytest.raises(Refused) as caught:
        own_tokens(app)
    assert (caught.value.code, caught.value.stage) == (error, "token")
    assert word in caught.value.hint


def test_revoked_tokens_are_not_asked_for_again(
    app: Application, provider: GrantsProvider, api: PickyApi, clock: Clock
) -> None:
    tokens = own_tokens(app)
    app.revoke(tokens)
    clock.ahead = 301
    with pytest.raises(Refused) as caught:
        app.get(tokens, api.url)
    assert caught.value.code == "tokens_revoked"
    assert len(provider.sent("client_credentials")) == 1


def test_a_token_is_given_for_another_one(
    app: Application, provider: GrantsProvider, api: PickyApi
) -> None:
    subject = own_tokens(app).access_token
    issued = exchange(
        app,
        subject,
        actor_token="s3cret-actor",
        actor_token_type="jwt",
        requested_token_type="access_token",
        scope="read",
        resource="https://api.example",
        audience="one",
    )
    assert provider.sent(EXCHANGE) == [
        {
            "grant_type": EXCHANGE,
            "subject_token": subject.reveal(),
            "subject_token_type": f"{URN}access_token",
            "actor_token": "s3cret-actor",
            "actor_token_type": f"{URN}jwt",
            "requested_token_type": f"{URN}access_token",
            "scope": "read",
            "resource": "https://api.example",
            "audience": "one",
        }
    ]
    assert issued.issued_token_type == f"{URN}access_token"
    assert issued.expires_at is not None
    assert app.get(issued.as_tokens(), api.url).status_code == 200
    assert api.tokens() == [issued.token.reveal()]
    assert issued.token.reveal() not in repr(issued)
    exchange(app, subject.reveal(), subject_token_type="urn:example:other")
    assert provider.sent(EXCHANGE)[1] == {
        "grant_type": EXCHANGE,
        "subject_token": subject.reveal(),
        "subject_token_type": "urn:example:other",
    }


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param({"token_type": "N_A", "issued_token_type": f"{URN}jwt"}, id="N_A"),
        pytest.param({"token_type": "n_a", "issued_token_type": f"{URN}saml2"}, id="n_a"),
        pytest.param({"issued_token_type": f"{URN}refresh_token"}, id="a refresh token"),
        pytest.param({"issued_token_type": f"{URN}id_token"}, id="an ID token"),
    ],
)
def test_what_is_no_access_token_goes_to_no_api(
    app: Application, provider: GrantsProvider, answer: dict[str, object]
) -> None:
    subject = own_tokens(app).access_token
    assert exchange(app, subject).tokens is not None
    provider.exchanged = Lie(answer)
    issued = exchange(app, subject)
    assert (issued.tokens, issued.issued_token_type) == (None, answer["issued_token_type"])
    with pytest.raises(UsageError) as caught:
        issued.as_tokens()
    assert caught.value.code == "no_access_token"


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param({"issued_token_type": None}, "issued_token_type_mismatch", id="no type"),
        pytest.param({"issued_token_type": ""}, "issued_token_type_mismatch", id="an empty type"),
        pytest.param({"issued_token_type": 7}, "issued_token_type_mismatch", id="a number"),
        pytest.param(
            {"issued_token_type": f"{URN}id_token"}, "issued_token_type_mismatch", id="another type"
        ),
        pytest.param({"token_type": None}, "token_type_unknown", id="no token_type"),
        pytest.param({"token_type": "DPoP"}, "token_type_unknown", id="DPoP"),
        pytest.param({"access_token": None}, "malformed_token_response", id="no token"),
    ],
)
def test_an_answer_that_is_not_what_was_asked_for_is_refused(
    app: Application, provider: GrantsProvider, answer: dict[str, object], code: str
) -> None:
    subject = own_tokens(app).access_token
    provider.exchanged = Lie(answer)
    with pytest.raises(ResponseRejected) as caught:
        exchange(app, subject, requested_token_type="access_token")
    assert (caught.value.code, caught.value.stage) == (code, "token")


def test_n_a_is_no_token_type_of_any_other_grant(
    app: Application, provider: GrantsProvider
) -> None:
    provider.client_token = Lie({"token_type": "N_A"})
    with pytest.raises(ResponseRejected) as caught:
        own_tokens(app)
    assert caught.value.code == "token_type_unknown"


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        ({"subject_token": ""}, "empty_token"),
        ({"actor_token": "a"}, "actor_incomplete"),
        ({"actor_token_type": "jwt"}, "actor_incomplete"),
        ({"actor_token": "", "actor_token_type": "jwt"}, "empty_token"),
        ({"subject_token_type": "token"}, "bad_token_type"),
        ({"subject_token_type": ""}, "bad_token_type"),
        ({"requested_token_type": "bearer"}, "bad_token_type"),
        ({"scope": "a\nb"}, "bad_scope"),
    ],
)
def test_arguments_that_do_not_fit_send_nothing(
    app: Application, provider: GrantsProvider, arguments: dict[str, str], code: str
) -> None:
    given = dict(arguments)
    with pytest.raises(UsageError) as caught:
        exchange(app, given.pop("subject_token", "s3cret"), **given)
    assert caught.value.code == code
    assert provider.received == []


def test_a_refusal_hides_what_was_sent(app: Application, provider: GrantsProvider) -> None:
    given = Secret("s3cret-subject-token")

    def repeat(_: object) -> Answer:
        return as_json({"error": "invalid_request", "error_description": given.reveal()}, 400)

    provider.routes["/token"] = repeat
    with pytest.raises(Refused) as caught:
        exchange(app, given)
    assert given.reveal() not in str(caught.value)
    assert "subject" in caught.value.hint
