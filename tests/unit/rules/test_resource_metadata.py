"""Which API may be sent tokens: `codegrant.rules.resource_metadata`."""

from __future__ import annotations

import pytest

from codegrant.errors import MetadataRejected, UsageError
from codegrant.http import Headers, Response
from codegrant.messages.resource_metadata import ResourceMetadata
from codegrant.rules.resource_metadata import (
    challenged_metadata_url,
    check_resource_metadata,
    resource_metadata_url,
)

RESOURCE = "https://api.example/v1"
ISSUER = "https://issuer.example"


@pytest.mark.parametrize(
    ("resource", "url"),
    [
        ("https://api.example", "https://api.example/.well-known/oauth-protected-resource"),
        ("https://api.example/", "https://api.example/.well-known/oauth-protected-resource"),
        (RESOURCE, "https://api.example/.well-known/oauth-protected-resource/v1"),
        ("https://api.example/v1/", "https://api.example/.well-known/oauth-protected-resource/v1/"),
        (
            "https://api.example/?t=1",
            "https://api.example/.well-known/oauth-protected-resource?t=1",
        ),
        (
            "http://127.0.0.1:8080/a?b=c",
            "http://127.0.0.1:8080/.well-known/oauth-protected-resource/a?b=c",
        ),
    ],
)
def test_the_well_known_name_goes_between_host_and_path(resource: str, url: str) -> None:
    assert resource_metadata_url(resource) == url


@pytest.mark.parametrize(
    "resource",
    ["", "api.example", "http://api.example/", "ftp://api.example/", "https://api.example/#a"],
)
def test_what_is_no_resource_has_no_metadata(resource: str) -> None:
    with pytest.raises(UsageError):
        resource_metadata_url(resource)


def challenge(*lines: str, status: int = 401) -> Response:
    return Response(status=status, headers=Headers([("www-authenticate", each) for each in lines]))


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(challenge('Bearer resource_metadata="https://api.example/m"'), id="bearer"),
        pytest.param(
            challenge("Basic", 'DPoP resource_metadata="https://api.example/m"'), id="2nd"
        ),
        pytest.param(challenge('bearer resource_metadata="https://API.example:443/m"'), id="case"),
    ],
)
def test_a_challenge_points_to_metadata_of_its_own_origin(answer: Response) -> None:
    found = challenged_metadata_url(answer, resource=RESOURCE)
    assert found is not None
    assert found.endswith("/m")


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param(challenge("Bearer"), id="no address"),
        pytest.param(challenge(), id="no challenge"),
        pytest.param(
            challenge('Bearer resource_metadata="https://api.example/m"', status=200), id="200"
        ),
        pytest.param(
            challenge('Bearer resource_metadata="https://api.example/m"', status=302), id="302"
        ),
    ],
)
def test_an_answer_that_points_nowhere_is_none(answer: Response) -> None:
    assert challenged_metadata_url(answer, resource=RESOURCE) is None


@pytest.mark.parametrize(
    "value",
    [
        'Bearer resource_metadata="https://evil.example/m"',
        'Bearer resource_metadata="https://api.example.evil.example/m"',
        'Bearer resource_metadata="https://api.example:8443/m"',
        'Bearer resource_metadata="http://api.example/m"',
        'Bearer resource_metadata="http://169.254.169.254/latest"',
        'Bearer resource_metadata="file:///etc/passwd"',
        'Bearer resource_metadata="/m"',
        'Bearer resource_metadata="https://api.example/m", resource_metadata="https://api.example/n"',
        'Bearer resource_metadata="https://api.example/m',
    ],
)
def test_a_challenge_that_points_elsewhere_is_refused(value: str) -> None:
    with pytest.raises(MetadataRejected) as refusal:
        challenged_metadata_url(challenge(value), resource=RESOURCE)
    assert refusal.value.stage == "discovery"


def test_the_resource_that_is_used_and_names_our_server_is_taken() -> None:
    metadata = ResourceMetadata(
        resource=RESOURCE, authorization_servers=("https://other.example", ISSUER)
    )
    check_resource_metadata(metadata, resource=RESOURCE, issuer=ISSUER)


@pytest.mark.parametrize(
    ("resource", "servers", "code"),
    [
        ("https://api.example/", [ISSUER], "resource_mismatch"),
        ("https://api.example/v1/", [ISSUER], "resource_mismatch"),
        ("https://api.example/V1", [ISSUER], "resource_mismatch"),
        ("https://API.example/v1", [ISSUER], "resource_mismatch"),
        ("https://evil.example/v1", [ISSUER], "resource_mismatch"),
        (RESOURCE, [], "resource_other_server"),
        (RESOURCE, ["https://evil.example"], "resource_other_server"),
        (RESOURCE, [f"{ISSUER}/"], "resource_other_server"),
        (RESOURCE, [f"{ISSUER}.evil.example"], "resource_other_server"),
    ],
)
def test_another_resource_or_another_server_is_refused(
    resource: str, servers: list[str], code: str
) -> None:
    metadata = ResourceMetadata(resource=resource, authorization_servers=tuple(servers))
    with pytest.raises(MetadataRejected) as refusal:
        check_resource_metadata(metadata, resource=RESOURCE, issuer=ISSUER)
    assert refusal.value.code == code


def test_what_a_hostile_document_says_stays_on_one_line() -> None:
    metadata = ResourceMetadata(resource="https://api\n.example/" + "x" * 10_000)
    with pytest.raises(MetadataRejected) as refusal:
        check_resource_metadata(metadata, resource=RESOURCE, issuer=ISSUER)
    assert len(str(refusal.value)) < 600
    assert "\n" not in str(refusal.value)
