from __future__ import annotations

import json
from dataclasses import replace

import pytest

from codegrant.errors import OAuthError
from codegrant.http import Headers, Request, Response
from codegrant.secret import digest_of
from codegrant.server.interaction import (
    ANSWER_SECONDS,
    Authentication,
    BoundTransaction,
    NeedConsent,
    NeedLogin,
    answer_step,
    approve,
    bind_transaction,
    next_step,
    record_login,
    refuse,
)
from tests.flows.authorization_server import ALICE, CALLBACK, ISSUER, NOW, Bench, answered, page_of

EVERYTHING = frozenset({"openid", "profile", "email", "read"})


@pytest.fixture
def bench() -> Bench:
    return Bench()


def bind(
    bench: Bench, transaction_id: str | None, *cookies: str, method: str = "GET"
) -> BoundTransaction:
    """Bind as a page does, with the cookies of one browser."""
    headers = Headers([("cookie", "; ".join(cookies))] if cookies else [])
    request = Request(method=method, url=f"{ISSUER}/login", headers=headers)
    bound: BoundTransaction = bench.run(
        bind_transaction(bench.server, request, transaction_id, bench.now)
    )
    return bound


def started(bench: Bench, **changes: str | None) -> str:
    """Return the id of a fresh transaction."""
    return page_of(bench.authorize(**changes))[1]


def cookie_of(bound: BoundTransaction) -> str:
    return bound.cookies_to_set[0].partition(";")[0]


def refusal(bench: Bench, transaction_id: str | None, *cookies: str, method: str = "GET") -> str:
    """Return the private reason for which a binding is refused, on a page."""
    with pytest.raises(OAuthError) as caught:
        bind(bench, transaction_id, *cookies, method=method)
    assert not caught.value.redirectable
    assert caught.value.status == 400
    return caught.value.reason


def test_the_first_browser_holds_the_transaction_and_no_other(bench: Bench) -> None:
    transaction_id = started(bench)
    bound = bind(bench, transaction_id)
    (cookie,) = bound.cookies_to_set
    assert cookie.startswith("__Host-cg-txn-")
    assert cookie.endswith("; Max-Age=600; Path=/; HttpOnly; SameSite=Lax; Secure")
    again = bind(bench, transaction_id, cookie_of(bound))
    assert again.cookies_to_set == ()
    assert again.browser_digest == bound.browser_digest
    assert refusal(bench, transaction_id) == "no cookie for a bound transaction"
    name = cookie.partition("=")[0]
    assert refusal(bench, transaction_id, f"{name}={'0' * 64}") == "cookie of another binding"
    two = (f"{name}=x", cookie_of(bound))
    assert refusal(bench, transaction_id, *two) == "two cookies for one transaction"


def test_a_form_post_never_binds(bench: Bench) -> None:
    transaction_id = started(bench)
    assert refusal(bench, transaction_id, method="POST") == "no cookie for a bound transaction"
    bound = bind(bench, transaction_id)
    assert bind(bench, transaction_id, cookie_of(bound), method="POST").id == transaction_id


def test_of_two_first_browsers_one_wins(bench: Bench) -> None:
    transaction_id = started(bench)
    stale = bench.store.transactions[digest_of(transaction_id)]
    bind(bench, transaction_id)
    bench.store.on_find_transaction = lambda _: stale  # type: ignore[method-assign,assignment]
    assert refusal(bench, transaction_id) == "bound by another request at the same moment"


@pytest.mark.parametrize("transaction_id", [None, "", "unknown", "x" * 10_000])
def test_an_unknown_transaction_is_a_page(bench: Bench, transaction_id: str | None) -> None:
    started(bench)
    assert "expired" in refusal(bench, transaction_id)


def test_a_transaction_expires(bench: Bench) -> None:
    transaction_id = started(bench)
    bound = bind(bench, transaction_id)
    bench.now += 599
    bind(bench, transaction_id, cookie_of(bound))
    bench.now += 1
    assert "expired" in refusal(bench, transaction_id, cookie_of(bound))


def test_ten_tabs_have_ten_cookies_and_twelve_are_the_most(bench: Bench) -> None:
    jar: list[str] = []
    for _ in range(12):
        bound = bind(bench, started(bench), *jar)
        assert len(bound.cookies_to_set) == 1
        jar.append(cookie_of(bound))
    assert len({cookie.partition("=")[0] for cookie in jar}) == 12
    bound = bind(bench, started(bench), *jar)
    _, cleared = bound.cookies_to_set
    assert cleared.startswith(jar[0].partition("=")[0] + "=; Max-Age=0")


@pytest.mark.parametrize(
    "changes",
    [
        {"enabled": False},
        {"redirect_uris": ("https://a.test/new",)},
        {"scope": ("other",)},
        {"grant_types": ()},
    ],
    ids=["disabled", "redirect URI gone", "scope gone", "grant type gone"],
)
def test_the_client_is_judged_as_it_is_now(bench: Bench, changes: dict[str, object]) -> None:
    transaction_id = started(bench)
    bound = bind(bench, transaction_id)
    bench.change_client("a", **changes)
    refusal(bench, transaction_id, cookie_of(bound))


def test_the_judged_request_is_the_one_that_was_sent(bench: Bench) -> None:
    transaction_id = started(bench, scope="openid email", login_hint="alice", max_age="900")
    checked = bind(bench, transaction_id).checked
    assert checked.scope == ("openid", "email")
    assert checked.max_age == 900
    assert checked.request.login_hint == "alice"
    assert checked.request.state == "the state"


def test_a_form_belongs_to_its_browser_page_and_session(bench: Bench) -> None:
    first, second = bind(bench, started(bench)), bind(bench, started(bench))
    token = first.csrf("consent", "sid-1")
    first.check_csrf(token, "consent", "sid-1")
    again = bind(bench, first.id, cookie_of(first))
    assert again.csrf("consent", "sid-1") == token
    for bound, presented, page, session in (
        (first, None, "consent", "sid-1"),
        (first, "", "consent", "sid-1"),
        (first, token[:-1], "consent", "sid-1"),
        (first, token, "login", "sid-1"),
        (first, token, "consent", "sid-2"),
        (first, token, "consent", ""),
        (second, token, "consent", "sid-1"),
    ):
        with pytest.raises(OAuthError) as caught:
            bound.check_csrf(presented, page, session)
        assert caught.value.status == 403


def test_nothing_of_the_browser_secret_is_printed(bench: Bench) -> None:
    bound = bind(bench, started(bench))
    value = cookie_of(bound).partition("=")[2]
    assert value not in repr(replace(bound, cookies_to_set=()))
    assert bound.csrf_key.hex() not in repr(bound)


def authentication(
    sid: str = "sid-1", subject: str = ALICE.subject, at: int = NOW
) -> Authentication:
    return Authentication(subject=subject, auth_time=at, sid=sid)


def step(bench: Bench, bound: BoundTransaction, who: Authentication | None) -> object:
    return bench.run(next_step(bench.server, bound, who, bench.now))


def test_login_then_consent_then_the_client(bench: Bench) -> None:
    bench.authentication = None
    bound = bind(bench, started(bench))
    assert step(bench, bound, None) == NeedLogin(bound.checked, "no_session")
    bound = bench.run(record_login(bound, authentication(), NOW))
    consent = step(bench, bound, authentication())
    assert consent == NeedConsent(bound.checked, authentication())
    answer = bench.run(approve(bench.server, bound, authentication(), EVERYTHING, NOW))
    assert "code" in answered(answer)
    assert f"; Max-Age={ANSWER_SECONDS};" in answer.headers.get("set-cookie")
    (grant,) = bench.store.grants.values()
    assert grant.scope == ("openid",)
    assert not bench.store.transactions


def test_each_step_has_its_page(bench: Bench) -> None:
    bound = bind(bench, started(bench))
    login = answer_step(bench.server, bound, NeedLogin(bound.checked, "prompt"))
    assert page_of(login) == ("login", bound.id)
    consent = answer_step(bench.server, bound, NeedConsent(bound.checked, authentication()))
    assert page_of(consent) == ("consent", bound.id)
    assert consent.headers.get_all("set-cookie") == bound.cookies_to_set


def test_a_session_that_suffices_needs_no_page(bench: Bench) -> None:
    bench.agree()
    _, transaction_id = page_of(bench.authorize_by_post())
    answer = step(bench, bind(bench, transaction_id), authentication())
    assert isinstance(answer, Response)
    assert "code" in answered(answer)


@pytest.mark.parametrize(
    "changes",
    [{"prompt": "login"}, {"prompt": "select_account"}, {"max_age": "0"}],
    ids=["prompt=login", "prompt=select_account", "max_age=0"],
)
def test_a_demanded_login_must_be_of_this_very_transaction(
    bench: Bench, changes: dict[str, str]
) -> None:
    bench.agree()
    bound = bind(bench, started(bench, **changes))
    # Even a login of the same second counts for nothing.
    assert isinstance(step(bench, bound, authentication(at=NOW)), NeedLogin)
    answer = bench.run(approve(bench.server, bound, authentication(at=NOW), EVERYTHING, NOW))
    assert page_of(answer)[0] == "login"
    bound = bench.run(record_login(bound, authentication("sid-2"), NOW))
    assert isinstance(step(bench, bound, authentication("sid-1")), NeedLogin)
    stored = bind(bench, bound.id, cookie_of(bound))
    answer = step(bench, stored, authentication("sid-2"))
    assert isinstance(answer, Response)
    assert "code" in answered(answer)
    (grant,) = bench.store.grants.values()
    assert grant.sid == "sid-2"


def test_a_slow_person_does_not_have_to_log_in_twice(bench: Bench) -> None:
    bench.agree()
    bound = bind(bench, started(bench, max_age="1"))
    bound = bench.run(record_login(bound, authentication("sid-2"), NOW))
    bench.now += 120
    assert isinstance(step(bench, bound, authentication("sid-2")), Response)


def test_another_person_than_the_demanded_one_goes_back_with_an_error(bench: Bench) -> None:
    bench.agree()
    claims = json.dumps({"id_token": {"sub": {"value": "person-2"}}})
    bound = bind(bench, started(bench, claims=claims))
    assert step(bench, bound, authentication()) == NeedLogin(bound.checked, "other_person")
    bound = bench.run(record_login(bound, authentication("sid-2"), NOW))
    answer = step(bench, bound, authentication("sid-2"))
    assert isinstance(answer, Response)
    assert answered(answer)["error"] == "login_required"
    assert not bench.store.codes


def test_prompt_none_by_post_ends_at_the_client(bench: Bench) -> None:
    _, transaction_id = page_of(bench.authorize_by_post(prompt="none"))
    answer = step(bench, bind(bench, transaction_id), None)
    assert isinstance(answer, Response)
    assert answered(answer)["error"] == "login_required"


def test_a_refusal_goes_to_the_client_once(bench: Bench) -> None:
    bound = bind(bench, started(bench))
    denied = OAuthError("access_denied", "the person did not allow it")
    answer = bench.run(refuse(bench.server, bound, denied, NOW))
    parameters = answered(answer)
    assert (parameters["error"], parameters["state"]) == ("access_denied", "the state")
    assert parameters["iss"] == ISSUER
    assert bench.event_names()[-1] == "consent_denied"
    for flow in (
        refuse(bench.server, bound, denied, NOW),
        approve(bench.server, bound, authentication(), EVERYTHING, NOW),
        record_login(bound, authentication(), NOW),
    ):
        with pytest.raises(OAuthError) as caught:
            bench.run(flow)
        assert not caught.value.redirectable
    assert not bench.store.codes


@pytest.mark.parametrize(
    ("allowed", "granted"),
    [
        (frozenset({"openid", "email"}), ("openid", "email")),
        (frozenset({"openid"}), ("openid",)),
        (frozenset({"openid", "admin", "read"}), ("openid",)),
    ],
)
def test_no_more_is_granted_than_was_asked_for_and_allowed(
    bench: Bench, allowed: frozenset[str], granted: tuple[str, ...]
) -> None:
    bound = bind(bench, started(bench, scope="openid email"))
    bench.run(approve(bench.server, bound, authentication(), allowed, NOW))
    (grant,) = bench.store.grants.values()
    assert grant.scope == granted


def test_allowing_nothing_is_a_denial(bench: Bench) -> None:
    bound = bind(bench, started(bench))
    answer = bench.run(approve(bench.server, bound, authentication(), frozenset(), NOW))
    assert answered(answer)["error"] == "access_denied"


def test_an_essential_context_must_be_reached() -> None:
    bench = Bench(acr_values=("gold",))
    bench.agree()
    claims = json.dumps({"id_token": {"acr": {"essential": True, "values": ["gold", "x"]}}})
    assert page_of(bench.authorize(claims=claims))[0] == "login"
    assert answered(bench.authorize(claims=claims, prompt="none"))["error"] == "login_required"
    bound = bind(bench, started(bench, claims=claims))
    assert bench.authentication is not None
    bound = bench.run(record_login(bound, bench.authentication, NOW))
    ended = bench.run(next_step(bench.server, bound, bench.authentication, NOW))
    assert answered(ended)["error"] == "unmet_authentication_requirements"
    bench.authentication = replace(bench.authentication, acr="gold")
    assert "code" in answered(bench.authorize(claims=claims), at=CALLBACK)
