"""`Policy`: everything an operator decides about one issuer. Layer: server, no I/O."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property
from typing import Literal, TypeAlias
from urllib.parse import urlsplit

from codegrant.errors import ConfigurationError
from codegrant.rules.issuer import check_issuer
from codegrant.secret import digest_of

__all__ = ["AccessFormat", "Limits", "Policy", "SigningAlgorithm"]

AccessFormat: TypeAlias = Literal["jwt", "opaque"]
SigningAlgorithm: TypeAlias = Literal["RS256", "ES256", "PS256", "EdDSA"]

DAY = 86_400
_RANGES: dict[str, tuple[int, int]] = {
    "code_lifetime": (1, 600),
    "access_token_lifetime": (1, 3600),
    "id_token_lifetime": (1, 86_400),
    "transaction_lifetime": (60, 3600),
    "refresh_idle": (60, 3650 * DAY),
    "refresh_absolute": (60, 3650 * DAY),
    "refresh_grace_seconds": (0, 60),
    "session_idle": (60, 3650 * DAY),
    "session_absolute": (60, 3650 * DAY),
    "keys_activate_after": (0, 30 * DAY),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """How many failures of one kind are taken in a window before 429.

    Attributes:
        account_failures: of one (account or client, source).
        source_failures: of one source.
        window: seconds.
    """

    enabled: bool = True
    account_failures: int = 10
    source_failures: int = 100
    window: int = 300

    def __post_init__(self) -> None:
        for name in ("account_failures", "source_failures", "window"):
            value: int = getattr(self, name)
            if value < 1:
                raise ConfigurationError(f"limits.{name}: {value} is not allowed, at least 1 is")


@dataclass(frozen=True, kw_only=True)
class Policy:
    """The settings of one issuer. Lifetimes are seconds.

    Args:
        issuer: https URL, or http on loopback, without query and fragment; may have a path.
        code_lifetime: at most 600. RFC 6749 §4.1.2.
        access_token_lifetime: at most 3600. RFC 6750 §5.3.
        access_format: `jwt` (RFC 9068) or `opaque`; a resource may say otherwise (D15).
        access_alg: signs JWT access tokens (D14).
        acr_values: authentication contexts that the host can reach; usually none.
        keys_activate_after: from publishing a further key to its first signature.

    Raises:
        ConfigurationError: a value out of its range; the message names it.
    """

    issuer: str
    code_lifetime: int = 60
    access_token_lifetime: int = 300
    id_token_lifetime: int = 300
    transaction_lifetime: int = 600
    refresh_idle: int = 30 * DAY
    refresh_absolute: int = 180 * DAY
    refresh_grace_seconds: int = 30
    session_idle: int = 43_200
    session_absolute: int = 30 * DAY
    access_format: AccessFormat = "jwt"
    access_alg: SigningAlgorithm = "ES256"
    acr_values: tuple[str, ...] = ()
    limits: Limits = field(default_factory=Limits)
    keys_activate_after: int = 3600

    def __post_init__(self) -> None:
        check_issuer(self.issuer, error=ConfigurationError)
        for name, (least, most) in _RANGES.items():
            value: int = getattr(self, name)
            if not least <= value <= most:
                raise ConfigurationError(
                    f"{name}: {value} is not allowed, {least} to {most} seconds are"
                )
        if self.access_format not in {"jwt", "opaque"}:
            raise ConfigurationError(
                f"access_format: {self.access_format!r} is not allowed, jwt and opaque are"
            )
        if self.access_alg not in {"RS256", "ES256", "PS256", "EdDSA"}:
            raise ConfigurationError(
                f"access_alg: {self.access_alg!r} is not allowed, RS256, ES256, PS256 and EdDSA are"
            )

    def endpoint(self, name: str) -> str:
        """Return the URL of an endpoint or page, for example `authorize`."""
        return f"{self._base}/{name}"

    @cached_property
    def path(self) -> str:
        """The issuer's path without its last slash: empty, or for example `/tenant`."""
        return urlsplit(self.issuer).path.rstrip("/")

    @cached_property
    def cookie_mark(self) -> str:
        """Six characters of the issuer's digest, which tell its cookies from others' (D20)."""
        return digest_of(self.issuer).hex()[:6]

    @cached_property
    def is_https(self) -> bool:
        """Whether cookies take `Secure` and `__Host-` (D20)."""
        return self.issuer.startswith("https://")

    @cached_property
    def longest_token_lifetime(self) -> int:
        """How long a signature of ours may still have to be verified after it was made."""
        return max(self.access_token_lifetime, self.id_token_lifetime)

    @cached_property
    def _base(self) -> str:
        return self.issuer.rstrip("/")
