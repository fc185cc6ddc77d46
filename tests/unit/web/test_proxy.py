"""Whose forwarded headers count, and how far."""

from __future__ import annotations

import pytest

from codegrant.errors import ConfigurationError
from codegrant.http import Headers
from codegrant.web.proxy import Origin, TrustedProxies

PROXIES = TrustedProxies(["10.0.0.0/8", "192.0.2.1", "2001:db8::/32"])


def origin(peer: str, *headers: tuple[str, str], proxies: TrustedProxies = PROXIES) -> Origin:
    return proxies.origin(Headers(headers), Origin(peer, "http", "inner:8080"))


def forwarded(peer: str, *chain: str) -> str:
    return origin(peer, *(("x-forwarded-for", line) for line in chain)).peer


@pytest.mark.parametrize(
    ("peer", "chain", "expected"),
    [
        pytest.param("10.1.2.3", ("203.0.113.9",), "203.0.113.9", id="one proxy"),
        pytest.param("10.1.2.3", ("203.0.113.9, 192.0.2.1",), "203.0.113.9", id="two proxies"),
        pytest.param("10.1.2.3", ("203.0.113.9", "10.9.9.9"), "203.0.113.9", id="two lines"),
        pytest.param("10.1.2.3", ("6.6.6.6, 203.0.113.9",), "203.0.113.9", id="forged beginning"),
        pytest.param("10.1.2.3", ("10.0.0.1, 10.0.0.2",), "10.0.0.1", id="all of them ours"),
        pytest.param("10.1.2.3", ("203.0.113.9, what",), "10.1.2.3", id="an unknown one"),
        pytest.param("10.1.2.3", (), "10.1.2.3", id="none"),
        pytest.param("2001:db8::1", ("2001:db9::5",), "2001:db9::5", id="IPv6"),
        pytest.param("::ffff:10.1.2.3", ("203.0.113.9",), "203.0.113.9", id="dual stack"),
        pytest.param("10.1.2.3", ("203.0.113.9:4711",), "203.0.113.9", id="IPv4 and port"),
        pytest.param("10.1.2.3", ("[2001:db9::5]:443",), "2001:db9::5", id="IPv6 and port"),
        pytest.param("10.1.2.3", ("[2001:db9::5]",), "2001:db9::5", id="IPv6 in brackets"),
        pytest.param("10.1.2.3", ("203.0.113.9:x",), "10.1.2.3", id="no port"),
        pytest.param("10.1.2.3", ("[2001:db9::5]443",), "10.1.2.3", id="no colon"),
        pytest.param("10.1.2.3", ("[2001:db9::5",), "10.1.2.3", id="no bracket"),
        pytest.param("10.1.2.3", ("[203.0.113.9]",), "10.1.2.3", id="IPv4 in brackets"),
        pytest.param("10.1.2.3", ("[::1",), "10.1.2.3", id="half a bracket"),
    ],
)
def test_the_peer_is_the_last_stranger(peer: str, chain: tuple[str, ...], expected: str) -> None:
    assert forwarded(peer, *chain) == expected


@pytest.mark.parametrize("peer", ["203.0.113.9", "192.0.2.2", "::1", "", "unix:"])
def test_nobody_else_is_believed(peer: str) -> None:
    headers = (
        ("x-forwarded-for", "6.6.6.6"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "evil.test"),
    )
    assert origin(peer, *headers) == Origin(peer, "http", "inner:8080")
    assert origin("10.0.0.1", *headers) == Origin("6.6.6.6", "https", "evil.test")


def test_nobody_at_all_is_believed_by_default() -> None:
    nobody = TrustedProxies()
    assert not nobody
    assert origin("127.0.0.1", ("x-forwarded-for", "6.6.6.6"), proxies=nobody).peer == "127.0.0.1"


@pytest.mark.parametrize(
    ("sent", "expected"),
    [
        pytest.param("https", "https", id="https"),
        pytest.param("HTTPS", "https", id="in capitals"),
        pytest.param("http, https", "https", id="the nearest proxy's"),
        pytest.param("javascript", "http", id="no scheme of ours"),
        pytest.param("", "http", id="empty"),
    ],
)
def test_the_scheme_is_http_or_https(sent: str, expected: str) -> None:
    assert origin("10.0.0.1", ("x-forwarded-proto", sent)).scheme == expected


@pytest.mark.parametrize("address", ["10.0.0.1/8", "proxy.test", "", "10.0.0.0/40"])
def test_an_address_that_is_none_is_refused(address: str) -> None:
    with pytest.raises(ConfigurationError, match=r"proxy\.trusted"):
        TrustedProxies([address])
