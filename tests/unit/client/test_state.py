"""`client.state`: the two halves of a web login, and what becomes of them on their way."""

from __future__ import annotations

from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegrant.client.pending import LOGIN_LIFETIME, PendingLogin, ProviderIdentity
from codegrant.client.state import (
    Brought,
    LoginState,
    browser_digest,
    diagnose,
    login_digest,
    open_cookie,
    resume_login,
    seal_cookie,
)
from codegrant.errors import StateError
from codegrant.sealing import KeyRing
from codegrant.secret import Secret

NOW = 1_800_000_000
ORIGIN = "https://app.example"
RING = KeyRing(["r" * 32])
PROVIDER = ProviderIdentity("https://i.example", "app", "https://app.example/c", "https://t")
BASE64URL = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"


def pending(byte: int = 7) -> PendingLogin:
    seed = urlsafe_b64encode(bytes([byte] * 32)).rstrip(b"=").decode()
    return PendingLogin(url="", state="", seed=Secret(seed), provider=PROVIDER, started_at=NOW)


def state_of(login: PendingLogin, ring: KeyRing = RING) -> str:
    return LoginState(
        login_id=login.login_id,
        started_at=login.started_at,
        origin="https://app.example",
        return_to="/deep",
    ).seal(ring)


def test_neither_half_shows_what_is_in_it() -> None:
    login = pending()
    state, cookie = state_of(login), seal_cookie(login, "google", RING)
    for text in (
        state,
        cookie,
        repr(open_cookie(cookie, RING)),
        repr(LoginState.open(state, RING)),
    ):
        for secret in (login.seed.reveal(), login.nonce, login.code_verifier.reveal()):
            assert secret not in text
    for text in (state, cookie):
        assert "deep" not in text
        assert "google" not in text


def test_both_halves_name_the_same_login() -> None:
    login = pending()
    opened = LoginState.open(state_of(login), RING)
    assert opened.login_id == login.login_id
    assert open_cookie(seal_cookie(login, "", RING), RING).login_id == login.login_id


def test_two_states_of_one_login_differ_and_open_alike() -> None:
    one, two = state_of(pending()), state_of(pending())
    assert one != two
    assert LoginState.open(one, RING) == LoginState.open(two, RING)


@given(st.integers(0, 10_000), st.sampled_from(BASE64URL))
def test_any_single_change_to_either_half_is_refused(place: int, letter: str) -> None:
    openers: list[tuple[str, Callable[[str], object]]] = [
        (state_of(pending()), lambda text: LoginState.open(text, RING)),
        (seal_cookie(pending(), "google", RING), lambda text: open_cookie(text, RING)),
    ]
    for sealed, opener in openers:
        at = place % len(sealed)
        changed = f"{sealed[:at]}{letter}{sealed[at + 1 :]}"
        if changed == sealed:
            assert opener(changed)
            continue
        with pytest.raises(StateError) as caught:
            opener(changed)
        assert caught.value.code in {"state_tampered", "state_unknown"}


@given(st.text(max_size=300))
def test_no_text_of_somebody_else_opens(text: str) -> None:
    for opener in (LoginState.open, open_cookie):
        with pytest.raises(StateError):
            opener(text, RING)
    error = diagnose(text, RING, now=NOW, origin="https://app.example")
    assert error.code in {"state_missing", "state_tampered", "state_unknown"}


@pytest.mark.parametrize(
    ("opener", "sealed"),
    [
        pytest.param(LoginState.open, seal_cookie(pending(), "", RING), id="a cookie as state"),
        pytest.param(open_cookie, state_of(pending()), id="a state as cookie"),
        pytest.param(open_cookie, pending().seal(RING), id="a sealed login as cookie"),
        pytest.param(LoginState.open, pending().seal(RING), id="a sealed login as state"),
    ],
)
def test_one_half_never_passes_for_the_other(
    opener: Callable[[str, KeyRing], object], sealed: str
) -> None:
    with pytest.raises(StateError) as caught:
        opener(sealed, RING)
    assert caught.value.code == "state_tampered"


def test_a_key_that_went_out_of_use_still_opens_and_one_that_is_gone_does_not() -> None:
    login, rotated, gone = pending(), KeyRing(["n" * 32, "r" * 32]), KeyRing(["n" * 32])
    cookie, state = seal_cookie(login, "", RING), state_of(login)
    opened = resume_login(open_cookie(cookie, rotated), state, PROVIDER, rotated, scope=())
    assert opened.code_verifier == login.code_verifier
    attempts: tuple[Callable[[], object], ...] = (
        lambda: open_cookie(cookie, gone),
        lambda: LoginState.open(state, gone),
    )
    for attempt in attempts:
        with pytest.raises(StateError) as caught:
            attempt()
        assert caught.value.code == "state_unknown"
        assert "same secret" in caught.value.hint


@pytest.mark.parametrize(
    ("age", "code"),
    [
        pytest.param(-30, "state_cookie_missing", id="a clock behind"),
        pytest.param(LOGIN_LIFETIME, "state_cookie_missing", id="the last second"),
        pytest.param(LOGIN_LIFETIME + 1, "state_expired", id="a second later"),
        pytest.param(10**8, "state_expired", id="years later"),
    ],
)
def test_a_state_without_its_cookie_is_explained_by_its_age(age: int, code: str) -> None:
    error = diagnose(state_of(pending()), RING, now=NOW + age, origin="https://app.example")
    assert error.code == code


def test_an_explanation_has_the_facts_and_no_secret() -> None:
    login = pending()
    state = state_of(login)
    error = diagnose(state, RING, now=NOW, origin="http://localhost:1")
    assert error.facts == {
        "started_on": "https://app.example",
        "arrived_on": "http://localhost:1",
    }
    for secret in (login.seed.reveal(), "/deep", state):
        assert secret not in str(error)


def test_a_store_knows_a_login_by_a_digest() -> None:
    one, two = login_digest(pending().login_id), login_digest(pending(8).login_id)
    assert len(one) == len(two) == 32
    assert one != two
    assert pending().login_id not in one


def test_the_cookie_keeps_the_largest_max_age_and_the_longest_name() -> None:
    login = replace(pending(), max_age=2**40)
    cookie = open_cookie(seal_cookie(login, "n" * 40, RING), RING)
    assert (cookie.max_age, cookie.provider_name) == (2**32 - 2, "n" * 40)


def test_the_longest_state_stays_under_480_characters() -> None:
    state = LoginState(
        login_id=bytes(16),
        started_at=NOW,
        origin="https://" + "a" * 92,
        return_to="/" + "b" * 199,
        browser=browser_digest("any"),
    ).seal(RING)
    assert len(state) < 480
    assert LoginState.open(state, RING).return_to == "/" + "b" * 199
    assert LoginState.open(state, RING).browser == browser_digest("any")


@pytest.mark.parametrize(
    ("brought", "code"),
    [
        (Brought(), "state_cookie_missing"),
        (Brought(user_agent="the one"), "state_cookie_missing"),
        (Brought(user_agent="another"), "state_other_browser"),
        (Brought(user_agent="another", pending=11), "state_other_browser"),
        (Brought(user_agent="the one", pending=12), "state_superseded"),
        (Brought(user_agent="the one", cookies=149, cookie_bytes=7999), "state_cookie_missing"),
        (Brought(user_agent="the one", cookies=150), "state_cookies_full"),
        (Brought(user_agent="the one", cookie_bytes=8000), "state_cookies_full"),
        (Brought(method="POST"), "state_posted"),
    ],
)
def test_what_the_browser_brought_explains_a_missing_cookie(brought: Brought, code: str) -> None:
    state = LoginState(
        login_id=bytes(16), started_at=NOW, origin=ORIGIN, browser=browser_digest("the one")
    ).seal(RING)
    assert diagnose(state, RING, now=NOW, origin=ORIGIN, brought=brought).code == code


@pytest.mark.parametrize(
    ("brought", "code"),
    [
        (Brought(method="POST"), "state_form_alone"),
        (Brought(method="POST", user_agent="the one"), "state_form_alone"),
        (Brought(method="POST", user_agent="another"), "state_other_browser"),
        (Brought(method="GET", user_agent="the one"), "state_cookie_missing"),
    ],
)
def test_a_form_that_was_asked_for_is_judged_like_an_address(brought: Brought, code: str) -> None:
    state = LoginState(
        login_id=bytes(16), started_at=NOW, origin=ORIGIN, browser=browser_digest("the one")
    ).seal(RING)
    given: dict[str, Any] = {"now": NOW, "origin": ORIGIN, "brought": brought, "by_form": True}
    assert diagnose(state, RING, **given).code == code
    assert diagnose(None, RING, **given).code == "state_missing"
    late = diagnose(state, RING, **{**given, "now": NOW + 601})
    assert late.code == "state_expired"
