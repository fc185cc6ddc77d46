"""Authlib (PyPI) as the relying party of our server."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeAlias
from urllib.parse import urlsplit

import flask
import pytest
import requests
from authlib.common.security import generate_token
from authlib.integrations.base_client import MismatchingStateError, OAuthError
from authlib.integrations.flask_client import OAuth
from authlib.integrations.httpx_client import AsyncOAuth2Client, OAuth2Client
from authlib.integrations.requests_client import OAuth2Session
from authlib.oidc.core import CodeIDToken
from joserfc import jwt
from joserfc.errors import JoseError
from joserfc.jwk import KeySet
from joserfc.jws import JWSRegistry

from tests.interop.conftest import METHODS, Site
from tests.support.colours import Colour
from tests.support.person import Person
from tests.support.relying_party import RelyingParty

SCOPE = "openid profile email"
SESSIONS = {"requests": OAuth2Session, "httpx2": OAuth2Client, "httpx2 async": AsyncOAuth2Client}


def fetch(url: str) -> dict[str, Any]:
    with requests.get(url, timeout=10) as answer:
        assert answer.status_code == 200, answer.text
        found: dict[str, Any] = answer.json()
    return found


class AuthlibParty:
    """A registered client with one of Authlib's sessions, which discovers the server itself."""

    def __init__(self, library: str, party: RelyingParty, **changes: Any) -> None:
        self.party = party
        self.colour = Colour("async" if library == "httpx2 async" else "sync")
        self.metadata = fetch(f"{party.issuer}/.well-known/openid-configuration")
        # Authlib has no types.
        self.session: Any = SESSIONS[library](
            **{
                "client_id": party.client_id,
                "client_secret": party.secret or None,
                "token_endpoint_auth_method": party.method,
                "scope": SCOPE,
                "redirect_uri": party.redirect_uri,
                "code_challenge_method": "S256",
                **changes,
            }
        )
        self.verifier = generate_token(48)
        self.nonce = generate_token()

    def start(self) -> str:
        """Return the authorization URL of a login."""
        url, self.session.state = self.session.create_authorization_url(
            self.metadata["authorization_endpoint"],
            code_verifier=self.verifier,
            nonce=self.nonce,
        )
        return str(url)

    def finish(self, callback_url: str, **changes: str) -> dict[str, Any]:
        """Redeem the code of a callback, whose state Authlib compares."""
        fetching = self.session.fetch_token(
            self.metadata["token_endpoint"],
            authorization_response=callback_url,
            state=self.session.state,
            **{"code_verifier": self.verifier, **changes},
        )
        return dict(self.colour.wait(fetching))

    def verify(self, token: Mapping[str, Any], nonce: str = "") -> dict[str, Any]:
        """Return the claims of the ID token, verified as Authlib and joserfc do it."""
        decoded = jwt.decode(
            token["id_token"],
            KeySet.import_key_set(fetch(self.metadata["jwks_uri"])),  # type: ignore[arg-type]
            registry=JWSRegistry(algorithms=self.metadata["id_token_signing_alg_values_supported"]),
        )
        claims = CodeIDToken(
            decoded.claims,
            decoded.header,
            {"iss": {"values": [self.metadata["issuer"]]}},
            {
                "nonce": nonce or self.nonce,
                "client_id": self.party.client_id,
                "access_token": token["access_token"],
            },
        )
        claims.validate(leeway=0)
        return {**claims, "alg": decoded.header["alg"]}

    def userinfo(self) -> Any:
        answer = self.colour.wait(self.session.get(self.metadata["userinfo_endpoint"]))
        return answer.json() if answer.status_code == 200 else answer.status_code

    def close(self) -> None:
        if self.colour.is_async:
            self.colour.finish(self.session.aclose())
        else:
            self.session.close()
        self.colour.close()


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
    token = authlib.finish(root_site.alice.authorize(authlib.start()))
    assert (token["token_type"], token["expires_in"]) == ("Bearer", 300)
    claims = authlib.verify(token)
    assert (claims["sub"], claims["iss"]) == (root_site.subject, root_site.issuer)
    info = authlib.userinfo()
    assert (info["sub"], info["name"]) == (root_site.subject, "Alice L")
    assert info["email"] == "alice@example.test"


def test_authlib_logs_in_at_an_issuer_with_a_path(path_site: Site, connect: Connect) -> None:
    authlib = connect(path_site.party())
    assert authlib.metadata["issuer"] == path_site.issuer
    token = authlib.finish(path_site.alice.authorize(authlib.start()))
    assert authlib.verify(token)["iss"] == path_site.issuer
    assert authlib.userinfo()["sub"] == path_site.subject


# joserfc would rather see the name `Ed25519`; ours is the one of OpenID Connect Discovery.
@pytest.mark.filterwarnings("ignore:EdDSA is deprecated:joserfc.errors.SecurityWarning")
@pytest.mark.parametrize("alg", ["RS256", "ES256", "PS256", "EdDSA"])
def test_joserfc_verifies_the_id_token_of_each_algorithm(
    root_site: Site, connect: Connect, alg: str
) -> None:
    authlib = connect(root_site.party(alg=alg))
    token = authlib.finish(root_site.alice.authorize(authlib.start()))
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
        authlib.finish(callback, code_verifier=generate_token(48))
    assert caught.value.error == "invalid_grant"
    assert authlib.verify(authlib.finish(callback))["sub"] == root_site.subject


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
        authlib.finish(root_site.alice.authorize(authlib.start()))
    assert caught.value.error == "invalid_client"


def test_authlib_reads_that_a_code_came_twice(root_site: Site, connect: Connect) -> None:
    authlib = connect(root_site.party())
    callback = root_site.alice.authorize(authlib.start())
    authlib.finish(callback)
    assert authlib.userinfo()["sub"] == root_site.subject
    with pytest.raises(OAuthError) as caught:
        authlib.finish(callback)
    assert caught.value.error == "invalid_grant"
    # RFC 6749 §4.1.2: and what the first one was given is void.
    assert authlib.userinfo() == 401


class FlaskApp:
    """An application as Authlib's documentation writes it, at one provider by discovery."""

    def __init__(self, party: RelyingParty, **client_kwargs: str) -> None:
        app = flask.Flask("authlib-app")
        app.secret_key = "s" * 32
        self.oauth = OAuth(app)
        self.oauth.register(
            "codegrant",
            client_id=party.client_id,
            client_secret=party.secret or None,
            server_metadata_url=f"{party.issuer}/.well-known/openid-configuration",
            client_kwargs={"scope": SCOPE, "code_challenge_method": "S256", **client_kwargs},
        )

        def login() -> Any:
            return self.oauth.codegrant.authorize_redirect(party.redirect_uri)

        def callback() -> dict[str, Any]:
            try:
                token = self.oauth.codegrant.authorize_access_token()
            except OAuthError as error:
                return {"error": error.error}
            info = self.oauth.codegrant.userinfo(token=token)
            return {"claims": token["userinfo"], "userinfo": info}

        app.add_url_rule("/login", "login", login)
        app.add_url_rule("/callback", "callback", callback)
        self.browser = app.test_client()

    def start(self) -> str:
        return str(self.browser.get("/login").headers["Location"])

    def finish(self, callback_url: str) -> dict[str, Any]:
        answer = self.browser.get(f"/callback?{urlsplit(callback_url).query}")
        said: dict[str, Any] = answer.get_json()
        return said


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
