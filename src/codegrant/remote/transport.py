"""What both drivers share: settings, TLS, limits, and the names of failures. Layer: remote.

The decisions of every request that leaves through a driver: TLS is verified and at least
1.2; no redirect is followed; no cookie is kept; no compressed answer is asked for, so
that the size limit counts what is really held; proxies and CA files of the environment
are honoured (`HTTPS_PROXY`, `NO_PROXY`, `SSL_CERT_FILE`), except that loopback and
guarded addresses are always reached directly.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final

from codegrant import __version__
from codegrant.errors import ConfigurationError, TransportError
from codegrant.http import Headers, Request, Response
from codegrant.remote.effects import FIELDS, Report

if TYPE_CHECKING:
    import ssl
    from http.cookiejar import CookieJar

    import httpx2

__all__ = ["MAX_BODY", "HttpSettings", "machine_time"]

MAX_BODY: Final = 1 << 20
"""Bytes of the largest answer that is read."""

CONNECT_TIMEOUT: Final = 5.0
_LOOPBACK = ("all://127.0.0.1", "all://localhost", "all://[::1]")


def machine_time() -> float:
    """Return the machine's time, epoch seconds.

    Looked up with each call: what stands in for `time.time` in somebody's test, perhaps set
    after a program was imported, holds here as well.
    """
    return time.time()


@dataclass(frozen=True, slots=True, kw_only=True)
class HttpSettings:
    """How a driver reaches others.

    Attributes:
        timeout: seconds for one whole request, 0.1 to 60; connecting has at most 5 of them.
        ca_file: path of a PEM file with the only CAs to trust, or `None` for the system's.
        allow_private: for development: guarded requests may go to any address.
        logger: name of the logger that `Report` writes to.
    """

    timeout: float = 10.0
    ca_file: str | None = None
    allow_private: bool = False
    logger: str = "codegrant"

    def __post_init__(self) -> None:
        """Check the time limit.

        Raises:
            ConfigurationError: it is too short or too long.
        """
        if not 0.1 <= self.timeout <= 60:
            raise ConfigurationError(f"timeout: {self.timeout} is outside 0.1 to 60 seconds")


def make_tls_context(settings: HttpSettings) -> ssl.SSLContext:
    """Return a context that verifies certificate and name, from TLS 1.2 on. RFC 9325 §3.1."""
    import ssl

    import httpx2

    if settings.ca_file is None:
        context = httpx2.create_ssl_context()
    else:
        try:
            context = ssl.create_default_context(cafile=settings.ca_file)
        except OSError as error:
            raise ConfigurationError(
                f"ca_file: {settings.ca_file!r} is no readable PEM file ({error.strerror or error})"
            ) from None
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    return context


def no_cookies() -> CookieJar:
    """Return a jar that stays empty: a cookie of one person's answer must not meet another's."""
    from http.cookiejar import CookieJar, DefaultCookiePolicy

    return CookieJar(DefaultCookiePolicy(allowed_domains=()))


def loopback_mounts() -> dict[str, None]:
    """Return the routes that keep loopback traffic away from a proxy of the environment."""
    from urllib.request import getproxies

    return dict.fromkeys(_LOOPBACK) if getproxies() else {}


def timeouts(settings: HttpSettings) -> httpx2.Timeout:
    """Return the limits of connecting and of each single read or write."""
    import httpx2

    return httpx2.Timeout(settings.timeout, connect=min(CONNECT_TIMEOUT, settings.timeout))


def default_headers() -> dict[str, str]:
    """Return the headers of every request, API calls included."""
    return {"user-agent": f"codegrant/{__version__}"}


def outgoing_headers(request: Request, host: str = "") -> list[tuple[str, str]]:
    """Return the header fields that go out with `request`."""
    pairs = [*request.headers.pairs(), ("accept-encoding", "identity")]
    return [("host", host), *pairs] if host else pairs


def incoming(request: Request, answer: httpx2.Response, chunks: Iterable[bytes]) -> Response:
    """Return the answer whose body is `chunks`."""
    if answer.headers.get("content-encoding", "identity").lower() != "identity":
        raise TransportError(
            f"{endpoint_of(request)} sent a compressed answer that nobody asked for",
            code="broken_answer",
            facts={"endpoint": endpoint_of(request)},
        )
    headers = Headers((k.decode("ascii"), v.decode("latin-1")) for k, v in answer.headers.raw)
    return Response(status=answer.status_code, headers=headers, body=b"".join(chunks))


def endpoint_of(request: Request) -> str:
    """Return the URL of `request` without its query, fit for logs."""
    return request.url.partition("?")[0].partition("#")[0]


def too_large(request: Request) -> TransportError:
    """Return the error of an answer above `MAX_BODY`."""
    return TransportError(
        f"{endpoint_of(request)} sent more than {MAX_BODY} bytes",
        code="too_large",
        hint="is this the right address?",
        facts={"endpoint": endpoint_of(request)},
    )


def timed_out(request: Request, settings: HttpSettings) -> TransportError:
    """Return the error of an answer that took too long."""
    return TransportError(
        f"{endpoint_of(request)} did not answer in {settings.timeout:g} s",
        code="timeout",
        hint="the server is slow or a firewall drops the packets; trying again may help",
        facts={"endpoint": endpoint_of(request)},
    )


def translate(error: Exception, request: Request, settings: HttpSettings) -> TransportError:
    """Return what an exception of httpx2 means to the caller."""
    import httpx2

    endpoint = endpoint_of(request)
    facts = {"endpoint": endpoint}
    if isinstance(error, httpx2.TimeoutException | TimeoutError):
        return timed_out(request, settings)
    tls = _tls_error(error)
    if tls is not None:
        from codegrant.rules.known_causes import tls_hint

        return TransportError(
            f"the TLS connection to {endpoint} failed: {tls}",
            code="tls_failed",
            hint=tls_hint(tls),
            facts=facts,
        )
    if isinstance(error, httpx2.ConnectError | httpx2.ProxyError | OSError):
        return TransportError(
            f"no connection to {endpoint}",
            code="connect_failed",
            hint="is the server running, the name right, and is it reachable from here?",
            facts=facts,
        )
    return TransportError(
        f"the connection to {endpoint} broke before the answer was complete",
        code="broken_answer",
        hint="does this port speak HTTP as the URL says (http, https)?",
        facts=facts,
    )


def _tls_error(error: BaseException) -> str | None:
    """Return what TLS complained about, if it did."""
    import ssl

    cause: BaseException | None = error
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return cause.verify_message
        if isinstance(cause, ssl.SSLError):
            # OpenSSL gives a reason; one that Python itself raises has no such attribute.
            reason: str | None = getattr(cause, "reason", None)
            return (reason or "handshake failed").lower().replace("_", " ")
        cause = cause.__cause__ or cause.__context__
    return None


_logger = lru_cache(maxsize=16)(logging.getLogger)  # which waits for a lock each time


def write_report(report: Report, settings: HttpSettings) -> None:
    """Write a report as one line of `logging`; fields outside the allow-list stay out."""
    logger = _logger(settings.logger)
    if logger.isEnabledFor(report.level):
        fields = {k: v for k, v in report.fields.items() if k in FIELDS}
        told = "".join(f" {key}={value!r}" for key, value in fields.items())
        logger.log(report.level, "%s%s", report.event, told, extra={"codegrant": fields})
