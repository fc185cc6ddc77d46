from __future__ import annotations

import logging
import ssl
from typing import Any, cast

import httpx2
import pytest

from codegrant.errors import TransportError
from codegrant.http import Headers, Request
from codegrant.remote.effects import Report
from codegrant.remote.transport import (
    MAX_BODY,
    HttpSettings,
    endpoint_of,
    incoming,
    loopback_mounts,
    make_tls_context,
    outgoing_headers,
    timeouts,
    too_large,
    translate,
    write_report,
)

REQUEST = Request(method="GET", url="https://as.example/token?code=s3cret#x")
SETTINGS = HttpSettings(timeout=2.5)


def caused(error: Exception, cause: BaseException) -> Exception:
    """Return `error` as it looks when it was raised from `cause`."""
    error.__cause__ = cause
    return error


VERIFY = ssl.SSLCertVerificationError("bad")
VERIFY.verify_message = "certificate has expired"
HANDSHAKE = ssl.SSLError(1, "x")
HANDSHAKE.reason = "TLSV1_ALERT_PROTOCOL_VERSION"


@pytest.mark.parametrize(
    ("error", "code", "told"),
    [
        (httpx2.ReadTimeout("x"), "timeout", "did not answer in 2.5 s"),
        (httpx2.ConnectTimeout("x"), "timeout", "did not answer in 2.5 s"),
        (httpx2.PoolTimeout("x"), "timeout", "did not answer in 2.5 s"),
        (TimeoutError(), "timeout", "did not answer in 2.5 s"),
        (httpx2.ConnectError("x"), "connect_failed", "no connection to"),
        (httpx2.ProxyError("x"), "connect_failed", "no connection to"),
        (OSError("x"), "connect_failed", "no connection to"),
        (caused(httpx2.ConnectError("x"), VERIFY), "tls_failed", "certificate has expired"),
        (caused(httpx2.ReadError("x"), HANDSHAKE), "tls_failed", "tlsv1 alert protocol version"),
        (caused(ValueError("x"), caused(OSError(), VERIFY)), "tls_failed", "has expired"),
        (ssl.SSLError(), "tls_failed", "handshake failed"),
        (httpx2.RemoteProtocolError("x"), "broken_answer", "broke before"),
        (httpx2.ReadError("x"), "broken_answer", "broke before"),
        (ValueError("s3cret"), "broken_answer", "broke before"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else None,
)
def test_every_failure_of_the_network_has_a_name(error: Exception, code: str, told: str) -> None:
    failed = translate(error, REQUEST, SETTINGS)
    assert isinstance(failed, TransportError)
    assert failed.code == code
    assert told in failed.message
    assert failed.facts == {"endpoint": "https://as.example/token"}
    assert "s3cret" not in f"{failed} {failed.facts}"
    assert failed.hint


def test_the_endpoint_in_a_message_has_no_query() -> None:
    assert endpoint_of(REQUEST) == "https://as.example/token"
    assert endpoint_of(Request(method="GET", url="https://a/#x?y")) == "https://a/"
    assert "s3cret" not in str(too_large(REQUEST))
    assert str(MAX_BODY) in str(too_large(REQUEST))


def test_no_compressed_answer_is_asked_for_and_the_host_stands_first() -> None:
    assert outgoing_headers(REQUEST) == [("accept-encoding", "identity")]
    pairs = outgoing_headers(
        Request(method="GET", url="https://a/", headers=Headers([("x", "1")])), host="a:1"
    )
    assert pairs == [("host", "a:1"), ("x", "1"), ("accept-encoding", "identity")]


@pytest.mark.parametrize("encoding", ["gzip", "br", "deflate, gzip", "x"])
def test_a_compressed_answer_is_not_taken(encoding: str) -> None:
    for fine in ("identity", "Identity"):
        answer = httpx2.Response(
            200, headers=[(b"content-encoding", fine.encode()), (b"x-A", b"\xe9")]
        )
        taken = incoming(REQUEST, answer, [b"a", b"b"])
        assert (taken.status, taken.body, taken.headers.get("x-a")) == (200, b"ab", "\u00e9")
    with pytest.raises(TransportError) as refused:
        incoming(REQUEST, httpx2.Response(200, headers={"content-encoding": encoding}), [])
    assert refused.value.code == "broken_answer"


@pytest.mark.requirement("CO-HTTP-01")
def test_the_system_is_trusted_from_tls_1_2_on() -> None:
    context = make_tls_context(SETTINGS)
    assert context.minimum_version == ssl.TLSVersion.TLSv1_2
    assert context.verify_mode == ssl.CERT_REQUIRED
    assert context.check_hostname


@pytest.mark.parametrize(("timeout", "connect"), [(2.5, 2.5), (10.0, 5.0)])
def test_connecting_has_five_seconds_at_most(timeout: float, connect: float) -> None:
    limits = timeouts(HttpSettings(timeout=timeout))
    assert (limits.connect, limits.read, limits.write) == (connect, timeout, timeout)


def test_loopback_needs_a_route_of_its_own_beside_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "http_proxy",
        "https_proxy",
        "all_proxy",
        "HTTP_PROXY",
        "HTTPS_PROXY",
        "ALL_PROXY",
    ):
        monkeypatch.delenv(name, raising=False)
    assert loopback_mounts() == {}
    monkeypatch.setenv("https_proxy", "http://proxy.example:3128")
    assert set(loopback_mounts()) == {"all://127.0.0.1", "all://localhost", "all://[::1]"}


def test_a_report_is_one_line_with_fields_of_the_allow_list(
    caplog: pytest.LogCaptureFixture,
) -> None:
    fields = cast("Any", {"issuer": "https://as.example\nFAKE", "token": "s3cret", "status": 200})
    report = Report(logging.INFO, "login finished", fields)
    settings = HttpSettings(logger="codegrant.test_transport")
    caplog.set_level(logging.WARNING, logger="codegrant.test_transport")
    write_report(report, settings)
    assert caplog.records == []
    caplog.set_level(logging.INFO, logger="codegrant.test_transport")
    write_report(report, settings)
    (record,) = caplog.records
    assert record.getMessage() == ("login finished issuer='https://as.example\\nFAKE' status=200")
    assert "s3cret" not in str(record.__dict__)
