"""Browser sessions, effect by effect."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from codegrant.accounts.effects import (
    AgreedSession,
    EndSession,
    FindAgreedSession,
    FindSession,
    SaveSession,
    TouchSession,
)
from codegrant.accounts.records import Account, Session
from codegrant.accounts.sessions import (
    authentication_of,
    end_session,
    find_agreed_session,
    find_session,
    start_session,
)
from codegrant.flow import Flow, RandomBytes
from codegrant.http import Headers, Request
from codegrant.secret import digest_of
from codegrant.server.effects import Emit
from codegrant.server.policy import Policy

NOW = 1_800_000_000
POLICY = Policy(issuer="https://issuer.test", session_idle=3600, session_absolute=86_400)
LOOPBACK = Policy(issuer="http://127.0.0.1:8080")
NAME = "__Host-cg-session-" + digest_of("https://issuer.test").hex()[:6]
ALICE = Account(
    subject="person-1", username="alice", username_key="alice", password_hash="the hash"
)
SESSION = Session(
    digest=digest_of("value"),
    sid="the sid",
    subject="person-1",
    auth_time=NOW - 500,
    amr=("pwd",),
    created_at=NOW - 500,
    seen_at=NOW - 10,
    expires_at=NOW + 500,
)


def request_with(*cookies: str) -> Request:
    headers = Headers([("cookie", cookie) for cookie in cookies])
    return Request(method="GET", url="https://issuer.test/login", headers=headers)


def finish(flow: Flow[Any], answer: object) -> Any:
    """Send the last answer and return the flow's result."""
    with pytest.raises(StopIteration) as stop:
        flow.send(answer)
    return stop.value.value


def draw(flow: Flow[Any], fill: bytes = b"\1") -> SaveSession:
    """Send the entropy of a new session, 256 bits of them its cookie's; return what is saved."""
    for_cookie = next(flow)
    for_sid = flow.send(fill * 32)
    assert isinstance(for_cookie, RandomBytes)
    assert isinstance(for_sid, RandomBytes)
    assert (for_cookie.size, for_sid.size) == (32, 16)
    saved = flow.send(bytes(15) + fill)
    assert isinstance(saved, SaveSession)
    return saved


def test_a_session_is_looked_up_by_digest_with_both_of_its_ends() -> None:
    flow = find_session(POLICY, request_with(f"{NAME}=value"), NOW)
    assert next(flow) == FindSession(digest_of("value"), NOW, NOW - 3600)
    assert finish(flow, SESSION) == SESSION


@pytest.mark.parametrize(
    ("seen", "touched"),
    [
        pytest.param(0, False, id="this second"),
        pytest.param(59, False, id="59 seconds ago"),
        pytest.param(60, True, id="a minute ago"),
        pytest.param(3000, True, id="long ago"),
    ],
)
def test_its_use_is_written_at_most_once_a_minute(seen: int, *, touched: bool) -> None:
    session = replace(SESSION, seen_at=NOW - seen)
    flow = find_session(POLICY, request_with(f"{NAME}=value"), NOW)
    next(flow)
    if touched:
        assert flow.send(session) == TouchSession(digest_of("value"), NOW)
        assert finish(flow, None) == session
    else:
        assert finish(flow, session) == session


def test_a_session_is_looked_up_together_with_what_was_agreed_to() -> None:
    flow = find_agreed_session(POLICY, request_with(f"{NAME}=value"), "web", "https://a.test", NOW)
    wanted = FindAgreedSession(digest_of("value"), NOW, NOW - 3600, "web", "https://a.test")
    assert next(flow) == wanted
    found = AgreedSession(replace(SESSION, seen_at=NOW - 60), frozenset({"openid"}))
    assert flow.send(found) == TouchSession(digest_of("value"), NOW)
    assert finish(flow, None) == found
    nobody = find_agreed_session(POLICY, request_with(), "web", "https://a.test", NOW)
    with pytest.raises(StopIteration) as end:
        next(nobody)
    assert end.value.value is None


@pytest.mark.parametrize(
    "cookies",
    [
        pytest.param([], id="no cookie"),
        pytest.param(["theme=dark"], id="another cookie"),
        pytest.param([f"{NAME}="], id="empty"),
        pytest.param([f"{NAME}=value; {NAME}=value"], id="twice"),
        pytest.param([f"{NAME}=thrown; {NAME}=value"], id="tossed, first"),
        pytest.param([f"{NAME}=value", f"{NAME}=thrown"], id="tossed, in two headers"),
        pytest.param([NAME.removeprefix("__Host-") + "=value"], id="without its prefix"),
        pytest.param([NAME[:-6] + "000000=value"], id="of another issuer"),
        pytest.param([NAME.replace("session", "txn") + "=value"], id="of another role"),
        pytest.param([NAME.upper() + "=value"], id="in another case"),
        pytest.param([NAME], id="without a value"),
    ],
)
def test_without_one_cookie_of_its_name_nobody_is_asked_for(cookies: list[str]) -> None:
    flow = find_session(POLICY, request_with(*cookies), NOW)
    with pytest.raises(StopIteration) as stop:
        next(flow)
    assert stop.value.value is None


def test_a_login_makes_a_new_session_in_place_of_the_old() -> None:
    flow = start_session(POLICY, request_with(f"{NAME}=value"), ALICE, ("pwd",), NOW)
    saved = draw(flow)
    assert saved.replaces == digest_of("value")
    assert saved.verified_hash == "the hash"
    assert saved.session.subject == "person-1"
    assert saved.session.auth_time == saved.session.seen_at == NOW
    assert saved.session.expires_at == NOW + 86_400
    session, cookie = finish(flow, True)
    name, _, rest = cookie.partition("=")
    value, *attributes = rest.split("; ")
    assert name == NAME
    assert len(value) == 43
    assert digest_of(value) == session.digest
    assert session.sid not in value
    assert attributes == ["Max-Age=86400", "Path=/", "HttpOnly", "SameSite=Lax", "Secure"]


def test_two_logins_have_nothing_in_common() -> None:
    made: list[Session] = []
    for fill in (b"\1", b"\2"):
        flow = start_session(POLICY, request_with(), ALICE, ("pwd",), NOW)
        saved = draw(flow, fill)
        assert saved.replaces is None
        made.append(saved.session)
    assert made[0].digest != made[1].digest
    assert made[0].sid != made[1].sid


def test_an_account_that_changed_during_the_login_gets_no_session() -> None:
    flow = start_session(POLICY, request_with(), ALICE, ("pwd",), NOW)
    draw(flow)
    assert finish(flow, False) is None


def test_on_loopback_http_the_cookie_is_plain_and_names_its_issuer() -> None:
    flow = start_session(LOOPBACK, request_with(), ALICE, ("pwd",), NOW)
    draw(flow)
    _, cookie = finish(flow, True)
    digest = digest_of("http://127.0.0.1:8080").hex()[:6]
    assert cookie.startswith(f"cg-session-{digest}=")
    assert "Secure" not in cookie
    assert "HttpOnly; SameSite=Lax" in cookie


def test_logging_out_deletes_the_session_and_the_cookie() -> None:
    flow = end_session(POLICY, SESSION, NOW)
    assert next(flow) == EndSession(SESSION.digest)
    emitted = flow.send(True)
    assert isinstance(emitted, Emit)
    assert emitted.event.name == "logout"
    assert emitted.event.facts == {"subject": "person-1", "sid": "the sid"}
    cookie = finish(flow, None)
    assert cookie.startswith(f"{NAME}=; Max-Age=0; Path=/;")


def test_the_server_learns_who_when_and_how() -> None:
    authentication = authentication_of(SESSION)
    assert authentication.subject == "person-1"
    assert authentication.auth_time == NOW - 500
    assert authentication.amr == ("pwd",)
    assert authentication.sid == "the sid"


def test_a_session_keeps_what_its_browser_calls_itself() -> None:
    agent = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
    headers = Headers([("user-agent", agent)])
    request = Request(method="POST", url="https://issuer.test/login", headers=headers)
    assert draw(start_session(POLICY, request, ALICE, ("pwd",), NOW)).session.browser == (
        "Firefox on Linux"
    )
    assert draw(start_session(POLICY, request_with(), ALICE, ("pwd",), NOW)).session.browser == ""
