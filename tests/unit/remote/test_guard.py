from __future__ import annotations

import pytest

from codegrant.errors import TransportError
from codegrant.remote.guard import check_guarded_url, check_public_address, judge_addresses

REFUSED = [
    pytest.param("10.0.0.1", id="private, 10/8"),
    pytest.param("172.16.0.1", id="private, 172.16/12"),
    pytest.param("192.168.1.1", id="private, 192.168/16"),
    pytest.param("127.0.0.1", id="loopback"),
    pytest.param("127.255.255.254", id="loopback, the other end"),
    pytest.param("169.254.169.254", id="link-local, cloud metadata"),
    pytest.param("100.64.0.1", id="shared, CGNAT"),
    pytest.param("100.100.100.200", id="shared, another cloud's metadata"),
    pytest.param("0.0.0.0", id="this host"),  # noqa: S104
    pytest.param("255.255.255.255", id="broadcast"),
    pytest.param("224.0.0.1", id="multicast"),
    pytest.param("240.0.0.1", id="reserved"),
    pytest.param("192.0.0.170", id="protocol assignments"),
    pytest.param("192.0.2.1", id="documentation"),
    pytest.param("198.18.0.1", id="benchmarks"),
    pytest.param("192.88.99.1", id="6to4 relay"),
    pytest.param("::1", id="loopback, v6"),
    pytest.param("::", id="unspecified, v6"),
    pytest.param("fe80::1", id="link-local, v6"),
    pytest.param("fe80::1%eth0", id="link-local with zone"),
    pytest.param("fc00::1", id="unique local"),
    pytest.param("fd00:ec2::254", id="cloud metadata, v6"),
    pytest.param("fec0::1", id="site-local"),
    pytest.param("ff02::1", id="multicast, v6"),
    pytest.param("::ffff:127.0.0.1", id="mapped loopback"),
    pytest.param("::ffff:7f00:1", id="mapped loopback in hex"),
    pytest.param("::ffff:8.8.8.8", id="mapped, even of a public one"),
    pytest.param("::127.0.0.1", id="v4-compatible"),
    pytest.param("64:ff9b::7f00:1", id="NAT64 of loopback"),
    pytest.param("64:ff9b:1::a00:1", id="local NAT64"),
    pytest.param("2002:7f00:1::", id="6to4 of loopback"),
    pytest.param("2001:0:4136:e378:8000:63bf:3fff:fdd2", id="Teredo"),
    pytest.param("2001:db8::1", id="documentation, v6"),
    pytest.param("not an address", id="no address"),
    pytest.param("", id="empty"),
    pytest.param("2130706433", id="loopback as a number"),
]


@pytest.mark.parametrize("address", REFUSED)
def test_an_address_that_is_not_public_is_refused(address: str) -> None:
    with pytest.raises(TransportError) as caught:
        check_public_address(address)
    assert caught.value.code == "address_refused"


@pytest.mark.parametrize("address", ["8.8.8.8", "93.184.216.34", "2606:4700::1111", "2a00:1450::1"])
def test_a_public_address_is_fine(address: str) -> None:
    check_public_address(address)


@pytest.mark.parametrize("private", ["10.0.0.1", "::1", "169.254.169.254"])
def test_one_private_address_among_public_ones_is_enough_to_refuse(private: str) -> None:
    with pytest.raises(TransportError, match="not a public address"):
        judge_addresses("rebind.example", ["8.8.8.8", private])
    public = ("8.8.8.8", "2606:4700::1111")
    assert judge_addresses("fine.example", [*public, *public]) == public


def test_a_name_without_address_is_no_connection() -> None:
    with pytest.raises(TransportError) as caught:
        judge_addresses("nowhere.example", [])
    assert caught.value.code == "connect_failed"


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("http://issuer.example/jwks", id="http"),
        pytest.param("http://169.254.169.254/", id="metadata service"),
        pytest.param("file:///etc/passwd", id="file"),
        pytest.param("ftp://issuer.example/", id="ftp"),
        pytest.param("data:application/json,{}", id="data"),
        pytest.param("gopher://issuer.example/", id="gopher"),
        pytest.param("javascript:alert(1)", id="javascript"),
        pytest.param("//issuer.example/", id="no scheme"),
        pytest.param("https:///jwks", id="no host"),
        pytest.param("https://user@issuer.example/", id="user name"),
        pytest.param("https://:pass@issuer.example/", id="password"),
        pytest.param("https://issuer.example:99999/", id="port out of range"),
        pytest.param("https://[::1/", id="broken bracket"),
        pytest.param("http://127.0.0.1/", id="loopback"),
    ],
)
def test_a_url_of_another_form_is_refused(url: str) -> None:
    with pytest.raises(TransportError) as caught:
        check_guarded_url(url)
    assert caught.value.code == "address_refused"


def test_an_https_url_gives_its_host_and_port() -> None:
    assert check_guarded_url("https://issuer.example/jwks") == ("issuer.example", 443)
    assert check_guarded_url("https://[2606:4700::1111]:8443/") == ("2606:4700::1111", 8443)


def test_private_addresses_can_be_allowed_for_development() -> None:
    assert check_guarded_url("http://127.0.0.1:8000/", allow_private=True) == ("127.0.0.1", 8000)
    assert judge_addresses("localhost", ["::1", "127.0.0.1"], allow_private=True)
    with pytest.raises(TransportError):
        check_guarded_url("http://issuer.example/", allow_private=True)
