"""`cli.listening`: issuer, host and TLS files, judged together."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import ec

from codegrant.cli.listening import check_listening, issuer_at
from codegrant.cli.settings import Settings, load_settings
from codegrant.errors import ConfigurationError
from tests.support.tls import SelfSigned, self_signed


def settings(**flags: str) -> Settings:
    return load_settings(flags=flags, environment={}, file=None)


def refusal(**flags: str) -> str:
    with pytest.raises(ConfigurationError) as raised:
        check_listening(settings(**flags))
    assert "\n" not in raised.value.message
    return raised.value.message


@pytest.fixture
def certificate(tmp_path: Path) -> SelfSigned:
    return self_signed(tmp_path)


EVERY_ADDRESS = "0.0.0.0"  # noqa: S104 - what is tested listens nowhere
LOOPBACK = ("127.0.0.1", "127.9.8.7", "::1", "localhost", "LOCALHOST")


@pytest.mark.parametrize("host", LOOPBACK)
def test_an_http_issuer_is_allowed_on_loopback(host: str) -> None:
    check_listening(settings(host=host))
    check_listening(settings(host=host, issuer="http://localhost:8080/tenant"))
    check_listening(settings(host=host, issuer="http://127.0.0.1:8080"))
    check_listening(settings(host=host, issuer="http://[::1]:8080"))


@pytest.mark.parametrize(
    "host", [EVERY_ADDRESS, "::", "10.0.0.5", "login.example", "localhost.example", "127.0.0.1.nip"]
)
def test_an_http_issuer_is_refused_while_listening_elsewhere(host: str) -> None:
    said = refusal(host=host, issuer="http://127.0.0.1:8080")
    assert said.startswith(f"issuer: 'http://127.0.0.1:8080' is not allowed while host is {host!r}")
    assert refusal(host=host).startswith("issuer: ")
    check_listening(settings(host=host, issuer="https://login.example"))


@pytest.mark.parametrize(
    ("issuer", "why"),
    [
        pytest.param("http://login.example", "neither https nor http on loopback", id="http"),
        pytest.param("http://127.0.0.1.example", "neither https nor http on", id="looks loopback"),
        pytest.param("ftp://login.example", "neither https nor http on loopback", id="scheme"),
        pytest.param("login.example", "is no URL", id="no scheme"),
        pytest.param("https://login.example/?a=b", "has a query", id="query"),
        pytest.param("https://login.example/#", "has a fragment", id="fragment"),
        pytest.param("https://login.example/a//b", "has an empty or a dot segment", id="empty"),
        pytest.param("https://login.example/../a", "has an empty or a dot segment", id="dots"),
        pytest.param("https://", "has no host", id="no host"),
        pytest.param("https://login.example:port", "is no URL", id="no port"),
        pytest.param("https://me:secret@login.example", "user", id="user"),
    ],
)
def test_an_issuer_that_cannot_be_one_is_refused(issuer: str, why: str) -> None:
    said = refusal(issuer=issuer)
    assert said.startswith("issuer: ")
    assert why in said
    assert "an https URL without query and fragment is allowed" in said


@pytest.mark.parametrize(
    "issuer", ["https://login.example", "https://login.example/", "https://login.example:444/a/b"]
)
def test_an_https_issuer_needs_no_certificate_of_ours(issuer: str) -> None:
    check_listening(settings(issuer=issuer))
    check_listening(settings(issuer=issuer, host=EVERY_ADDRESS))
    assert issuer_at(settings(issuer=issuer), 1234) == issuer


@pytest.mark.parametrize(
    ("host", "issuer"),
    [
        ("127.0.0.1", "http://127.0.0.1:1234"),
        ("localhost", "http://localhost:1234"),
        ("::1", "http://[::1]:1234"),
    ],
)
def test_the_issuer_follows_from_host_and_port(host: str, issuer: str) -> None:
    assert issuer_at(settings(host=host), 1234) == issuer


def test_with_a_certificate_it_is_https(certificate: SelfSigned) -> None:
    files = {"tls_cert": str(certificate.file), "tls_key": str(certificate.key_file)}
    check_listening(settings(**files))
    assert issuer_at(settings(**files), 1234) == "https://127.0.0.1:1234"
    check_listening(settings(**files, host="10.0.0.5"))
    assert refusal(**files, host=EVERY_ADDRESS).startswith("issuer: it must be set while host is")
    assert refusal(**files, issuer="http://127.0.0.1:1").startswith(
        "issuer: 'http://127.0.0.1:1' is not allowed with tls_cert"
    )


def test_an_ipv6_address_stands_without_brackets() -> None:
    assert refusal(host="[::1]").startswith("host: '[::1]' is not allowed")


def test_certificate_and_key_go_together(certificate: SelfSigned, tmp_path: Path) -> None:
    cert, key = str(certificate.file), str(certificate.key_file)
    other = tmp_path / "other"
    other.mkdir()
    foreign = str(self_signed(other).key_file)
    absent, text = str(tmp_path / "absent"), tmp_path / "text"
    text.write_text("no PEM")
    cases: list[tuple[Mapping[str, str], str]] = [
        ({"tls_cert": cert}, "tls_key: it must be set together with tls_cert"),
        ({"tls_key": key}, "tls_cert: it must be set together with tls_key"),
        ({"tls_cert": absent, "tls_key": key}, f"tls_cert: {absent!r} is not allowed, a file"),
        ({"tls_cert": cert, "tls_key": absent}, f"tls_key: {absent!r} is not allowed, a file"),
        ({"tls_cert": cert, "tls_key": foreign}, f"tls_cert: {cert!r} and tls_key {foreign!r}"),
        ({"tls_cert": str(text), "tls_key": key}, f"tls_cert: {str(text)!r} and tls_key"),
        ({"tls_cert": str(tmp_path), "tls_key": key}, f"tls_cert: {str(tmp_path)!r} is not"),
    ]
    for flags, said in cases:
        assert refusal(**flags).startswith(said)
    check_listening(settings(tls_cert=cert, tls_key=key))


def test_a_key_with_a_passphrase_is_refused_and_not_asked_for(
    certificate: SelfSigned, tmp_path: Path
) -> None:
    sealed = tmp_path / "sealed.pem"
    sealed.write_bytes(
        ec.generate_private_key(ec.SECP256R1()).private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.BestAvailableEncryption(b"passphrase"),
        )
    )
    said = refusal(tls_cert=str(certificate.file), tls_key=str(sealed))
    assert said == f"tls_key: {str(sealed)!r} is encrypted, a key without passphrase is allowed"


def test_the_ca_file_holds_certificates(certificate: SelfSigned, tmp_path: Path) -> None:
    check_listening(settings(ca=str(certificate.file)))
    for wrong in (certificate.key_file, tmp_path / "absent", tmp_path):
        assert refusal(ca=str(wrong)).startswith(f"ca: {str(wrong)!r} is not allowed")
