"""`web.login_logout`: a session ends here, at the provider, and when the provider says so."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

import pytest
from cryptography.hazmat.primitives.asymmetric import ec

from codegrant import KeyRing, StoreError
from codegrant.client.effects import DeleteSession, EndSessions, FindSession, FinishCallback
from codegrant.flow import Effect, run
from codegrant.http import Response
from codegrant.web.login import WebLogin
from tests.support.mock_provider import CLIENT_ID, Answer, Lie, MockProvider
from tests.support.website import ORIGIN, RING, Visitor, Website, code_of, retry_of
from tests.unit.web.conftest import MakeClient

END = {"end_session_endpoint"}
RECEIVER = "/logout/backchannel"


def query_of(url: str) -> dict[str, str]:
    return {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}


def end_session(provider: MockProvider) -> str:
    """Give the provider a logout of its own."""
    url = f"{provider.issuer}/end-session"
    provider.metadata = Lie({"end_session_endpoint": url})
    return url


@pytest.fixture
def leaving(provider: MockProvider, client_of: MakeClient) -> Visitor:
    """A browser at a site whose logout leads through the provider's."""
    end_session(provider)
    return Visitor(Website({"default": client_of(provider)}, logout="provider"))


# --- to the provider and back ---


def test_the_way_home_leads_through_the_logout_of_the_provider(
    leaving: Visitor, provider: MockProvider
) -> None:
    leaving.log_in(provider)
    who = leaving.who()
    assert who is not None
    assert who.tokens.id_token is not None
    order: list[str] = []
    leaving.site.before = lambda effect: order.append(type(effect).__name__)
    answer = leaving.send("POST", "/logout")
    location = answer.headers.get("location")
    assert answer.status == 303
    assert location.startswith(f"{provider.issuer}/end-session?")
    query = query_of(location)
    state = query.pop("state")
    assert query == {
        "client_id": CLIENT_ID,
        "post_logout_redirect_uri": f"{ORIGIN}/logout/done",
        "id_token_hint": who.tokens.id_token.reveal(),
    }
    # The session has ended before anybody is asked, and nothing tells where the browser goes.
    assert order.index("DeleteSession") < order.index("AtProvider")
    assert leaving.session is None
    assert leaving.who() is None
    assert answer.headers.get("referrer-policy") == "no-referrer"
    assert answer.headers.get("cache-control") == "no-store"
    back = leaving.get(f"/logout/done?{urlencode({'state': state})}")
    assert (back.status, back.headers.get("location")) == (303, "/")


@pytest.mark.parametrize(
    ("query", "code"),
    [
        pytest.param("", "logout_state_unknown", id="no state"),
        pytest.param("state=", "logout_state_unknown", id="an empty state"),
        pytest.param("state=x", "logout_state_unknown", id="another state"),
        pytest.param("state=%ff", "logout_state_unknown", id="no text"),
        pytest.param("state={0}&state={0}", "logout_state_unknown", id="two states"),
        pytest.param("state={0}x", "logout_state_unknown", id="one character more"),
        pytest.param("state={1}", "logout_state_unknown", id="the state of a login"),
        pytest.param("state={2}", "logout_state_unknown", id="sealed by another key"),
    ],
)
def test_who_comes_back_with_another_state_is_told_and_may_go_home(
    leaving: Visitor, provider: MockProvider, query: str, code: str
) -> None:
    leaving.log_in(provider)
    state = query_of(leaving.send("POST", "/logout").headers.get("location"))["state"]
    foreign = KeyRing(["f" * 32]).seal("codegrant web logout 1", leaving.site.now.to_bytes(8))
    login = query_of(leaving.start())["state"]
    page = leaving.get(f"/logout/done?{query.format(state, login, foreign)}")
    assert (page.status, code_of(page), retry_of(page)) == (400, code, "/")
    assert leaving.get(f"/logout/done?state={state}").status == 303


def test_the_state_of_a_logout_is_good_for_a_day(leaving: Visitor, provider: MockProvider) -> None:
    leaving.log_in(provider)
    state = query_of(leaving.send("POST", "/logout").headers.get("location"))["state"]
    leaving.site.now += 86_400
    assert leaving.get(f"/logout/done?state={state}").status == 303
    leaving.site.now += 1
    page = leaving.get(f"/logout/done?state={state}")
    assert (page.status, code_of(page)) == (400, "logout_state_expired")
    # Two replicas' clocks may differ by a minute; one from a later future does not count.
    leaving.site.now -= 86_401 + 60
    assert leaving.get(f"/logout/done?state={state}").status == 303
    leaving.site.now -= 1
    assert leaving.get(f"/logout/done?state={state}").status == 400


def test_clocks_may_differ_at_the_end_of_a_logout_by_as_much_as_the_client_says(
    provider: MockProvider, client_of: MakeClient
) -> None:
    end_session(provider)
    clients = {"default": client_of(provider, leeway=10)}
    visitor = Visitor(Website(clients, logout="provider"))
    visitor.log_in(provider)
    state = query_of(visitor.send("POST", "/logout").headers.get("location"))["state"]
    for ahead, status in ((10, 303), (11, 400)):
        visitor.site.now -= ahead
        assert visitor.get(f"/logout/done?state={state}").status == status
        visitor.site.now += ahead


def test_a_local_logout_goes_nowhere_else(visitor: Visitor, provider: MockProvider) -> None:
    end_session(provider)
    visitor.log_in(provider)
    assert visitor.send("POST", "/logout").headers.get("location") == "/"


def trouble(provider: MockProvider) -> None:
    provider.metadata = Lie()


@pytest.mark.parametrize(
    "break_it",
    [
        pytest.param(trouble, id="a provider without a logout"),
        pytest.param(
            lambda provider: provider.routes.update(
                {f"{provider.base}/.well-known/openid-configuration": lambda _: Answer(503, b"")}
            ),
            id="a provider in trouble",
        ),
    ],
)
def test_where_the_provider_has_no_logout_the_person_goes_home(
    leaving: Visitor,
    provider: MockProvider,
    client_of: MakeClient,
    break_it: Callable[[MockProvider], Any],
) -> None:
    leaving.log_in(provider)
    break_it(provider)
    # Another process, which has not asked the provider yet.
    leaving.site = Website(
        {"default": client_of(provider)}, store=leaving.site.store, logout="provider"
    )
    assert leaving.send("POST", "/logout").headers.get("location") == "/"
    assert leaving.who() is None
    assert not leaving.site.store._sessions


def test_a_second_click_leads_to_the_provider_as_well(
    leaving: Visitor, provider: MockProvider
) -> None:
    leaving.log_in(provider)
    again = Visitor(leaving.site)
    again.jar = {host: dict(jar) for host, jar in leaving.jar.items()}
    assert "id_token_hint" in query_of(leaving.send("POST", "/logout").headers.get("location"))
    query = query_of(again.send("POST", "/logout").headers.get("location"))
    assert query.keys() == {"client_id", "post_logout_redirect_uri", "state"}
    # Who never was signed in is not sent anywhere.
    assert Visitor(leaving.site).send("POST", "/logout").headers.get("location") == "/"


def test_each_provider_of_several_has_its_own_logout(
    provider: MockProvider, other_provider: MockProvider, client_of: MakeClient
) -> None:
    for one in (provider, other_provider):
        end_session(one)
    clients = {"one": client_of(provider), "two": client_of(other_provider)}
    visitor = Visitor(Website(clients, logout="provider"))
    for name, one in (("one", provider), ("two", other_provider)):
        visitor.log_in(one, f"/login/{name}")
        location = visitor.send("POST", "/logout").headers.get("location")
        assert location.startswith(f"{one.issuer}/end-session?")


def test_a_long_id_token_stays_out_of_the_address(leaving: Visitor, provider: MockProvider) -> None:
    provider.claims = Lie({"groups": ["x" * 40] * 100})
    leaving.log_in(provider)
    query = query_of(leaving.send("POST", "/logout").headers.get("location"))
    assert query.keys() == {"client_id", "post_logout_redirect_uri", "state"}


def test_a_foreign_page_sends_nobody_to_the_logout_of_the_provider(
    leaving: Visitor, provider: MockProvider
) -> None:
    leaving.log_in(provider)
    for method in ("GET", "POST"):
        asked = leaving.send(method, "/logout", {"sec-fetch-site": "cross-site"})
        assert asked.status == 200
    assert leaving.who() is not None


def test_a_store_that_fails_leads_nobody_to_the_provider(
    leaving: Visitor, provider: MockProvider
) -> None:
    def fail(effect: Effect[Any]) -> None:
        if isinstance(effect, DeleteSession):
            raise StoreError("the disk is full")

    leaving.log_in(provider)
    leaving.site.before = fail
    page = leaving.send("POST", "/logout")
    assert (page.status, code_of(page), page.headers.get("location")) == (503, "store_failed", "")


def test_the_id_token_of_a_logout_is_in_no_log(
    leaving: Visitor, provider: MockProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    leaving.log_in(provider)
    query = query_of(leaving.send("POST", "/logout").headers.get("location"))
    leaving.get(f"/logout/done?state={query['state']}")
    assert query["id_token_hint"] in provider.minted
    assert query["id_token_hint"] not in caplog.text
    assert not any(query["id_token_hint"] in request.target for request in provider.received)


# --- word from the provider ---


def tell(site: Website, token: str, path: str = RECEIVER) -> Response:
    """Deliver a logout token as a provider does: without a browser."""
    return Visitor(site).send("POST", path, {}, urlencode({"logout_token": token}).encode())


@pytest.fixture
def people(site: Website, provider: MockProvider) -> dict[str, Visitor]:
    """Browsers with a session each, by person and session at the provider."""
    found: dict[str, Visitor] = {}
    for person in ("ann", "bob"):
        for session in ("1", "2"):
            provider.subject, sid = person, f"{person}-{session}"
            provider.claims = Lie({"sid": sid})
            found[sid] = Visitor(site)
            found[sid].log_in(provider)
    provider.subject = "ann"
    return found


def known(people: dict[str, Visitor]) -> set[str]:
    return {name for name, browser in people.items() if browser.who() is not None}


@pytest.mark.parametrize(
    ("changes", "left"),
    [
        pytest.param({"sid": "ann-1"}, {"ann-2", "bob-1", "bob-2"}, id="person and session"),
        pytest.param({}, {"bob-1", "bob-2"}, id="the person"),
        pytest.param({"sub": ..., "sid": "bob-2"}, {"ann-1", "ann-2", "bob-1"}, id="the session"),
        pytest.param({"sid": "bob-1"}, {"ann-1", "ann-2", "bob-1", "bob-2"}, id="another's"),
        pytest.param({"sub": "carol"}, {"ann-1", "ann-2", "bob-1", "bob-2"}, id="a stranger"),
    ],
)
def test_a_logout_token_ends_the_sessions_that_it_names(
    people: dict[str, Visitor],
    site: Website,
    provider: MockProvider,
    changes: dict[str, Any],
    left: set[str],
) -> None:
    answer = tell(site, provider.logout_token(**changes))
    assert (answer.status, answer.body) == (200, b"")
    assert answer.headers.get_all("cache-control") == ("no-store",)
    assert not answer.headers.get_all("set-cookie")
    assert known(people) == left


STRANGE = ec.generate_private_key(ec.SECP256R1())
FORGED: list[Any] = [
    pytest.param({"iss": "https://evil.example"}, "issuer_mismatch", id="iss"),
    pytest.param({"iss": ...}, "claim_missing", id="no iss"),
    pytest.param({"aud": "another"}, "audience_mismatch", id="aud"),
    pytest.param({"aud": ...}, "claim_missing", id="no aud"),
    pytest.param({"iat": 99_999_999_999}, "token_from_the_future", id="iat"),
    pytest.param({"iat": ...}, "claim_missing", id="no iat"),
    pytest.param({"exp": 1_000_000_000}, "token_expired", id="exp"),
    pytest.param({"exp": ...}, "claim_missing", id="no exp"),
    pytest.param({"jti": ...}, "claim_missing", id="no jti"),
    pytest.param({"events": ...}, "no_logout_event", id="no events"),
    pytest.param({"events": {"https://evil.example": {}}}, "no_logout_event", id="events"),
    pytest.param({"nonce": "n"}, "nonce_present", id="nonce"),
    pytest.param({"sub": ...}, "claim_missing", id="neither sub nor sid"),
    pytest.param({"typ": "at+jwt"}, "wrong_token_type", id="typ"),
]


def test_a_logout_token_with_any_field_forged_is_refused_and_the_session_stays(
    people: dict[str, Visitor], site: Website, provider: MockProvider
) -> None:
    for case in FORGED:
        changes, code = case.values
        answer = tell(site, provider.logout_token(**changes))
        assert (answer.status, json.loads(answer.body)) == (
            400,
            {"error": "invalid_request", "error_description": code},
        ), case.id
        assert answer.headers.get_all("cache-control") == ("no-store",)
    assert len(known(people)) == 4
    for typ in (None, "JWT", "logout+jwt"):
        assert tell(site, provider.logout_token(typ)).status == 200
    assert known(people) == {"bob-1", "bob-2"}


def forge_signature(provider: MockProvider, token: str) -> str:
    head, _, signature = token.rpartition(".")
    return f"{head}.{'A' if signature[0] != 'A' else 'B'}{signature[1:]}"


def strange_key(provider: MockProvider, _: str) -> str:
    provider.keys["k1"], own = STRANGE, provider.keys["k1"]
    token = provider.logout_token()
    provider.keys["k1"] = own
    return token


def unknown_key(provider: MockProvider, _: str) -> str:
    provider.header = Lie({"kid": "k9"})
    token = provider.logout_token()
    provider.header = Lie()
    return token


@pytest.mark.parametrize(
    ("forge", "code"),
    [
        pytest.param(forge_signature, "bad_signature", id="a broken signature"),
        pytest.param(strange_key, "bad_signature", id="another key of that name"),
        pytest.param(unknown_key, "unknown_key", id="an unknown key"),
        pytest.param(lambda _, t: t.rpartition(".")[0] + ".", "bad_signature", id="none"),
        pytest.param(lambda _, t: "x.y.z", "malformed_token", id="no token"),
        pytest.param(lambda _, t: "x" * 70_000, "", id="too long a token"),
    ],
)
def test_who_has_no_key_of_the_issuer_signs_nobody_out(
    people: dict[str, Visitor],
    site: Website,
    provider: MockProvider,
    forge: Callable[[MockProvider, str], str],
    code: str,
) -> None:
    answer = tell(site, forge(provider, provider.logout_token()))
    assert answer.status == 400
    assert code in json.loads(answer.body)["error_description"]
    assert len(known(people)) == 4


def test_an_id_token_of_the_person_signs_nobody_out(
    visitor: Visitor, provider: MockProvider
) -> None:
    visitor.log_in(provider)
    stolen = next(text for text in provider.minted if text.count(".") == 2)
    assert tell(visitor.site, stolen).status == 400
    assert visitor.who() is not None


def test_a_logout_token_is_obeyed_once(visitor: Visitor, provider: MockProvider) -> None:
    token = provider.logout_token()
    visitor.log_in(provider)
    assert tell(visitor.site, token).status == 200
    visitor.log_in(provider)
    assert tell(visitor.site, token).status == 200  # its sender may have had no answer
    assert visitor.who() is not None
    # As long as it holds: two leeways and two minutes.
    visitor.site.now += 120 + 59
    provider.clock = lambda: visitor.site.now
    assert tell(visitor.site, token).status == 200
    visitor.site.now += 1
    assert json.loads(tell(visitor.site, token).body)["error_description"] == "token_expired"
    assert visitor.who() is not None


def test_a_token_for_one_provider_does_nothing_at_another(
    provider: MockProvider, other_provider: MockProvider, client_of: MakeClient
) -> None:
    clients = {"one": client_of(provider), "two": client_of(other_provider)}
    visitor = Visitor(Website(clients))
    visitor.log_in(provider, "/login/one")
    token = provider.logout_token()
    assert tell(visitor.site, token, f"{RECEIVER}/two").status == 400
    assert tell(visitor.site, other_provider.logout_token(), f"{RECEIVER}/two").status == 200
    assert visitor.who() is not None
    assert tell(visitor.site, token, f"{RECEIVER}/one").status == 200
    assert visitor.who() is None


def test_what_is_no_delivery_is_refused(visitor: Visitor, provider: MockProvider) -> None:
    visitor.log_in(provider)
    good = urlencode({"logout_token": provider.logout_token()})
    for method in ("GET", "HEAD", "PUT"):
        answer = visitor.send(method, f"{RECEIVER}?{good}")
        assert (answer.status, answer.headers.get("allow")) == (405, "POST")
    for body in ("", "logout_token=", f"{good}&{good}", "token=x", "\xff", "a=%ff"):
        assert visitor.send("POST", RECEIVER, {}, body.encode("latin-1")).status == 400, body
    # Not from the query either: a link or a log must not hold it.
    assert visitor.send("POST", f"{RECEIVER}?{good}").status == 400
    assert visitor.who() is not None


def test_a_logout_that_could_not_be_kept_is_asked_for_again(
    visitor: Visitor, provider: MockProvider
) -> None:
    def fail(effect: Effect[Any]) -> None:
        if isinstance(effect, EndSessions):
            raise StoreError("the disk is full")

    visitor.log_in(provider)
    token, visitor.site.before = provider.logout_token(), fail
    answer = tell(visitor.site, token)
    assert (answer.status, json.loads(answer.body)["error"]) == (400, "server_error")
    visitor.site.before = lambda _: None
    assert visitor.who() is not None
    assert tell(visitor.site, token).status == 200
    assert visitor.who() is None


def test_keys_that_do_not_come_end_nothing(
    visitor: Visitor, provider: MockProvider, client_of: MakeClient
) -> None:
    visitor.log_in(provider)
    token, truth = provider.logout_token(), provider.routes["/jwks"]
    provider.routes["/jwks"] = lambda _: Answer(503, b"")
    other = Website({"default": client_of(provider)}, store=visitor.site.store)
    assert tell(other, token).status == 400
    assert visitor.who() is not None
    provider.routes["/jwks"] = truth
    assert tell(visitor.site, token).status == 200
    assert visitor.who() is None


def test_a_login_after_the_logout_stays(visitor: Visitor, provider: MockProvider) -> None:
    visitor.log_in(provider)
    tell(visitor.site, provider.logout_token())
    assert visitor.who() is None
    visitor.log_in(provider)
    assert visitor.who() is not None


@pytest.mark.parametrize(
    ("changes", "ended"),
    [
        pytest.param({"sid": "one"}, True, id="the session"),
        pytest.param({"sub": ..., "sid": "one"}, True, id="the session alone"),
        pytest.param({"iat": 5}, True, id="the person"),
        pytest.param({"sid": "two"}, False, id="another session"),
        pytest.param({"sid": "two", "iat": 5}, False, id="another session, later"),
        pytest.param({"sub": "somebody else"}, False, id="another person"),
    ],
)
@pytest.mark.parametrize("effect", [FinishCallback, FindSession], ids=["before", "after"])
def test_a_logout_during_a_login_ends_it_whether_it_is_stored_already_or_not(
    visitor: Visitor,
    provider: MockProvider,
    changes: dict[str, Any],
    ended: bool,
    effect: type[Effect[Any]],
) -> None:
    provider.claims = Lie({"sid": "one"})
    callback = provider.authorize(visitor.start("/login?return_to=/profile"))
    if "iat" in changes:
        changes = {**changes, "iat": int(provider.clock()) + changes["iat"]}
    token = provider.logout_token(**changes)
    told: list[Effect[Any]] = []

    def logout(step: Effect[Any]) -> None:
        # The first look-up of all is for a note, once the session is stored.
        if isinstance(step, effect) and provider.count("/token") and not told:
            told.append(step)
            assert tell(visitor.site, token).status == 200

    visitor.site.before = logout
    answer = visitor.get(callback)
    visitor.site.before = lambda _: None
    assert len(told) == 1
    if ended:
        assert (answer.status, code_of(answer)) == (502, "login_ended")
        assert provider.count("/revoke") == 1
        assert visitor.who() is None
    else:
        assert answer.headers.get("location") == "/profile"
        assert visitor.who() is not None


def test_a_logout_of_a_session_ends_a_login_under_way_whose_id_token_named_none(
    visitor: Visitor, provider: MockProvider
) -> None:
    callback = provider.authorize(visitor.start())
    token = provider.logout_token(sid="one", iat=int(provider.clock()) + 5)

    def logout(effect: Effect[Any]) -> None:
        if isinstance(effect, FinishCallback):
            visitor.site.before = lambda _: None
            assert tell(visitor.site, token).status == 200

    visitor.site.before = logout
    page = visitor.get(callback)
    assert (page.status, code_of(page)) == (502, "login_ended")
    assert visitor.who() is None


@pytest.mark.parametrize("ended", [False, True])
def test_a_store_that_cannot_tell_of_a_logout_lets_nobody_in_until_it_can(
    visitor: Visitor, provider: MockProvider, *, ended: bool
) -> None:
    provider.claims = Lie({"sid": "one"})
    callback = provider.authorize(visitor.start("/login?return_to=/profile"))

    def fail(effect: Effect[Any]) -> None:
        if isinstance(effect, FinishCallback) and ended:
            visitor.site.before = fail_at_the_look
            assert tell(visitor.site, provider.logout_token(sid="one")).status == 200
        fail_at_the_look(effect)

    def fail_at_the_look(effect: Effect[Any]) -> None:
        if isinstance(effect, FindSession):
            raise StoreError("locked", code="store_busy", stage="store")

    visitor.site.before = fail
    for _ in range(2):  # the second is a repeat
        page = visitor.get(callback)
        assert (page.status, code_of(page)) == (503, "store_busy")
        assert visitor.session is None
    visitor.site.before = lambda _: None
    answer = visitor.get(callback)
    assert provider.count("/token") == 1
    if ended:
        assert (answer.status, code_of(answer)) == (502, "login_ended")
        assert not provider.refresh_tokens
        assert visitor.who() is None
    else:
        assert answer.headers.get("location") == "/profile"
        assert visitor.who() is not None


def test_a_logout_that_is_older_than_a_login_does_not_end_it(
    visitor: Visitor, provider: MockProvider
) -> None:
    """It comes late, and is about the sessions from before."""
    callback = provider.authorize(visitor.start())
    token = provider.logout_token(iat=int(provider.clock()) - 5)
    assert tell(visitor.site, token).status == 200
    assert visitor.get(callback).status == 303
    assert visitor.who() is not None


def test_keys_that_cannot_be_had_keep_nobody_signed_in(
    visitor: Visitor, provider: MockProvider
) -> None:
    def keys() -> KeyRing:
        if is_lost:
            raise StoreError("the key file cannot be read")
        return RING

    is_lost, site = False, visitor.site
    site.web = WebLogin({name: one.flows for name, one in site.clients.items()}, keys)
    visitor.log_in(provider)
    is_lost = True
    assert visitor.send("POST", "/logout").headers.get("location") == "/"
    assert not site.store._sessions


def test_of_two_session_cookies_both_end_here(
    visitor: Visitor, provider: MockProvider, site: Website
) -> None:
    """One that somebody else has planted must not keep the other alive."""
    visitor.log_in(provider)
    name = next(name for name in visitor.cookies if "cg-app-" in name)
    mine = visitor.cookies[name]
    request = site.request("POST", f"{ORIGIN}/logout", {"cookie": f"{name}=planted; {name}={mine}"})
    assert site.respond(request).status == 303
    assert visitor.who() is None
    assert provider.count("/revoke") == 1


def test_a_session_is_found_after_a_refresh_that_does_not_name_it(
    visitor: Visitor, provider: MockProvider
) -> None:
    provider.claims = Lie({"sid": "s-1"})
    visitor.log_in(provider)
    who, site = visitor.who(), visitor.site
    assert who is not None
    new = site.clients["default"].refresh(who.tokens)
    assert run(site.web.sessions.replace(replace(who, tokens=new), site.now), site.perform)
    assert tell(site, provider.logout_token(sub=..., sid="s-1")).status == 200
    assert visitor.who() is None


def test_the_log_says_what_was_refused_and_shows_no_token(
    visitor: Visitor, provider: MockProvider, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    good, bad = provider.logout_token(), provider.logout_token(aud="another")
    tell(visitor.site, bad)
    tell(visitor.site, good)
    assert "back-channel logout refused: " in caplog.text
    assert "the token is for another client" in caplog.text
    assert "back-channel logout: 0 sessions ended" in caplog.text
    for token in (good, bad):
        assert token not in caplog.text
