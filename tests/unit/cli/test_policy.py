"""`cli.policy`: what an operator set is what the server does."""

from __future__ import annotations

import pytest

from codegrant.cli.policy import policy_of
from codegrant.cli.settings import load_settings
from codegrant.errors import ConfigurationError
from codegrant.server.policy import Policy

ISSUER = "https://login.test"


def policy(environment: dict[str, str]) -> Policy:
    return policy_of(load_settings(flags={}, environment=environment, file=None), ISSUER)


def test_the_defaults_of_the_settings_are_those_of_the_policy() -> None:
    assert policy({}) == Policy(issuer=ISSUER)


@pytest.mark.parametrize(
    ("variable", "member"),
    [
        ("CODEGRANT_LIFETIMES_CODE", "code_lifetime"),
        ("CODEGRANT_LIFETIMES_ACCESS_TOKEN", "access_token_lifetime"),
        ("CODEGRANT_LIFETIMES_ID_TOKEN", "id_token_lifetime"),
        ("CODEGRANT_LIFETIMES_REFRESH_IDLE", "refresh_idle"),
        ("CODEGRANT_LIFETIMES_REFRESH_ABSOLUTE", "refresh_absolute"),
        ("CODEGRANT_LIFETIMES_SESSION_IDLE", "session_idle"),
        ("CODEGRANT_LIFETIMES_SESSION_ABSOLUTE", "session_absolute"),
        ("CODEGRANT_REFRESH_GRACE_SECONDS", "refresh_grace_seconds"),
        ("CODEGRANT_KEYS_ACTIVATE_AFTER", "keys_activate_after"),
        ("CODEGRANT_LIMITS_ACCOUNT_FAILURES", "limits.account_failures"),
        ("CODEGRANT_LIMITS_SOURCE_FAILURES", "limits.source_failures"),
        ("CODEGRANT_LIMITS_WINDOW", "limits.window"),
    ],
)
def test_each_number_arrives_where_it_belongs(variable: str, member: str) -> None:
    def value(policy: Policy) -> object:
        section, _, name = member.rpartition(".")
        return getattr(getattr(policy, section) if section else policy, name)

    least = "60" if "REFRESH_" in variable or "SESSION_" in variable else "59"
    changed = policy({variable: least})
    assert value(changed) == int(least)
    assert value(changed) != value(policy({}))


def test_each_word_arrives_where_it_belongs() -> None:
    assert policy({"CODEGRANT_TOKENS_ACCESS_FORMAT": "opaque"}).access_format == "opaque"
    assert policy({"CODEGRANT_TOKENS_ACCESS_ALG": "PS256"}).access_alg == "PS256"
    assert not policy({"CODEGRANT_LIMITS_ENABLED": "false"}).limits.enabled


def test_an_issuer_that_cannot_be_one_is_refused() -> None:
    settings = load_settings(flags={}, environment={}, file=None)
    with pytest.raises(ConfigurationError, match="is neither https nor http"):
        policy_of(settings, "http://login.test")
