from __future__ import annotations

import pytest

from codegrant.errors import OAuthError
from codegrant.rules.client_auth import check_client_secret
from codegrant.secret import Secret, digest_of

SECRET = "s3cret-of-the-client-with-256-bits"


@pytest.mark.parametrize(
    "presented",
    [
        SECRET[:-1],
        SECRET + "x",
        SECRET.upper(),
        " " + SECRET,
        "x",
        digest_of(SECRET).hex(),
        SECRET + "\x00",
    ],
)
def test_another_secret_is_refused(presented: str) -> None:
    check_client_secret(Secret(SECRET), digest_of(SECRET))
    with pytest.raises(OAuthError) as refused:
        check_client_secret(Secret(presented), digest_of(SECRET))
    error = refused.value
    assert (error.error, error.status, error.reason) == ("invalid_client", 401, "wrong secret")
    assert error.description == "client authentication failed"


@pytest.mark.parametrize("digest", [b"", digest_of(SECRET)[:31], digest_of(SECRET) + b"\0"])
def test_a_digest_of_another_length_opens_to_nobody(digest: bytes) -> None:
    with pytest.raises(OAuthError):
        check_client_secret(Secret(SECRET), digest)
