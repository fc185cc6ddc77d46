from __future__ import annotations

import re
from base64 import urlsafe_b64encode
from dataclasses import replace

import pytest

from codegrant.client.pending import LOGIN_LIFETIME, PendingLogin, ProviderIdentity
from codegrant.client.state import seal_cookie
from codegrant.http import Headers
from codegrant.sealing import KeyRing
from codegrant.secret import Secret
from codegrant.web.login_cookies import LoginCookies

NOW = 1_800_000_000
RING = KeyRing(["r" * 32])
SECURE = LoginCookies("https://app.example", ["app"])
PLAIN = LoginCookies("http://127.0.0.1:5000", ["app"])


def pending(number: int = 1, started_at: int = NOW) -> PendingLogin:
    raw = urlsafe_b64encode(number.to_bytes(32)).rstrip(b"=").decode()
    provider = ProviderIdentity("https://i.example", "app", "https://app.example/c", "https://t")
    return PendingLogin(
        url="", state="", seed=Secret(raw), provider=provider, started_at=started_at
    )


def jar(*logins: PendingLogin, cookies: LoginCookies = PLAIN, ring: KeyRing = RING) -> str:
    return "; ".join(f"{cookies.pending(x.login_id)}={seal_cookie(x, 'p', ring)}" for x in logins)


def surplus(cookie: str, now: int = NOW) -> list[str]:
    return PLAIN.surplus(Headers({"cookie": cookie}), RING, now, LOGIN_LIFETIME)


def test_on_https_names_and_attributes_hold_the_cookie_to_its_host() -> None:
    name, line = SECURE.build(SECURE.session, "v", max_age=60)
    assert name == "set-cookie"
    assert re.fullmatch(r"__Host-cg-app-[0-9a-f]{6}", SECURE.session)
    assert re.fullmatch(r"__Host-cg-login-[0-9a-f]{6}-[0-9a-f]{8}", SECURE.pending(bytes(16)))
    assert line == f"{SECURE.session}=v; Max-Age=60; Path=/; HttpOnly; SameSite=Lax; Secure"


def test_on_http_the_same_name_has_no_prefix_and_no_secure() -> None:
    _, line = PLAIN.build(PLAIN.session, "v", max_age=60)
    assert re.fullmatch(r"cg-app-[0-9a-f]{6}", PLAIN.session)
    assert line == f"{PLAIN.session}=v; Max-Age=60; Path=/; HttpOnly; SameSite=Lax"


@pytest.mark.parametrize(
    ("root", "client_ids"),
    [
        pytest.param("http://127.0.0.1:5001", ["app"], id="another port"),
        pytest.param("http://127.0.0.1:5000/shop", ["app"], id="another path"),
        pytest.param("http://127.0.0.1:5000", ["other"], id="another client"),
        pytest.param("http://127.0.0.1:5000", ["app", "other"], id="one client more"),
        pytest.param("http://localhost:5000", ["app"], id="another host"),
    ],
)
def test_two_applications_have_two_names(root: str, client_ids: list[str]) -> None:
    other = LoginCookies(root, client_ids)
    assert other.session != PLAIN.session
    assert other.pending(bytes(16)) != PLAIN.pending(bytes(16))
    assert LoginCookies("http://127.0.0.1:5000", ["app"]).session == PLAIN.session


def test_the_order_of_the_providers_does_not_matter() -> None:
    one, two = (LoginCookies("https://a.example", ids) for ids in (["x", "y"], ["y", "x"]))
    assert one.session == two.session


def test_the_pending_cookie_fits_into_220_bytes_with_its_name() -> None:
    login = replace(pending(), max_age=3600)
    value = seal_cookie(login, "p" * 40, RING)
    assert len(f"{SECURE.pending(login.login_id)}={value}") <= 220


@pytest.mark.parametrize(
    ("cookie", "found"),
    [
        pytest.param(f"{PLAIN.session}=id", "id", id="one"),
        pytest.param(f"a=b; {PLAIN.session}=id", "id", id="among others"),
        pytest.param("a=b", None, id="none"),
        pytest.param(f"{PLAIN.session}=", None, id="empty"),
        pytest.param(f"{PLAIN.session}=id; {PLAIN.session}=evil", None, id="two compete"),
        pytest.param(f"{SECURE.session}=id", None, id="another application's"),
        pytest.param(f"\x85{PLAIN.session}=id", None, id="a name that only looks like it"),
    ],
)
def test_the_session_is_found_when_exactly_one_is_there(cookie: str, found: str | None) -> None:
    assert PLAIN.find_session(Headers({"cookie": cookie})) == found


def test_up_to_eleven_stay_when_one_more_is_set() -> None:
    assert surplus(jar(*(pending(n) for n in range(1, 12)))) == []


def test_the_oldest_go_first() -> None:
    logins = [pending(n, NOW - n) for n in range(1, 16)]
    gone = [PLAIN.pending(login.login_id) for login in logins[:10:-1]]
    assert surplus(jar(*logins)) == gone
    assert len(gone) == 4


@pytest.mark.parametrize(
    "cookie",
    [
        pytest.param(jar(pending(started_at=NOW - 601)), id="expired"),
        pytest.param(jar(pending(), ring=KeyRing(["o" * 32])), id="sealed with another key"),
        pytest.param(f"{PLAIN.pending(bytes(16))}=junk", id="junk"),
        pytest.param(f"{PLAIN.pending(bytes(16))}=", id="empty"),
        pytest.param(f"{jar(pending())}; {jar(pending())}", id="twice"),
    ],
)
def test_what_cannot_be_used_goes(cookie: str) -> None:
    assert surplus(cookie) == [cookie.partition("=")[0]]


@pytest.mark.parametrize(
    "cookie",
    [
        pytest.param(jar(pending(), cookies=SECURE), id="another application's"),
        pytest.param(f"{PLAIN.session}=x", id="the session"),
        pytest.param(PLAIN.pending(bytes(16)), id="no equals sign"),
        pytest.param(f"\x85{PLAIN.pending(bytes(16))}=x", id="strange white space before it"),
        pytest.param(f"{PLAIN.pending(bytes(16))}\x85=x", id="strange white space after it"),
        pytest.param(f"{PLAIN.pending(bytes(16))}zz=x", id="a longer name"),
        pytest.param(jar(pending(started_at=NOW - 600)), id="just in time"),
        pytest.param(";;=;", id="nothing at all"),
    ],
)
def test_what_is_not_ours_or_still_good_is_left_alone(cookie: str) -> None:
    assert surplus(cookie) == []
