"""Authlib (PyPI) as the relying party of our server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias

import pytest
from authlib.common.security import generate_token
from authlib.integrations.base_client import MismatchingStateError, OAuthError
from joserfc.errors import JoseError

from tests.interop.authlib_client import SESSIONS, AuthlibParty, FlaskApp
from tests.interop.conftest import METHODS, Site
from tests.support.person import Person
from tests.support.relying_party import RelyingParty

Connect: TypeAlias = Callable[..., AuthlibParty]


@pytest.fixture
def connect() -> Iterator[Connect]:
    """Makes relying parties, and closes them at the end."""
    made: list[AuthlibParty] = []

    def make(party: RelyingParty, library: str = "requests", **changes: Any) -> AuthlibParty:
        made.append(AuthlibParty(library, party, **changes))
        return made[-1]

    yield make
    for party in made:
        party.close()


@pytest.mark.parametrize("method", METHODS)
@pytest.mark.parametrize("library", SESSIONS)
def test_authlib_logs_in_and_reads_userinfo(
    root_site: Site, connect: Connect, library: str, method: str
) -> None:
    authlib = connect(root_site.party(method), library)
    token = authlib.redeem(root_site.alice.authorize(authlib.start()))
    assert (token["token_type"], token["expires_in"]) == ("Bearer", 300)
    claims = authlib.verify(token)
    assert (claims["sub"], claims["iss"]) == (root_site.subject, root_site.issuer)
    info = authlib.read_userinfo()
    assert (info["sub"], info["name"]) == (root_site.subject, "Alice L")
    assert info["email"] == "alice@example.test"


def test_authlib_logs_in_at_an_issuer_with_a_path(path_site: Site, connect: Connect) -> None:
    authlib = connect(path_site.party())
    assert authlib.metadata["issuer"] == path_site.issuer
    token = authlib.redeem(path_site.alice.authorize(authlib.start()))
    assert authlib.verify(token)["iss"] == path_site.issuer
    assert authlib.read_userinfo()["sub"] == path_site.subject


# joserfc would rather see the name `Ed25519`; ours is the one of OpenID Connect Discovery.
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated:joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("alg", ["RS256", "ES256", "PS256", "EdDSA"])
def test_joserfc_verifies_the_id_token_of_each_algorithm(
    root_site: Site, connect: Connect, alg: str
) -> None:
    authlib = connect(root_site.party(alg=alg))
    token = authlib.redeem(root_site.alice.authorize(authlib.start()))
    assert authlib.verify(token)["alg"] == alg
    with pytest.raises(JoseError):
        authlib.verify(token, nonce="of another login")
    with pytest.raises(JoseError):
        authlib.verify({**token, "access_token": "another"})
    header, payload, signature = token["id_token"].split(".")
    forged = "B" if signature[0] == "A" else "A"
    with pytest.raises(JoseError):
        authlib.verify({**token, "id_token": f"{header}.{payload}.{forged}{signature[1:]}"})


@pytest.mark.parametrize("library", SESSIONS)
def test_authlib_reads_that_its_verifier_is_wrong(
    root_site: Site, connect: Connect, library: str
) -> None:
    authlib = connect(root_site.party(), library)
    callback = root_site.alice.authorize(authlib.start())
    with pytest.raises(OAuthError) as caught:
        authlib.redeem(callback, code_verifier=generate_token(48))
    assert caught.value.error == "invalid_grant"
    assert authlib.verify(authlib.redeem(callback))["sub"] == root_site.subject


@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"client_secret": "w" * 43}, id="wrong secret"),
        pytest.param({"token_endpoint_auth_method": "none"}, id="no secret"),
    ],
)
def test_authlib_reads_that_its_secret_is_wrong(
    root_site: Site, connect: Connect, method: str, changes: Mapping[str, str]
) -> None:
    authlib = connect(root_site.party(method), **changes)
    with pytest.raises(OAuthError) as caught:
        authlib.redeem(root_site.alice.authorize(authlib.start()))
    assert caught.value.error == "invalid_client"


def test_authlib_reads_that_a_code_came_twice(root_site: Site, connect: Connect) -> None:
    authlib = connect(root_site.party())
    callback = root_site.alice.authorize(authlib.start())
    authlib.redeem(callback)
    assert authlib.read_userinfo()["sub"] == root_site.subject
    with pytest.raises(OAuthError) as caught:
        authlib.redeem(callback)
    assert caught.value.error == "invalid_grant"
    # RFC 6749 §4.1.2: and what the first one was given is void.
    assert authlib.read_userinfo() == 401


@pytest.mark.parametrize("method", METHODS)
def test_a_flask_application_with_authlib_logs_in(site: Site, method: str) -> None:
    party = site.party(method)
    app = FlaskApp(party, token_endpoint_auth_method=method)
    said = app.finish(site.alice.authorize(app.start()))
    assert said["claims"]["iss"] == site.issuer
    assert said["claims"]["aud"] == party.client_id
    assert said["claims"]["sub"] == said["userinfo"]["sub"] == site.subject


def test_a_flask_application_with_authlib_sees_refusals(root_site: Site) -> None:
    app = FlaskApp(root_site.party("none"), token_endpoint_auth_method="none", prompt="consent")
    unwilling = Person(root_site.issuer, button="consent-deny")
    assert app.finish(unwilling.authorize(app.start())) == {"error": "access_denied"}
    other = FlaskApp(root_site.party("none"), token_endpoint_auth_method="none")
    other.start()
    callback = root_site.alice.authorize(app.start())
    assert other.finish(callback) == {"error": MismatchingStateError.error}
    assert app.finish(callback)["claims"]["sub"] == root_site.subject
