from __future__ import annotations

from dataclasses import FrozenInstanceError, replace

import pytest

from codegrant.errors import ConfigurationError
from codegrant.server.policy import Limits, Policy


@pytest.mark.parametrize(
    ("issuer", "path", "authorize"),
    [
        ("https://h.test", "", "https://h.test/authorize"),
        ("https://h.test/", "", "https://h.test/authorize"),
        ("https://h.test/t1", "/t1", "https://h.test/t1/authorize"),
        ("http://127.0.0.1:8080/t1/", "/t1", "http://127.0.0.1:8080/t1/authorize"),
    ],
)
def test_endpoints_stand_under_the_issuer(issuer: str, path: str, authorize: str) -> None:
    policy = Policy(issuer=issuer)
    assert policy.path == path
    assert policy.endpoint("authorize") == authorize
    assert policy.is_https == issuer.startswith("https:")


@pytest.mark.parametrize(
    ("setting", "name"),
    [
        ({"issuer": "http://h.test"}, "issuer"),
        ({"issuer": "https://h.test?x=1"}, "issuer"),
        ({"issuer": "https://h.test#x"}, "issuer"),
        ({"issuer": "h.test"}, "issuer"),
        ({"code_lifetime": 0}, "code_lifetime"),
        ({"code_lifetime": 601}, "code_lifetime"),
        ({"access_token_lifetime": 3601}, "access_token_lifetime"),
        ({"id_token_lifetime": -5}, "id_token_lifetime"),
        ({"refresh_grace_seconds": 61}, "refresh_grace_seconds"),
        ({"keys_activate_after": -1}, "keys_activate_after"),
        ({"access_format": "paseto"}, "access_format"),
        ({"access_alg": "HS256"}, "access_alg"),
        ({"access_alg": "none"}, "access_alg"),
    ],
)
def test_a_setting_that_is_not_allowed_is_named(setting: dict[str, object], name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        Policy(**({"issuer": "https://h.test"} | setting))  # type: ignore[arg-type]


@pytest.mark.parametrize("name", ["account_failures", "source_failures", "window"])
def test_a_limit_of_nothing_is_refused(name: str) -> None:
    assert getattr(replace(Limits(), **{name: 1}), name) == 1  # type: ignore[arg-type]
    with pytest.raises(ConfigurationError, match=name):
        replace(Limits(), **{name: 0})  # type: ignore[arg-type]


def test_a_policy_does_not_change() -> None:
    policy = Policy(issuer="https://h.test")
    with pytest.raises(FrozenInstanceError):
        policy.code_lifetime = 600  # type: ignore[misc]
