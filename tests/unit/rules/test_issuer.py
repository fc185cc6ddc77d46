from __future__ import annotations

import pytest

from codegrant.errors import ConfigurationError, UsageError
from codegrant.rules.issuer import (
    check_issuer,
    oauth_authorization_server_url,
    openid_configuration_url,
)

ISSUERS = [
    "https://as.example",
    "https://as.example/",
    "https://as.example:8443",
    "https://as.example/t1",
    "https://as.example/t1/",
    "https://as.example/realms/a.b/..c",
    "http://127.0.0.1:8080",
    "http://[::1]:8080/t",
    "http://localhost/t",
]


@pytest.mark.parametrize("issuer", ISSUERS)
def test_an_issuer_is_https_or_on_loopback(issuer: str) -> None:
    check_issuer(issuer)


@pytest.mark.requirement("AS-META-03")
@pytest.mark.parametrize(
    ("issuer", "what"),
    [
        ("http://as.example", "neither https"),
        ("ftp://as.example", "neither https"),
        ("as.example", "no URL"),
        ("", "no URL"),
        ("urn:example", "no host"),
        ("https://as.example?", "a query"),
        ("https://as.example/t?a=b", "a query"),
        ("https://as.example#", "a fragment"),
        ("https://as.example/t#x", "a fragment"),
        ("https://u:p@as.example", "user information"),
        ("https://as.example//", "an empty or a dot segment"),
        ("https://as.example//t", "an empty or a dot segment"),
        ("https://as.example/t//", "an empty or a dot segment"),
        ("https://as.example/a//b", "an empty or a dot segment"),
        ("https://as.example/.", "an empty or a dot segment"),
        ("https://as.example/../t", "an empty or a dot segment"),
        ("https://as.example/t/../", "an empty or a dot segment"),
        ("https://as.example/%2e%2E/t", "an empty or a dot segment"),
        ("https://as.example/t/%2e", "an empty or a dot segment"),
        ("https://as.example/t ", "no URL"),
    ],
)
def test_anything_else_is_refused(issuer: str, what: str) -> None:
    with pytest.raises(UsageError) as refused:
        check_issuer(issuer)
    assert refused.value.message.startswith("issuer: ")
    assert what in refused.value.message
    with pytest.raises(ConfigurationError):
        check_issuer(issuer, error=ConfigurationError)


@pytest.mark.requirement("AS-META-01", "AS-META-02")
@pytest.mark.parametrize(
    ("issuer", "openid", "oauth"),
    [
        (
            "https://h",
            "https://h/.well-known/openid-configuration",
            "https://h/.well-known/oauth-authorization-server",
        ),
        (
            "https://h/",
            "https://h/.well-known/openid-configuration",
            "https://h/.well-known/oauth-authorization-server",
        ),
        (
            "https://h/t1",
            "https://h/t1/.well-known/openid-configuration",
            "https://h/.well-known/oauth-authorization-server/t1",
        ),
        (
            "https://h:8443/a/b/",
            "https://h:8443/a/b/.well-known/openid-configuration",
            "https://h:8443/.well-known/oauth-authorization-server/a/b",
        ),
        (
            "http://[::1]:80/t",
            "http://[::1]:80/t/.well-known/openid-configuration",
            "http://[::1]:80/.well-known/oauth-authorization-server/t",
        ),
    ],
)
def test_one_address_is_appended_and_the_other_inserted(
    issuer: str, openid: str, oauth: str
) -> None:
    assert openid_configuration_url(issuer) == openid
    assert oauth_authorization_server_url(issuer) == oauth
