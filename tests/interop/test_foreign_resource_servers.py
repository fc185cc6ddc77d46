"""Foreign libraries as the API that our server's access tokens are for."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import flask
import pytest
import requests
from authlib.integrations.flask_oauth2 import ResourceProtector, current_token
from authlib.oauth2.rfc7662 import IntrospectTokenValidator
from authlib.oauth2.rfc9068 import JWTBearerTokenValidator
from joserfc.jwk import KeySet

from tests.interop.authlib_client import fetch
from tests.interop.conftest import API, WHOLE_SCOPE, Scripts, Site
from tests.support.relying_party import RelyingParty, administer, register

OTHER_API = "https://other.example"


@pytest.fixture(scope="module")
def party(root_site: Site) -> RelyingParty:
    """A client that may name either API."""
    administer(root_site.server, "resources", "add", OTHER_API, "--id", "other", "--scope", "read")
    audiences = ("--audience", API, "--audience", OTHER_API)
    scope = ("--scope", WHOLE_SCOPE)
    return register(root_site.server, "two-apis", "--skip-consent", *scope, *audiences)


@pytest.fixture(scope="module")
def tokens(party: RelyingParty) -> Mapping[str, str]:
    """What a login for the API gave, and the access token of one for the other API."""
    browser = party.new_browser()
    here = party.log_in(browser, scope=WHOLE_SCOPE, resource=API).json
    other = party.log_in(browser, scope=WHOLE_SCOPE, resource=OTHER_API).json
    head, payload, signature = here["access_token"].split(".")
    forged = f"{head}.{payload}.{'B' if signature[0] == 'A' else 'A'}{signature[1:]}"
    return {**here, "other": other["access_token"], "forged": forged}


NO_ACCESS_TOKEN = [
    pytest.param("id_token", id="an ID token"),
    pytest.param("refresh_token", id="a refresh token"),
    pytest.param("other", id="for another API"),
    pytest.param("forged", id="forged"),
]


@pytest.mark.needs("node")
def test_oauth4webapi_verifies_our_access_token(
    root_site: Site, scripts: Scripts, tokens: Mapping[str, str]
) -> None:
    asked = {"action": "verify_access_token", "issuer": root_site.issuer, "audience": API}
    claims = scripts("oauth4webapi").ask({**asked, "access_token": tokens["access_token"]})
    assert (claims["sub"], claims["client_id"]) == (root_site.subject, "two-apis")
    assert "read" in claims["scope"].split()


@pytest.mark.needs("node")
@pytest.mark.parametrize("which", NO_ACCESS_TOKEN)
def test_oauth4webapi_refuses_whatever_else_we_issue(
    root_site: Site, scripts: Scripts, tokens: Mapping[str, str], which: str
) -> None:
    asked = {"action": "verify_access_token", "issuer": root_site.issuer, "audience": API}
    answer = scripts("oauth4webapi").ask({**asked, "access_token": tokens[which]})
    assert answer["refused"] == "OperationProcessingError", answer


class KeysOf(JWTBearerTokenValidator):  # type: ignore[misc]
    """Reads the keys of the issuer, as the documentation of Authlib shows it."""

    def get_jwks(self) -> Any:
        return KeySet.import_key_set(fetch(f"{self.issuer}/jwks"))  # type: ignore[arg-type]


class AsksAt(IntrospectTokenValidator):  # type: ignore[misc]
    """Asks the issuer, as the documentation of Authlib shows it, with a secret."""

    def __init__(self, issuer: str, secret: str) -> None:
        super().__init__()
        self.issuer = issuer
        self.secret = secret

    def introspect_token(self, token_string: str) -> Any:
        url = f"{self.issuer}/introspect"
        with requests.post(
            url, data={"token": token_string}, auth=("api", self.secret), timeout=10
        ) as answer:
            answer.raise_for_status()
            return answer.json()


class AuthlibApi:
    """A Flask application whose paths are the ways to look at a token."""

    def __init__(self, site: Site) -> None:
        app = flask.Flask("authlib-api")
        for path, validator in (
            ("jwt", KeysOf(site.issuer, API)),
            ("introspected", AsksAt(site.issuer, site.api_secret)),
        ):
            for scope in ("read", "admin"):
                protect = ResourceProtector()
                protect.register_token_validator(validator)
                view = protect(scope)(lambda: {"sub": current_token["sub"]})
                app.add_url_rule(f"/{path}/{scope}", f"{path}.{scope}", view)
        self.browser = app.test_client()

    def get(self, path: str, token: str) -> tuple[int, str]:
        """Return the status, and the subject or the error code."""
        answer = self.browser.get(path, headers={"authorization": f"Bearer {token}"})
        said = answer.get_json()
        return answer.status_code, str(said["sub"] if "sub" in said else said["error"])


@pytest.fixture(scope="module")
def authlib_api(root_site: Site) -> AuthlibApi:
    return AuthlibApi(root_site)


@pytest.mark.parametrize("how", ["jwt", "introspected"])
def test_authlib_lets_the_bearer_of_our_access_token_in(
    root_site: Site, authlib_api: AuthlibApi, tokens: Mapping[str, str], how: str
) -> None:
    token = tokens["access_token"]
    assert authlib_api.get(f"/{how}/read", token) == (200, root_site.subject)
    assert authlib_api.get(f"/{how}/admin", token) == (403, "insufficient_scope")


@pytest.mark.parametrize("how", ["jwt", "introspected"])
@pytest.mark.parametrize("which", NO_ACCESS_TOKEN)
def test_authlib_refuses_whatever_else_we_issue(
    authlib_api: AuthlibApi, tokens: Mapping[str, str], how: str, which: str
) -> None:
    assert authlib_api.get(f"/{how}/read", tokens[which]) == (401, "invalid_token")


def test_what_was_revoked_is_refused_by_authlib_where_it_asks(
    root_site: Site, authlib_api: AuthlibApi, party: RelyingParty
) -> None:
    token = party.log_in(scope=WHOLE_SCOPE, resource=API).json["access_token"]
    assert authlib_api.get("/introspected/read", token) == (200, root_site.subject)
    assert party.revoke(token).status == 200
    assert authlib_api.get("/introspected/read", token) == (401, "invalid_token")
    # RFC 7009 §3: who verifies by the keys alone does not know it before it expires.
    assert authlib_api.get("/jwt/read", token) == (200, root_site.subject)
