"""Where `serve` listens and under which issuer: judged before anything listens."""

from __future__ import annotations

import ssl
from pathlib import Path

from codegrant.cli.settings import Settings
from codegrant.errors import ConfigurationError, UsageError
from codegrant.http import is_loopback_host
from codegrant.rules.issuer import check_issuer

__all__ = ["check_listening", "issuer_at"]

_ANY_ADDRESS = {"0.0.0.0", "::", ""}  # noqa: S104 - to be refused as an issuer


def check_listening(settings: Settings) -> None:
    """Check that issuer, host and TLS files fit together.

    Raises:
        ConfigurationError: they do not; the message names key, value and what is allowed.
    """
    if settings.host.startswith("["):
        raise ConfigurationError(
            f"host: {settings.host!r} is not allowed, an IPv6 address without brackets is"
        )
    _check_certificate(settings.tls_cert, settings.tls_key)
    if settings.ca is not None:
        _check_ca(settings.ca)
    issuer = settings.issuer
    if issuer is None:
        _check_derived_issuer(settings)
        return
    try:
        check_issuer(issuer)
    except UsageError as error:
        raise ConfigurationError(
            f"{error.message}; an https URL without query and fragment is allowed, "
            "or http on loopback"
        ) from None
    if issuer.startswith("https://"):
        return
    if settings.tls_cert is not None:
        raise ConfigurationError(
            f"issuer: {issuer!r} is not allowed with tls_cert, an https URL is"
        )
    if not is_loopback_host(settings.host):
        raise ConfigurationError(
            f"issuer: {issuer!r} is not allowed while host is {settings.host!r}: an http issuer "
            "needs a loopback host (127.0.0.1, ::1, localhost); use https anywhere else"
        )


def issuer_at(settings: Settings, port: int) -> str:
    """Return the issuer: the one that was set, or the address that is listened on."""
    if settings.issuer is not None:
        return settings.issuer
    scheme = "http" if settings.tls_cert is None else "https"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{scheme}://{host}:{port}"


def _check_derived_issuer(settings: Settings) -> None:
    """Check that the address itself can be the issuer."""
    if settings.host in _ANY_ADDRESS:
        raise ConfigurationError(
            f"issuer: it must be set while host is {settings.host!r}, which is no address to go to"
        )
    if settings.tls_cert is None and not is_loopback_host(settings.host):
        raise ConfigurationError(
            f"issuer: an https URL must be set while host is {settings.host!r} and there is no "
            "tls_cert: an http issuer needs a loopback host (127.0.0.1, ::1, localhost)"
        )


def _check_certificate(certificate: Path | None, key: Path | None) -> None:
    """Check that certificate and key are both there, can be read and belong together."""
    if certificate is None and key is None:
        return
    if certificate is None or key is None:
        absent, there = ("tls_cert", "tls_key") if certificate is None else ("tls_key", "tls_cert")
        raise ConfigurationError(f"{absent}: it must be set together with {there}")
    _check_readable("tls_cert", certificate)
    _check_readable("tls_key", key)

    def refuse_passphrase() -> str:
        raise ConfigurationError(
            f"tls_key: {str(key)!r} is encrypted, a key without passphrase is allowed"
        )

    try:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(certificate, key, refuse_passphrase)
    except ssl.SSLError:
        raise ConfigurationError(
            f"tls_cert: {str(certificate)!r} and tls_key {str(key)!r} are not allowed, "
            "a certificate chain and its key as PEM are"
        ) from None


def _check_ca(file: Path) -> None:
    """Check that the file holds certificates."""
    _check_readable("ca", file)
    try:
        ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT).load_verify_locations(file)
    except ssl.SSLError:
        raise ConfigurationError(
            f"ca: {str(file)!r} is not allowed, a file of PEM certificates is"
        ) from None


def _check_readable(key: str, file: Path) -> None:
    try:
        file.open("rb").close()
    except OSError as error:
        raise ConfigurationError(
            f"{key}: {str(file)!r} is not allowed, a file that can be read is: {error.strerror}"
        ) from None
