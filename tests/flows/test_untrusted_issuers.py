"""`untrusted_issuer`: somebody else chose the server, so it must live at public addresses."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from codegrant import ServerMetadata, Tokens, TransportError, UsageError
from tests.flows.conftest import MakeApplication
from tests.support.application import Application
from tests.support.mock_provider import MockProvider

PUBLIC = "https://as.example"


@pytest.fixture
def dialled(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """Notes every connection that somebody tries to open."""
    seen: list[Any] = []
    connect = socket.socket.connect

    def note(self: socket.socket, address: Any) -> None:
        seen.append(address)
        connect(self, address)

    monkeypatch.setattr(socket.socket, "connect", note)
    return seen


def metadata_at(origin: str) -> ServerMetadata:
    return ServerMetadata(
        issuer=PUBLIC,
        authorization_endpoint=f"{PUBLIC}/authorize",
        token_endpoint=f"{origin}/token",
        userinfo_endpoint=f"{origin}/userinfo",
        revocation_endpoint=f"{origin}/revoke",
        jwks_uri=f"{origin}/jwks",
        code_challenge_methods_supported=("S256",),
    )


@pytest.mark.requirement("CL-META-04")
@pytest.mark.parametrize(
    "issuer",
    [
        pytest.param("http://169.254.169.254", id="link-local, http"),
        pytest.param("https://169.254.169.254", id="link-local"),
        pytest.param("https://127.0.0.1", id="loopback"),
        pytest.param("http://127.0.0.1:9", id="loopback, http"),
        pytest.param("https://localhost", id="localhost"),
        pytest.param("https://10.1.2.3", id="private 10"),
        pytest.param("https://192.168.0.1:8443", id="private 192.168"),
        pytest.param("https://172.16.0.1", id="private 172.16"),
        pytest.param("https://100.64.0.1", id="carrier"),
        pytest.param("https://0.0.0.0", id="unspecified"),
        pytest.param("https://[::1]", id="IPv6 loopback"),
        pytest.param("https://[fd00::1]", id="IPv6 private"),
        pytest.param("https://[fe80::1]", id="IPv6 link-local"),
        pytest.param("https://[::ffff:127.0.0.1]", id="IPv4 in IPv6"),
        pytest.param("https://2130706433", id="decimal"),
        pytest.param("https://0x7f000001", id="hexadecimal"),
        pytest.param("https://127.1", id="short"),
    ],
)
def test_an_untrusted_issuer_at_an_address_that_is_not_public_is_refused(
    make_app: MakeApplication, issuer: str, dialled: list[Any]
) -> None:
    with pytest.raises((UsageError, TransportError)):
        make_app(issuer, untrusted_issuer=True).start()
    assert dialled == []


@pytest.mark.requirement("CL-META-04")
def test_a_trusted_issuer_may_be_on_loopback_and_an_untrusted_one_not(
    make_app: MakeApplication, provider: MockProvider
) -> None:
    with pytest.raises((UsageError, TransportError)):
        make_app(provider, untrusted_issuer=True).start()
    assert provider.received == []
    assert make_app(provider).start().url.startswith(provider.issuer)


@pytest.mark.requirement("CL-META-04")
@pytest.mark.parametrize("origin", ["https://169.254.169.254", "https://127.0.0.1:1"])
def test_no_endpoint_of_an_untrusted_server_leads_inside(
    make_app: MakeApplication, provider: MockProvider, origin: str, dialled: list[Any]
) -> None:
    tokens = replace(
        make_app(provider).log_in(provider), issuer=PUBLIC, token_endpoint=f"{origin}/token"
    )
    app = make_app(metadata_at(origin), untrusted_issuer=True)
    plain = replace(tokens, identity=None)
    calls: list[Callable[[], object]] = [
        lambda: app.refresh(tokens),
        lambda: app.refresh(plain),
        lambda: app.revoke(tokens),
        lambda: app.userinfo(tokens),
        lambda: finish(app),
    ]
    dialled.clear()
    for call in calls:
        with pytest.raises((UsageError, TransportError)) as caught:
            call()
        assert "not public" in caught.value.message or caught.value.code == "address_refused"
    assert dialled == []


def finish(app: Application) -> Tokens:
    login = app.start()
    return app.finish(
        f"https://app.example/callback?code=c&state={login.state}&iss={PUBLIC}", login
    )
