from __future__ import annotations

import pickle
from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import replace

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand

from codegrant.client.pending import LOGIN_LIFETIME, PendingLogin, ProviderIdentity
from codegrant.client.state import (
    LoginState,
    diagnose,
    open_cookie,
    resume_login,
    seal_cookie,
)
from codegrant.errors import StateError
from codegrant.jose import PrivateKey, base64url
from codegrant.sealing import KeyRing
from codegrant.secret import Secret

NOW = 1_800_000_000
RING = KeyRing(["r" * 32])
OTHER_RING = KeyRing(["o" * 32])
ORIGIN = "https://app.example"
PROVIDER = ProviderIdentity(
    issuer="https://issuer.example",
    client_id="app",
    redirect_uri="https://app.example/callback",
    token_endpoint="https://issuer.example/token",
)


def seed(byte: int = 7) -> Secret:
    return Secret(urlsafe_b64encode(bytes([byte] * 32)).rstrip(b"=").decode())


def pending(byte: int = 7) -> PendingLogin:
    return PendingLogin(
        url="https://issuer.example/authorize?state=s-t-a-t-e",
        state="s-t-a-t-e",
        seed=seed(byte),
        provider=PROVIDER,
        started_at=NOW,
        scope=("openid", "profile"),
        max_age=60,
        acr_values=("high",),
        acr_essential=True,
        return_to="/deep?link=1",
    )


def flip(text: str, index: int) -> str:
    changed = "A" if text[index] != "A" else "B"
    return f"{text[:index]}{changed}{text[index + 1 :]}"


def test_nonce_verifier_and_login_id_are_different_and_tell_nothing_of_each_other() -> None:
    login = pending()
    verifier = login.code_verifier.reveal()
    assert len(login.nonce) == len(verifier) == 43
    assert len({login.nonce, verifier, login.seed.reveal()}) == 3
    assert pending().nonce == login.nonce
    assert pending(8).nonce != login.nonce
    assert pending(8).code_verifier != login.code_verifier
    assert pending(8).login_id != login.login_id


@pytest.mark.parametrize("byte", [0, 7, 255])
def test_what_is_derived_is_hkdf_expand_with_sha256(byte: int) -> None:
    def expanded(label: bytes) -> bytes:
        hkdf = HKDFExpand(hashes.SHA256(), length=32, info=b"codegrant login " + label)
        return hkdf.derive(bytes([byte] * 32))

    login = pending(byte)
    assert base64url.decode(login.nonce) == expanded(b"nonce")
    assert base64url.decode(login.code_verifier.reveal()) == expanded(b"code verifier")
    assert login.login_id == expanded(b"login id")[:16]


def test_neither_repr_nor_pickle_shows_a_pending_login() -> None:
    login = pending()
    for secret in (login.seed.reveal(), login.state, login.nonce, "/deep"):
        assert secret not in repr(login)
    with pytest.raises(TypeError, match="seal it"):
        pickle.dumps(login)


def test_a_sealed_login_opens_in_another_process_with_the_same_key() -> None:
    sealed = pending().seal(RING)
    opened = PendingLogin.open(sealed, KeyRing(["n" * 32, "r" * 32]))
    assert opened == replace(pending(), url="")
    assert opened.code_verifier == pending().code_verifier


@pytest.mark.parametrize(
    ("change", "code"),
    [
        pytest.param(lambda _: "", "state_tampered", id="empty"),
        pytest.param(lambda text: text[:-4], "state_tampered", id="cut"),
        pytest.param(lambda text: flip(text, 40), "state_tampered", id="altered"),
        pytest.param(lambda text: flip(text, 3), "state_unknown", id="another key id"),
        pytest.param(lambda _: pending().seal(OTHER_RING), "state_unknown", id="another key"),
        pytest.param(
            lambda _: seal_cookie(pending(), "", RING), "state_tampered", id="a cookie instead"
        ),
    ],
)
def test_what_is_no_sealed_login_is_refused(change: Callable[[str], str], code: str) -> None:
    with pytest.raises(StateError) as caught:
        PendingLogin.open(change(pending().seal(RING)), RING)
    assert caught.value.code == code
    assert caught.value.hint


def test_cookie_and_state_together_make_the_login_again() -> None:
    state = LoginState(
        login_id=pending().login_id, started_at=NOW, origin=ORIGIN, return_to="/deep?link=1"
    ).seal(RING)
    cookie = open_cookie(seal_cookie(pending(), "google", RING), RING)
    assert cookie.provider_name == "google"
    login = resume_login(
        cookie,
        state,
        PROVIDER,
        RING,
        scope=("openid", "profile"),
        acr_values=("high",),
        acr_essential=True,
    )
    assert login == replace(pending(), url="", state=state)


def test_a_login_without_max_age_comes_back_without() -> None:
    cookie = open_cookie(seal_cookie(replace(pending(), max_age=None), "", RING), RING)
    assert cookie.max_age is None
    assert open_cookie(seal_cookie(replace(pending(), max_age=0), "", RING), RING).max_age == 0


def test_the_cookie_fits_into_220_bytes_with_its_name() -> None:
    name = "__Host-cg-login-" + "x" * 16
    assert len(f"{name}={seal_cookie(pending(), 'p' * 40, RING)}") <= 220
    with pytest.raises(ValueError, match="40"):
        seal_cookie(pending(), "p" * 41, RING)


@pytest.mark.parametrize("size", [0, 1, 100, 200])
def test_the_state_stays_under_480_characters(size: int) -> None:
    return_to = ("/" + "ä" * 100)[: size // 2] or None
    state = LoginState(
        login_id=bytes(16), started_at=NOW, origin="https://" + "h" * 92, return_to=return_to
    )
    assert len(state.seal(RING)) < 480
    assert LoginState.open(state.seal(RING), RING) == state


def test_what_does_not_fit_into_the_state_stays_out_whole() -> None:
    long = LoginState(
        login_id=bytes(16), started_at=NOW, origin="https://" + "h" * 93, return_to="/" + "x" * 200
    )
    opened = LoginState.open(long.seal(RING), RING)
    assert (opened.origin, opened.return_to) == ("", None)
    assert len(long.seal(RING)) < 480


@pytest.mark.parametrize("field", ["issuer", "client_id", "redirect_uri", "token_endpoint"])
def test_a_login_is_not_resumed_at_another_provider(field: str) -> None:
    state = LoginState(login_id=pending().login_id, started_at=NOW).seal(RING)
    cookie = open_cookie(seal_cookie(pending(), "", RING), RING)
    other = PROVIDER._replace(**{field: "https://evil.example"})
    with pytest.raises(StateError) as caught:
        resume_login(cookie, state, other, RING, scope=())
    assert caught.value.code == "state_other_provider"
    assert resume_login(cookie, state, PROVIDER, RING, scope=()).provider == PROVIDER


def test_the_state_of_one_login_does_not_go_with_the_cookie_of_another() -> None:
    state = LoginState(login_id=pending(8).login_id, started_at=NOW).seal(RING)
    cookie = open_cookie(seal_cookie(pending(), "", RING), RING)
    with pytest.raises(StateError) as caught:
        resume_login(cookie, state, PROVIDER, RING, scope=())
    assert caught.value.code == "state_mismatch"


def sealed_state(started_at: int = NOW, origin: str = ORIGIN, ring: KeyRing = RING) -> str:
    login_id = pending().login_id
    return LoginState(login_id=login_id, started_at=started_at, origin=origin).seal(ring)


@pytest.mark.parametrize(
    ("state", "found", "used", "code", "said"),
    [
        pytest.param(None, False, False, "state_missing", "no state", id="none"),
        pytest.param("", False, False, "state_missing", "no state", id="empty"),
        pytest.param("random", True, False, "state_tampered", "malformed", id="not ours"),
        pytest.param(
            flip(sealed_state(), 50), False, False, "state_tampered", "altered", id="altered"
        ),
        pytest.param(
            sealed_state(ring=OTHER_RING), False, False, "state_unknown", "key", id="foreign key"
        ),
        pytest.param(
            sealed_state(NOW - LOGIN_LIFETIME - 1), False, False, "state_expired", "601", id="late"
        ),
        pytest.param(
            sealed_state(origin="http://localhost:8000"),
            False,
            False,
            "state_host_changed",
            "began on http://localhost:8000, the callback arrived on https://app.example",
            id="another host",
        ),
        pytest.param(sealed_state(), False, False, "state_cookie_missing", "no cookie", id="bare"),
        pytest.param(sealed_state(), True, False, "state_mismatch", "not the one", id="other"),
        pytest.param(sealed_state(), True, True, "state_already_used", "before", id="twice"),
    ],
)
def test_each_cause_has_its_own_code_and_a_hint(
    state: str | None, found: bool, used: bool, code: str, said: str
) -> None:
    error = diagnose(state, RING, now=NOW, origin=ORIGIN, cookie_found=found, already_used=used)
    assert error.code == code
    assert said in error.message
    assert error.hint
    assert error.stage == "callback"


@pytest.mark.parametrize("alg", ["ES256", "EdDSA"])
def test_the_key_of_a_login_is_its_own_and_told_by_nothing_else_of_it(alg: str) -> None:
    login, other = pending(), pending(8)
    key = login.dpop_key(alg)
    assert PendingLogin.open(login.seal(RING), RING).dpop_key(alg) == key
    assert other.dpop_key(alg) != key
    # Who knows the verifier, as the server does, does not know the key.
    raw = base64url.decode(login.code_verifier.reveal())
    assert key not in {PrivateKey.derive(alg, raw + raw), PrivateKey.derive(alg, raw + bytes(32))}
