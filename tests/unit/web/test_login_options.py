"""What logins ask for by name, without a framework."""

from __future__ import annotations

import pytest

from codegrant import CodegrantError, ConfigurationError, KeyRing, UsageError
from codegrant.client import LoginOptions
from codegrant.web.login_options import LoginAsk, LoginAsks

RING = KeyRing(["w" * 32])


@pytest.mark.parametrize(
    ("ask", "error"),
    [
        pytest.param({"Fresh": LoginOptions()}, ConfigurationError, id="upper case"),
        pytest.param({"a" * 17: LoginOptions()}, ConfigurationError, id="too long"),
        pytest.param({"": LoginOptions()}, ConfigurationError, id="no name"),
        pytest.param({"a b": LoginOptions()}, ConfigurationError, id="a space"),
        pytest.param(LoginOptions(max_age=-1), UsageError, id="negative"),
        pytest.param(LoginOptions(scope='a"b'), UsageError, id="no scope"),
        pytest.param(LoginOptions(extra={"state": "x"}), UsageError, id="our own parameter"),
    ],
)
def test_options_that_are_not_allowed_are_refused_when_the_login_is_made(
    ask: LoginAsk, error: type[CodegrantError]
) -> None:
    with pytest.raises(error):
        LoginAsks(ask, lambda: RING)
    assert LoginAsks({"fresh-16-letters": LoginOptions()}, lambda: RING).named("fresh-16-letters")


def test_a_link_can_name_only_what_is_there() -> None:
    asks = LoginAsks({"fresh": LoginOptions()}, lambda: RING)
    assert asks.query("fresh", None) == {"ask": "fresh"}
    assert asks.query("default", None) == asks.query(None, None) == {}
    for name in ("other", "", "FRESH"):
        with pytest.raises(UsageError, match="default, fresh"):
            asks.query(name, None)
    assert asks.named("other") is None


def test_a_hint_has_bounds_and_is_sealed() -> None:
    asks = LoginAsks(None, lambda: RING)
    sealed = asks.query(None, "a" * 254)["hint"]
    assert "aaa" not in sealed
    with pytest.raises(UsageError) as refused:
        asks.query(None, "ü" * 128)
    assert refused.value.code == "bad_hint"
