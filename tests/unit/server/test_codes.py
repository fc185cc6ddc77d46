"""`server.codes`: with which grants a refresh token goes."""

from __future__ import annotations

import pytest

from codegrant.server.codes import gets_refresh_token
from codegrant.server.records import ClientRecord

BOTH = ("authorization_code", "refresh_token")


@pytest.mark.requirement("AS-RT-10")
@pytest.mark.parametrize(
    ("grant_types", "scope", "expected"),
    [
        pytest.param(BOTH, ("openid", "offline_access"), True, id="offline access"),
        pytest.param(BOTH, ("read",), True, id="plain OAuth"),
        pytest.param(BOTH, ("openid", "profile"), False, id="no offline access"),
        pytest.param(("authorization_code",), ("read",), False, id="not registered"),
        pytest.param(
            ("authorization_code",), ("openid", "offline_access"), False, id="not registered, asked"
        ),
    ],
)
def test_a_refresh_token_goes_with_plain_oauth_and_with_offline_access(
    grant_types: tuple[str, ...], scope: tuple[str, ...], expected: bool
) -> None:
    client = ClientRecord(client_id="a", grant_types=grant_types)
    assert gets_refresh_token(client, scope) is expected
