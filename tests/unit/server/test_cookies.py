from __future__ import annotations

from codegrant.http import Headers
from codegrant.server.cookies import build_cookie, clear_cookie, cookie_name, find_cookie_names
from codegrant.server.policy import Policy

HTTPS = Policy(issuer="https://h.test")
HTTP = Policy(issuer="http://127.0.0.1:8080")


def test_an_https_issuer_sets_secure_host_cookies() -> None:
    name = cookie_name(HTTPS, "session")
    assert name.startswith("__Host-cg-session-")
    cookie = build_cookie(HTTPS, name, "v", max_age=600)
    assert cookie == f"{name}=v; Max-Age=600; Path=/; HttpOnly; SameSite=Lax; Secure"


def test_an_http_issuer_on_loopback_does_without() -> None:
    name = cookie_name(HTTP, "session")
    assert name.startswith("cg-session-")
    assert "Secure" not in build_cookie(HTTP, name, "v", max_age=600)


def test_two_issuers_on_one_host_have_different_names() -> None:
    issuers = ("http://127.0.0.1:1", "http://127.0.0.1:2", "http://127.0.0.1:1/t1")
    names = {cookie_name(Policy(issuer=issuer), "session") for issuer in issuers}
    assert len(names) == 3


def test_clearing_ends_the_cookie_at_once() -> None:
    assert clear_cookie(HTTPS, "n").startswith("n=; Max-Age=0; Path=/;")


def test_names_are_found_in_the_order_in_which_they_came() -> None:
    headers = Headers([("cookie", "x-2=a; y=b; x-1=c"), ("cookie", "x-3=d; x-2=e")])
    assert find_cookie_names(headers, "x-") == ("x-2", "x-1", "x-3")
    assert find_cookie_names(Headers(), "x-") == ()
