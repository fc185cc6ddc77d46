"""`api`: access tokens that are refreshed in time, at an API that looks at them."""

from __future__ import annotations

import asyncio
import contextvars
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from codegrant import (
    AsyncClient,
    Client,
    CodegrantError,
    ConfigurationError,
    LoginRequired,
    Refused,
    ResponseRejected,
    StoreError,
    Tokens,
    TransportError,
    UsageError,
)
from codegrant.client import MemoryTokens
from tests.flows.conftest import MakeApplication
from tests.support.application import Application, Clock
from tests.support.colours import Colour
from tests.support.mock_provider import (
    BROKEN,
    CLIENT_ID,
    CLIENT_SECRET,
    HUGE,
    Answer,
    Lie,
    MockProvider,
    Received,
    as_json,
    html,
)
from tests.support.picky_api import INVALID
from tests.support.picky_api import PickyApi as Api


@pytest.fixture
def api(provider: MockProvider) -> Iterator[Api]:
    api = Api(provider)
    yield api
    api.close()


@pytest.fixture
def clock(provider: MockProvider) -> Clock:
    provider.clock = clock = Clock()
    return clock


@pytest.fixture
def app(make_app: MakeApplication, provider: MockProvider, clock: Clock) -> Application:
    return make_app(provider, clock=clock)


def test_a_token_is_refreshed_shortly_before_it_expires(
    app: Application, provider: MockProvider, api: Api, clock: Clock
) -> None:
    tokens = app.log_in(provider)
    session = app.client.api(tokens)
    for ahead, refreshes in [(0, 0), (265, 0), (275, 1), (400, 1), (275 + 275, 2)]:
        clock.ahead = ahead
        assert app.colour.wait(session.get(api.url)).status_code == 200
        assert len(provider.sent("refresh_token")) == refreshes
    assert api.tokens()[0] == tokens.access_token.reveal()
    assert len(set(api.tokens())) == 3


@pytest.mark.parametrize(
    ("expires_in", "early"),
    [
        pytest.param(20, 2, id="20 s"),
        pytest.param(3600, 30, id="an hour"),
        pytest.param(9, 0, id="9 s"),
    ],
)
def test_early_is_a_tenth_of_the_life_and_at_most_half_a_minute(
    app: Application, provider: MockProvider, api: Api, clock: Clock, expires_in: int, early: int
) -> None:
    provider.token = Lie({"expires_in": expires_in})
    tokens = app.log_in(provider)
    assert tokens.expires_at is not None
    for before, due in [(early + 1, False), (early, True), (0, True), (-1, True)]:
        assert tokens.is_due(tokens.expires_at - before) is due
    assert not tokens.is_expired(tokens.expires_at - 1)
    assert tokens.is_expired(tokens.expires_at)


def test_a_token_without_an_end_is_refreshed_when_it_is_refused(
    app: Application, provider: MockProvider, api: Api, clock: Clock
) -> None:
    provider.token = Lie({"expires_in": None})
    tokens = app.log_in(provider)
    clock.ahead = 10_000_000
    session = app.client.api(tokens)
    assert app.colour.wait(session.get(api.url)).status_code == 200
    assert provider.sent("refresh_token") == []
    api.refused.add(tokens.access_token.reveal())
    assert app.colour.wait(session.post(api.url, json={"a": 1})).json() == {"a": 1}
    assert len(provider.sent("refresh_token")) == 1
    assert [r.body for r in api.received[1:]] == [b'{"a":1}'] * 2


def test_a_refused_token_is_refreshed_once_and_no_more(
    app: Application, provider: MockProvider, api: Api
) -> None:
    tokens = app.log_in(provider)
    api.routes["/me"] = lambda _: Answer(401, b"", INVALID)
    session = app.client.api(tokens)
    for _ in range(3):
        assert app.colour.wait(session.get(api.url)).status_code == 401
    assert len(provider.sent("refresh_token")) == 1
    # An API that takes no token of this client causes no refresh for the next session either.
    assert app.get(app.refresh(tokens), api.url).status_code == 401
    assert len(provider.sent("refresh_token")) == 1


def test_processes_do_not_refresh_in_turn_for_an_api_that_takes_no_token(
    make_app: MakeApplication, provider: MockProvider, api: Api, clock: Clock
) -> None:
    """Each would hold what the other has just got for something new."""
    apps = [make_app(provider, clock=clock) for _ in range(3)]
    saved = MemoryTokens(apps[0].log_in(provider))
    clock.ahead = 100
    api.routes["/me"] = lambda _: Answer(401, b"", INVALID)
    for app in apps * 5:
        assert app.get(saved, api.url).status_code == 401
    assert len(provider.sent("refresh_token")) == 3
    # After a minute one of them tries again, and the API has come round.
    clock.ahead = 162
    api.routes["/me"] = api.me
    kept = saved.load()
    assert kept is not None
    api.refused.add(kept.access_token.reveal())
    assert [app.get(saved, api.url).status_code for app in apps] == [200] * 3
    assert len(provider.sent("refresh_token")) == 4


@pytest.mark.parametrize(
    ("status", "challenge"),
    [
        pytest.param(401, [], id="401, no challenge"),
        pytest.param(401, [("www-authenticate", "Bearer")], id="401, no error"),
        pytest.param(401, [("www-authenticate", 'Basic error="invalid_token"')], id="401, Basic"),
        pytest.param(401, [("www-authenticate", 'Bearer error="invalid_request"')], id="another"),
        pytest.param(401, [("www-authenticate", 'Bearer "')], id="401, no challenge at all"),
        pytest.param(403, INVALID, id="403"),
        pytest.param(403, [("www-authenticate", 'Bearer error="insufficient_scope"')], id="scope"),
    ],
)
def test_any_other_refusal_is_the_programs_to_judge(
    app: Application,
    provider: MockProvider,
    api: Api,
    status: int,
    challenge: list[tuple[str, str]],
) -> None:
    api.routes["/me"] = lambda _: Answer(status, b"", challenge)
    assert app.get(app.log_in(provider), api.url).status_code == status
    assert provider.sent("refresh_token") == []
    api.routes["/me"] = api.me
    api.challenge = [("www-authenticate", 'Basic realm="x"'), *INVALID]
    tokens = app.log_in(provider)
    api.refused.add(tokens.access_token.reveal())
    assert app.get(tokens, api.url).status_code == 200


def test_without_a_refresh_token_a_refusal_is_told_and_the_end_asks_for_a_login(
    app: Application, provider: MockProvider, api: Api, clock: Clock
) -> None:
    provider.token = Lie({"refresh_token": None})
    tokens = app.log_in(provider)
    clock.ahead = 275
    assert app.get(tokens, api.url).status_code == 200
    api.refused.add(tokens.access_token.reveal())
    assert app.get(tokens, api.url).status_code == 401
    sent = len(api.received)
    clock.ahead = 301
    with pytest.raises(LoginRequired) as caught:
        app.get(tokens, api.url)
    assert caught.value.code == "no_refresh_token"
    assert len(api.received) == sent


@pytest.mark.requirement("CL-TOK-07")
def test_many_calls_of_one_session_make_one_refresh(
    app: Application, provider: MockProvider, api: Api, clock: Clock
) -> None:
    kept: list[Tokens] = []
    session: Any = app.client.api(app.log_in(provider), on_tokens=kept.append)
    clock.ahead = 301
    if app.colour.is_async:

        async def ten() -> list[httpx2.Response]:
            return list(await asyncio.gather(*(session.get(api.url) for _ in range(10))))

        answers: list[httpx2.Response] = app.colour.wait(ten())
    else:
        with ThreadPoolExecutor(10) as pool:
            answers = list(pool.map(session.get, [api.url] * 10))
    assert [answer.status_code for answer in answers] == [200] * 10
    assert len(provider.sent("refresh_token")) == 1
    assert [tokens.access_token.reveal() for tokens in kept] == [api.tokens()[0]]


@pytest.mark.requirement("CL-TOK-07")
def test_a_session_made_for_each_call_refreshes_once(
    app: Application, provider: MockProvider, api: Api, clock: Clock
) -> None:
    tokens = app.log_in(provider)
    clock.ahead = 301
    for _ in range(5):  # of the old tokens, which were never replaced by the program
        assert app.get(tokens, api.url).status_code == 200
    assert len(provider.sent("refresh_token")) == 1
    clock.ahead = 602
    assert app.get(tokens, api.url).status_code == 200
    assert len(provider.sent("refresh_token")) == 2


@pytest.mark.requirement("CL-TOK-08")
def test_dead_tokens_are_dropped_and_nothing_is_sent_to_the_api(
    app: Application, provider: MockProvider, api: Api, clock: Clock
) -> None:
    saved = MemoryTokens(app.log_in(provider))
    provider.refresh_tokens.clear()
    clock.ahead = 301
    for code in ("invalid_grant", "login_ended"):
        with pytest.raises(LoginRequired) as caught:
            app.get(saved, api.url)
        assert caught.value.code == code
        assert saved.load() is None
    assert api.received == []
    saved.save(app.log_in(provider))
    assert app.get(saved, api.url).status_code == 200


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        pytest.param(Answer(500, b""), ResponseRejected, "server_failed", id="500"),
        pytest.param(Answer(503, b""), ResponseRejected, "server_failed", id="503"),
        pytest.param(html(), ResponseRejected, "not_json", id="a page"),
        pytest.param(BROKEN, ResponseRejected, "malformed_token_response", id="half of it"),
        pytest.param(HUGE, TransportError, "too_large", id="10 MB"),
        pytest.param(
            as_json({"access_token": "x", "token_type": "mac"}),
            ResponseRejected,
            "token_type_unknown",
            id="of a type unknown",
        ),
        pytest.param(None, TransportError, "timeout", id="none at all"),
    ],
)
def test_a_server_in_trouble_costs_no_call_before_the_end_and_no_token_after_it(
    make_app: MakeApplication,
    provider: MockProvider,
    api: Api,
    clock: Clock,
    answer: Answer | None,
    kind: type[CodegrantError],
    code: str,
) -> None:
    app = make_app(provider, clock=clock, timeout=0.3 if answer is None else 5.0)
    tokens = app.log_in(provider)
    saved, truth = MemoryTokens(tokens), provider.routes["/token"]
    provider.routes["/token"] = provider.hang if answer is None else lambda _: answer
    clock.ahead = 275
    assert app.get(saved, api.url).status_code == 200
    clock.ahead = 301
    called = len(api.received)
    with pytest.raises(kind) as caught:
        app.get(saved, api.url)
    assert (caught.value.code, caught.value.stage) == (code, "refresh")
    assert saved.load() is tokens
    assert len(api.received) == called
    provider.routes["/token"] = truth
    assert app.get(saved, api.url).status_code == 200
    assert saved.load() is not tokens


def test_a_server_in_trouble_is_not_asked_with_every_call_while_the_token_is_good(
    app: Application, provider: MockProvider, api: Api, clock: Clock
) -> None:
    saved, truth = MemoryTokens(app.log_in(provider)), provider.routes["/token"]
    provider.routes["/token"] = lambda _: Answer(503, b"")
    for ahead, asked in [(275, 1), (275, 1), (279, 1), (281, 2), (281, 2), (287, 3)]:
        clock.ahead = ahead
        assert app.get(saved, api.url).status_code == 200
        assert len(provider.sent("refresh_token")) == asked, ahead
    tokens = saved.load()
    assert tokens is not None
    failure = app.client.flows.lineage.recent_failure(tokens, int(clock()))
    assert failure is not None
    assert failure.__traceback__ is None  # which would hold requests, and what is in them
    provider.routes["/token"] = truth
    clock.ahead = 301  # nothing is left to use: now it is asked, whenever it failed
    assert app.get(saved, api.url).status_code == 200
    assert len(provider.sent("refresh_token")) == 4


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        pytest.param(Answer(503, b""), ResponseRejected, "server_failed", id="503"),
        pytest.param(Answer(429, b"slowly!"), ResponseRejected, "not_json", id="429"),
        pytest.param(
            as_json({"error": "temporarily_unavailable"}, 429),
            Refused,
            "temporarily_unavailable",
            id="429, OAuth",
        ),
    ],
)
@pytest.mark.parametrize(
    ("says", "waits"),
    [
        pytest.param("20", 20, id="20 s"),
        pytest.param("86400", 60, id="a day"),
        pytest.param("0", 0, id="no time"),
        pytest.param("soon", 0, id="no number"),
        pytest.param("-5", 0, id="less than none"),
        pytest.param("9" * 400, 0, id="400 digits"),
    ],
)
def test_a_server_that_asks_for_time_gets_it(
    app: Application,
    provider: MockProvider,
    api: Api,
    clock: Clock,
    answer: Answer,
    kind: type[CodegrantError],
    code: str,
    says: str,
    waits: int,
) -> None:
    tokens = app.log_in(provider)
    saved, truth = MemoryTokens(tokens), provider.routes["/token"]
    busy = Answer(answer.status, answer.body, [*answer.headers, ("retry-after", says)])
    provider.routes["/token"] = lambda _: busy
    clock.ahead = start = 310
    asked = 0
    for _ in range(3):
        asked = asked if asked and waits else asked + 1
        with pytest.raises(kind) as caught:
            app.get(saved, api.url)
        assert (caught.value.code, caught.value.stage) == (code, "refresh")
        assert len(provider.sent("refresh_token")) == asked
    assert saved.load() is tokens
    assert api.received == []
    provider.routes["/token"] = truth
    clock.ahead = start + waits + 2
    assert app.get(saved, api.url).status_code == 200


def test_new_tokens_are_kept_before_they_are_used(
    app: Application, provider: MockProvider, api: Api, clock: Clock
) -> None:
    seen: list[tuple[str, int]] = []
    saved = MemoryTokens(app.log_in(provider))

    def note(tokens: Tokens) -> None:
        assert saved.load() is tokens
        seen.append((tokens.access_token.reveal(), len(api.received)))

    async def note_later(tokens: Tokens) -> None:
        await asyncio.sleep(0)
        note(tokens)

    client: Any = app.client
    session = client.api(saved, on_tokens=note_later if app.colour.is_async else note)
    clock.ahead = 301
    assert app.colour.wait(session.get(api.url)).status_code == 200
    assert seen == [(api.tokens()[0], 0)]


def test_tokens_that_cannot_be_kept_are_not_used_and_not_lost(
    app: Application, provider: MockProvider, api: Api, clock: Clock
) -> None:
    failures = [StoreError("the disk is full", code="store_full"), ConfigurationError("no key")]
    kept: list[Tokens] = []

    def keep(tokens: Tokens) -> None:
        if failures:
            raise failures.pop()
        kept.append(tokens)

    session = app.client.api(app.log_in(provider), on_tokens=keep)
    clock.ahead = 275  # the old token would still do
    for _ in range(2):
        with pytest.raises((StoreError, ConfigurationError)):
            app.colour.wait(session.get(api.url))
    assert api.received == []
    assert app.colour.wait(session.get(api.url)).status_code == 200
    assert len(provider.sent("refresh_token")) == len(kept) == 1


def test_who_is_told_of_new_tokens_cannot_ask_the_session_that_waits(
    app: Application, provider: MockProvider, api: Api, clock: Clock
) -> None:
    errors: list[str] = []

    def call_back(_: Tokens) -> None:
        try:
            session.get(api.url)
        except UsageError as error:
            errors.append(error.code)

    async def call_back_later(_: Tokens) -> None:
        await asyncio.sleep(0)
        with pytest.raises(UsageError) as caught:
            await session.get(api.url)
        errors.append(caught.value.code)

    on_tokens: Any = call_back_later if app.colour.is_async else call_back
    session: Any = app.client.api(app.log_in(provider), on_tokens=on_tokens)
    clock.ahead = 301
    assert app.colour.wait(session.get(api.url)).status_code == 200
    assert errors == ["on_tokens_calls_back"]
    assert app.colour.wait(session.get(api.url)).status_code == 200  # and can be called on


def test_who_is_told_cannot_ask_it_through_another_session_either(
    app: Application, provider: MockProvider, api: Api, clock: Clock
) -> None:
    """Each would wait for the other."""
    codes: list[str] = []

    def note(error: BaseException) -> None:
        codes.append(getattr(error, "code", repr(error)))

    def tell_second(_: Tokens) -> None:
        second.get(api.url)

    def call_first(_: Tokens) -> None:
        try:
            first.get(api.url)
        except UsageError as error:
            note(error)

    async def tell_second_later(_: Tokens) -> None:
        await second.get(api.url)

    async def call_first_later(_: Tokens) -> None:
        try:
            await asyncio.wait_for(first.get(api.url), 20)
        except (UsageError, TimeoutError) as error:
            note(error)

    tell: list[Any] = [tell_second, call_first]
    if app.colour.is_async:
        tell = [tell_second_later, call_first_later]
    first: Any = app.client.api(app.log_in(provider), on_tokens=tell[0])
    second: Any = app.client.api(app.log_in(provider), on_tokens=tell[1])
    clock.ahead = 301
    assert app.colour.wait(first.get(api.url)).status_code == 200
    assert codes == ["on_tokens_calls_back"]


def test_what_is_begun_when_new_tokens_are_told_may_ask_the_session_later(
    provider: MockProvider, api: Api, clock: Clock
) -> None:
    """A task inherits the context that it is made in, for as long as it lives."""
    app = Application(Colour("async"), provider, clock=clock)
    told: list[contextvars.Context] = []

    async def remember(_: Tokens) -> None:
        await asyncio.sleep(0)
        told.append(contextvars.copy_context())

    async def main() -> list[int]:
        session: Any = client.api(old, on_tokens=remember)
        first = (await session.get(api.url)).status_code
        clock.ahead = 301 + 301
        (context,) = told
        later = asyncio.create_task(session.get(api.url), context=context)
        return [first, (await later).status_code]

    client: Any = app.client
    old = app.log_in(provider)
    clock.ahead = 301
    statuses: list[int] = app.colour.wait(main())
    assert statuses == [200, 200]
    assert len(told) == 2
    app.close()
    app.colour.close()


def test_tokens_without_a_refresh_token_survive_the_refusal_of_one_api(
    app: Application, provider: MockProvider, api: Api
) -> None:
    tokens = replace(app.log_in(provider), refresh_token=None)
    saved, other = MemoryTokens(tokens), Api(provider)
    api.refused.add(tokens.access_token.reveal())
    session: Any = app.client.api(saved)
    assert app.colour.wait(session.get(api.url)).status_code == 401
    assert saved.load() is tokens
    assert app.colour.wait(session.get(other.url)).status_code == 200
    other.close()


def test_a_refusal_is_answered_with_newer_tokens_that_somebody_has_saved(
    app: Application, provider: MockProvider, api: Api
) -> None:
    old, new = (replace(app.log_in(provider), refresh_token=None) for _ in range(2))
    saved = MemoryTokens(old)
    session: Any = app.client.api(saved)
    assert app.colour.wait(session.get(api.url)).status_code == 200
    saved.save(new)
    api.refused.add(old.access_token.reveal())
    assert app.colour.wait(session.get(api.url)).status_code == 200
    assert api.tokens()[-1] == new.access_token.reveal()


def test_a_login_that_ended_meanwhile_does_not_come_back(
    app: Application, provider: MockProvider, api: Api, clock: Clock
) -> None:
    saved, truth = MemoryTokens(app.log_in(provider)), provider.routes["/token"]

    def log_out_meanwhile(request: Received) -> Answer:
        saved.delete()
        return truth(request)

    provider.routes["/token"] = log_out_meanwhile
    clock.ahead = 301
    with pytest.raises(LoginRequired) as caught:
        app.get(saved, api.url)
    assert caught.value.code == "login_ended"
    assert saved.load() is None
    assert api.received == []
    # Nobody knows the new tokens, so they are revoked.
    assert provider.count("/revoke") == 1
    assert provider.refresh_tokens == {}


def test_what_a_sibling_has_saved_is_used_and_not_refreshed_again(
    make_app: MakeApplication, provider: MockProvider, api: Api, clock: Clock
) -> None:
    one, other = make_app(provider, clock=clock), make_app(provider, clock=clock)
    saved = MemoryTokens(one.log_in(provider))
    mine, its = one.client.api(saved), other.client.api(saved)
    assert other.colour.wait(its.get(api.url)).status_code == 200
    clock.ahead = 301
    assert one.colour.wait(mine.get(api.url)).status_code == 200
    assert other.colour.wait(its.get(api.url)).status_code == 200
    assert len(provider.sent("refresh_token")) == 1
    assert api.tokens()[1] == api.tokens()[2]


def test_an_invalid_grant_reads_again_before_it_gives_up(
    make_app: MakeApplication, provider: MockProvider, api: Api, clock: Clock
) -> None:
    one, other = make_app(provider, clock=clock), make_app(provider, clock=clock)
    tokens = one.log_in(provider)
    saved, truth = MemoryTokens(tokens), provider.routes["/token"]
    racing = [True]

    def sibling_wins(request: Received) -> Answer:
        if racing:
            racing.clear()  # the sibling's own request goes through
            answer = truth(request)
            body = httpx2.Response(200, content=answer.body).json()
            won = replace(
                tokens,
                access_token=type(tokens.access_token)(body["access_token"]),
                refresh_token=type(tokens.access_token)(body["refresh_token"]),
                expires_at=int(clock()) + 300,
                received_at=int(clock()),
            )
            saved.save(won)
            return as_json({"error": "invalid_grant"}, 400)
        return truth(request)

    provider.routes["/token"] = sibling_wins
    clock.ahead = 301
    assert other.get(saved, api.url).status_code == 200
    assert len(provider.sent("refresh_token")) == 1
    kept = saved.load()
    assert kept is not None
    assert api.tokens() == [kept.access_token.reveal()]


def test_a_session_never_goes_on_as_somebody_else(
    app: Application, provider: MockProvider, api: Api, clock: Clock
) -> None:
    saved = MemoryTokens(app.log_in(provider))
    session = app.client.api(saved)
    assert app.colour.wait(session.get(api.url)).status_code == 200
    provider.subject = "person-2"
    saved.save(app.log_in(provider))
    clock.ahead = 301
    with pytest.raises(LoginRequired) as caught:
        app.colour.wait(session.get(api.url))
    assert caught.value.code == "login_ended"
    assert saved.load() is not None
    assert app.get(saved, api.url).status_code == 200


@pytest.mark.requirement("CL-TOK-10")
def test_saved_tokens_of_another_issuer_go_nowhere(
    make_app: MakeApplication, provider: MockProvider, api: Api, clock: Clock
) -> None:
    other = MockProvider(path="/other")
    saved = MemoryTokens(make_app(provider).log_in(provider))
    stranger = make_app(other, clock=clock)
    for ahead in (0, 301):
        clock.ahead = ahead
        with pytest.raises(UsageError) as caught:
            stranger.get(saved, api.url)
        assert caught.value.code == "foreign_tokens"
    assert (api.received, other.received) == ([], [])
    assert saved.load() is not None
    other.close()


def test_a_refused_token_is_refreshed_for_the_origin_that_was_named_alone(
    app: Application, provider: MockProvider, api: Api
) -> None:
    tokens = app.log_in(provider)
    for url in ("http://api.example/", "/path"):
        with pytest.raises(UsageError):
            app.get(tokens, url)
    api.refused.add(tokens.access_token.reveal())
    assert app.get(tokens, f"{api.origin}/old", follow_redirects=True).status_code == 401
    assert provider.sent("refresh_token") == []


def test_a_call_that_is_broken_off_in_a_refresh_leaves_nothing_locked(
    provider: MockProvider, api: Api, clock: Clock
) -> None:
    arrived, go_on, truth = threading.Event(), threading.Event(), provider.routes["/token"]
    kept: list[Tokens] = []

    def slow(request: Received) -> Answer:
        arrived.set()
        go_on.wait()
        return truth(request)

    async def main() -> int:
        async with AsyncClient(
            provider.issuer,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            redirect_uri="https://app.example/callback",
            clock=clock,
        ) as client:
            login = await client.start_login()
            tokens = await client.finish_login(provider.authorize(login.url), login)
            session = client.api(tokens, on_tokens=kept.append)
            clock.ahead = 301
            provider.routes["/token"] = slow
            first = asyncio.create_task(session.get(api.url))
            await asyncio.to_thread(arrived.wait)
            first.cancel()
            with pytest.raises(asyncio.CancelledError):
                await first
            go_on.set()
            return (await session.get(api.url)).status_code

    assert asyncio.run(main()) == 200
    assert len(provider.sent("refresh_token")) == len(kept) == 1


def test_a_client_that_is_closed_in_a_refresh_keeps_what_it_gives(
    provider: MockProvider, api: Api, clock: Clock
) -> None:
    arrived, go_on, truth = threading.Event(), threading.Event(), provider.routes["/token"]

    def slow(request: Received) -> Answer:
        arrived.set()
        go_on.wait()
        return truth(request)

    saved = MemoryTokens()

    async def main() -> Tokens:
        async with AsyncClient(
            provider.issuer,
            client_id=CLIENT_ID,
            client_secret=CLIENT_SECRET,
            redirect_uri="https://app.example/callback",
            clock=clock,
        ) as client:
            login = await client.start_login()
            tokens = await client.finish_login(provider.authorize(login.url), login)
            saved.save(tokens)
            clock.ahead = 301
            provider.routes["/token"] = slow
            call = asyncio.create_task(client.api(saved).get(api.url))
            await asyncio.to_thread(arrived.wait)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            go_on.set()
            return tokens

    old = asyncio.run(main())
    kept = saved.load()
    assert kept is not None
    assert kept.refresh_token != old.refresh_token
    assert api.received == []


def test_a_thread_may_call_for_another_session_during_a_refresh(
    provider: MockProvider, api: Api, clock: Clock
) -> None:
    """No lock is held over the wire: who needs no refresh is not kept waiting."""
    arrived, go_on, truth = threading.Event(), threading.Event(), provider.routes["/token"]
    with Client(
        provider.issuer,
        client_id=CLIENT_ID,
        client_secret=CLIENT_SECRET,
        redirect_uri="https://app.example/callback",
        clock=clock,
    ) as client:

        def log_in() -> Tokens:
            login = client.start_login()
            return client.finish_login(provider.authorize(login.url), login)

        old = log_in()
        clock.ahead = 301
        fresh = log_in()

        def slow(request: Received) -> Answer:
            arrived.set()
            go_on.wait()
            return truth(request)

        provider.routes["/token"] = slow
        with ThreadPoolExecutor(1) as pool:
            waiting = pool.submit(client.api(old).get, api.url)
            arrived.wait()
            assert client.api(fresh).get(api.url).status_code == 200
            go_on.set()
            assert waiting.result().status_code == 200
