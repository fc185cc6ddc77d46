"""openid-client (npm) as the relying party of our server."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from tests.interop.conftest import HERE, METHODS, Site
from tests.support.node import Node
from tests.support.person import Person
from tests.support.relying_party import RelyingParty

SCOPE = "openid profile email"


@pytest.fixture(scope="module")
def relying_party(node: str) -> Iterator[Node]:
    with Node(node, HERE / "openid_client.mjs") as running:
        yield running


def start(openid: Node, party: RelyingParty, **more: object) -> dict[str, Any]:
    """Discover the server and start a login there."""
    return openid.ask(
        {
            "action": "start",
            "issuer": party.issuer,
            "client_id": party.client_id,
            "client_secret": party.secret,
            "method": party.method,
            "redirect_uri": party.redirect_uri,
            "scope": SCOPE,
            **more,
        }
    )


def finish(
    openid: Node, login: Mapping[str, Any], callback_url: str, **changes: object
) -> dict[str, Any]:
    return openid.ask(
        {
            "action": "finish",
            "login": login["login"],
            "callback_url": callback_url,
            "changes": changes,
        }
    )


def log_in(openid: Node, site: Site, party: RelyingParty, **more: object) -> dict[str, Any]:
    login = start(openid, party, **more)
    return finish(openid, login, site.alice.authorize(login["url"]))


def with_query(url: str, **changes: str) -> str:
    """Return the callback URL with some of its parameters changed."""
    parts = urlsplit(url)
    return parts._replace(query=urlencode({**dict(parse_qsl(parts.query)), **changes})).geturl()


@pytest.mark.needs("node")
@pytest.mark.parametrize("method", METHODS)
def test_openid_client_logs_in_by_discovery(relying_party: Node, site: Site, method: str) -> None:
    party = site.party(method)
    login = start(relying_party, party)
    assert (login["issuer"], login["supports_pkce"]) == (site.issuer, True)
    answer = finish(relying_party, login, site.alice.authorize(login["url"]))
    assert "refused" not in answer, answer
    assert answer["claims"]["iss"] == site.issuer
    assert answer["claims"]["sub"] == site.subject
    assert answer["claims"]["aud"] == party.client_id
    assert answer["scope"].split() == SCOPE.split()
    assert answer["expires_in"] == 300
    assert answer["userinfo"]["sub"] == site.subject
    assert answer["userinfo"]["name"] == "Alice L"
    assert answer["userinfo"]["email"] == "alice@example.test"


@pytest.mark.needs("node")
@pytest.mark.parametrize("alg", ["RS256", "ES256", "PS256", "EdDSA"])
def test_openid_client_verifies_the_id_token_of_each_algorithm(
    relying_party: Node, root_site: Site, alg: str
) -> None:
    party = root_site.party(alg=alg)
    answer = log_in(relying_party, root_site, party, alg=alg)
    assert "refused" not in answer, answer
    assert answer["header"]["alg"] == alg
    assert answer["claims"]["sub"] == root_site.subject
    other = "RS256" if alg != "RS256" else "ES256"
    refused = log_in(relying_party, root_site, party, alg=other)
    assert (refused["refused"], '"alg"' in refused["why"]) == ("ClientError", True), refused


@pytest.mark.needs("node")
def test_openid_client_finds_the_oauth_metadata_as_well(relying_party: Node, site: Site) -> None:
    answer = log_in(relying_party, site, site.party(), algorithm="oauth2")
    assert answer["claims"]["sub"] == site.subject


@pytest.mark.needs("node")
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_a_secret_with_reserved_characters_proves_the_client(
    relying_party: Node, root_site: Site, method: str
) -> None:
    party = root_site.awkward_party(method)
    answer = log_in(relying_party, root_site, party)
    assert answer["claims"]["sub"] == root_site.subject


@pytest.mark.needs("node")
@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        pytest.param({"expectedState": "other"}, '"state"', id="state"),
        pytest.param({"expectedNonce": "other"}, '"nonce"', id="nonce"),
    ],
)
def test_openid_client_compares_state_and_nonce(
    relying_party: Node, root_site: Site, changes: Mapping[str, object], expected: str
) -> None:
    login = start(relying_party, root_site.party())
    callback = root_site.alice.authorize(login["url"])
    answer = finish(relying_party, login, callback, **changes)
    assert (answer["refused"], expected in answer["why"]) == ("ClientError", True), answer


@pytest.mark.needs("node")
@pytest.mark.parametrize("method", METHODS)
def test_openid_client_reads_that_its_verifier_is_wrong(
    relying_party: Node, root_site: Site, method: str
) -> None:
    login = start(relying_party, root_site.party(method))
    callback = root_site.alice.authorize(login["url"])
    answer = finish(relying_party, login, callback, pkceCodeVerifier="v" * 43)
    assert (answer["refused"], answer["error"]) == ("ResponseBodyError", "invalid_grant")
    assert answer["status"] == 400
    # One wrong guess does not use up the code.
    assert finish(relying_party, login, callback)["claims"]["sub"] == root_site.subject


@pytest.mark.needs("node")
def test_openid_client_compares_the_iss_of_our_callback(
    relying_party: Node, root_site: Site
) -> None:
    login = start(relying_party, root_site.party())
    callback = root_site.alice.authorize(login["url"])
    forged = with_query(callback, iss="https://other.example")
    answer = finish(relying_party, login, forged)
    assert answer["refused"] == "ClientError"
    assert '"iss"' in answer["why"]
    assert finish(relying_party, login, callback)["claims"]["sub"] == root_site.subject


@pytest.mark.needs("node")
@pytest.mark.parametrize("method", ["client_secret_basic", "client_secret_post"])
def test_openid_client_reads_that_its_secret_is_wrong(
    relying_party: Node, root_site: Site, method: str
) -> None:
    party = root_site.party(method)
    login = start(relying_party, party, client_secret="w" * 43)
    answer = finish(relying_party, login, root_site.alice.authorize(login["url"]))
    assert (answer["refused"], answer["status"]) == ("WWWAuthenticateChallengeError", 401)
    # A 401 has a challenge, whichever way the secret came. RFC 9110 §15.5.2
    assert [challenge["scheme"] for challenge in answer["challenges"]] == ["basic"]


@pytest.mark.needs("node")
def test_openid_client_reads_that_a_code_came_twice(relying_party: Node, root_site: Site) -> None:
    login = start(relying_party, root_site.party())
    callback = root_site.alice.authorize(login["url"])
    first = finish(relying_party, login, callback)
    again = {"action": "userinfo", "login": login["login"], "sub": root_site.subject}
    again["access_token"] = first["access_token"]
    assert relying_party.ask(again)["sub"] == root_site.subject
    second = finish(relying_party, login, callback)
    assert (second["refused"], second["error"]) == ("ResponseBodyError", "invalid_grant")
    # RFC 6749 §4.1.2: and what the first one was given is void.
    (challenge,) = relying_party.ask(again)["challenges"]
    assert (challenge["scheme"], challenge["parameters"]["error"]) == ("bearer", "invalid_token")


@pytest.mark.needs("node")
def test_openid_client_reads_that_the_person_denied(relying_party: Node, root_site: Site) -> None:
    login = start(relying_party, root_site.party(), prompt="consent")
    unwilling = Person(root_site.issuer, button="consent-deny")
    answer = finish(relying_party, login, unwilling.authorize(login["url"]))
    assert (answer["refused"], answer["error"]) == ("AuthorizationResponseError", "access_denied")
