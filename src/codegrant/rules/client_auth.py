"""The secret of a client, compared in constant time. Layer: rules. RFC 6749 §2.3, §10.10."""

from __future__ import annotations

from codegrant.errors import OAuthError
from codegrant.secret import Secret, same_secret

__all__ = ["check_client_secret"]


def check_client_secret(presented: Secret, digest: bytes) -> None:
    """Check that `presented` is the secret of which `digest` is kept.

    Args:
        presented: as sent.
        digest: SHA-256, 32 bytes.

    Raises:
        OAuthError: `invalid_client`, 401.

    RFC 6749 §2.3.1, §5.2.
    """
    if not same_secret(presented.digest(), digest):
        raise OAuthError(
            "invalid_client", "client authentication failed", reason="wrong secret", status=401
        )
