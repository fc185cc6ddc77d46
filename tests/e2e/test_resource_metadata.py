"""An API is asked what it says of itself before it is sent a token. RFC 9728."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import pytest

from codegrant import CodegrantError, MetadataRejected, TransportError, UsageError
from codegrant.messages.resource_metadata import ResourceMetadata
from tests.support.application import Application
from tests.support.colours import Colour
from tests.support.mock_provider import (
    Answer,
    Listener,
    MockProvider,
    Received,
    as_json,
    html,
    redirect,
    running,
)

WELL_KNOWN = "/.well-known/oauth-protected-resource/notes"


class Site:
    """An API, its server, and a client of that server."""

    def __init__(self, colour: Colour, provider: MockProvider, api: Listener) -> None:
        self.colour, self.provider, self.api = colour, provider, api
        self.app = Application(colour, provider)
        self.resource = f"{api.origin}/notes"

    def publish(self, members: Mapping[str, object] | None = None, at: str = WELL_KNOWN) -> None:
        told = {"resource": self.resource, "authorization_servers": [self.provider.issuer]}
        self.api.routes[at] = lambda _: as_json({**told, **(members or {})})

    def find(self) -> ResourceMetadata:
        return self.colour.wait(self.app.client.find_resource(self.resource))


@pytest.fixture
def site(colour: Colour) -> Iterator[Site]:
    provider, api = MockProvider(), Listener()
    with running(provider):
        made = Site(colour, provider, api)
        yield made
        made.app.close()
    api.close()


@pytest.mark.requirement("CL-META-05")
def test_an_api_that_names_another_resource_or_server_is_refused_before_a_token_goes_out(
    site: Site,
) -> None:
    tokens = site.app.log_in(site.provider)
    site.publish({"scopes_supported": ["notes:read"]})
    found = site.find()
    assert found.scopes_supported == ("notes:read",)
    for name, lie, code in [
        ("resource", f"{site.api.origin}/", "resource_mismatch"),
        ("resource", "https://evil.example/notes", "resource_mismatch"),
        ("authorization_servers", ["https://evil.example"], "resource_other_server"),
        ("authorization_servers", [], "resource_other_server"),
    ]:
        site.publish({name: lie})
        with pytest.raises(MetadataRejected) as refusal:
            site.find()
        assert refusal.value.code == code
    sent = [request for request in site.api.received if "authorization" in request.headers]
    assert not sent
    site.api.routes["/notes"] = lambda _: as_json([])
    assert site.app.get(tokens, found.resource).status_code == 200


def test_metadata_is_found_by_the_challenge_where_the_well_known_place_is_empty(site: Site) -> None:
    place = f"{site.api.origin}/about/notes"
    challenge = ("www-authenticate", f'Bearer resource_metadata="{place}"')
    site.api.routes["/notes"] = lambda _: Answer(401, b"", [challenge])
    site.publish({"resource_name": "Notes"}, at="/about/notes")
    assert site.find().resource_name == "Notes"
    site.publish({"resource": f"{site.api.origin}/other"}, at="/about/notes")
    with pytest.raises(MetadataRejected) as refusal:
        site.find()
    assert refusal.value.code == "resource_mismatch"


def test_a_challenge_to_another_origin_is_not_followed(site: Site) -> None:
    elsewhere = Listener()
    challenge = ("www-authenticate", f'Bearer resource_metadata="{elsewhere.origin}/m"')
    site.api.routes["/notes"] = lambda _: Answer(401, b"", [challenge])
    with pytest.raises(MetadataRejected) as refusal:
        site.find()
    elsewhere.close()
    assert refusal.value.code == "bad_endpoint"
    assert not elsewhere.received


def test_a_redirect_is_not_followed(site: Site) -> None:
    elsewhere = Listener()
    site.api.routes[WELL_KNOWN] = lambda _: redirect(f"{elsewhere.origin}/m")
    with pytest.raises(MetadataRejected) as refusal:
        site.find()
    elsewhere.close()
    assert refusal.value.code == "discovery_failed"
    assert not elsewhere.received


@pytest.mark.parametrize(
    ("answer", "kind", "code"),
    [
        pytest.param(html(), MetadataRejected, "malformed_metadata", id="a page"),
        pytest.param(as_json([]), MetadataRejected, "malformed_metadata", id="a list"),
        pytest.param(as_json({}), MetadataRejected, "malformed_metadata", id="no resource"),
        pytest.param(as_json({}, 404), MetadataRejected, "discovery_failed", id="not found"),
        pytest.param(html(503), TransportError, "server_unavailable", id="unavailable"),
    ],
)
def test_an_answer_that_is_no_metadata_is_refused(
    site: Site, answer: Answer, kind: type[CodegrantError], code: str
) -> None:
    def reply(_: Received) -> Answer:
        return answer

    site.api.routes[WELL_KNOWN] = reply
    with pytest.raises(kind) as refusal:
        site.find()
    assert refusal.value.code == code


@pytest.mark.parametrize("url", ["http://api.example/notes", "notes", "https://api.example/#a"])
def test_what_is_no_resource_is_not_asked(site: Site, url: str) -> None:
    site.resource = url
    with pytest.raises(UsageError):
        site.find()
