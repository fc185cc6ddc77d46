from __future__ import annotations

import json

import pytest

from codegrant.errors import (
    CodegrantError,
    MessageError,
    OAuthError,
    PeerError,
    StoreError,
    UsageError,
)
from codegrant.http import Request, Response
from codegrant.server.answers import (
    AtApi,
    AtPage,
    AtRedirect,
    as_oauth_error,
    nothing_to_say,
    plain_error_page,
    redirect,
    render_error,
    secret_json,
)

REQUEST = Request(method="GET", url="https://h.test/authorize")
HOSTILE = 'a"b\\c\r\nset-cookie: x=ä\0'


def test_an_api_error_is_json() -> None:
    error = OAuthError("invalid_grant", "no such code", reason="the code was used before")
    answer = render_error(error, AtApi())
    assert answer.status == 400
    assert json.loads(answer.body) == {
        "error": "invalid_grant",
        "error_description": "no such code",
    }
    assert answer.headers.get("cache-control") == "no-store"
    assert "www-authenticate" not in answer.headers


def test_who_may_not_read_an_answer_may_not_read_an_error_either() -> None:
    error = OAuthError("invalid_client", status=401)
    for open_to_all in (
        render_error(error, AtApi()),
        render_error(error, AtApi(bearer=True)),
        secret_json(b"{}"),
        nothing_to_say(),
    ):
        assert open_to_all.headers.get("access-control-allow-origin") == "*"
    for answer in (render_error(error, AtApi(cors=False)), secret_json(b"{}", cors=False)):
        assert not [name for name, _ in answer.headers.pairs() if name.startswith("access-")]
        assert answer.headers.get("cache-control") == "no-store"
        assert answer.headers.get("x-content-type-options") == "nosniff"


def test_a_401_carries_a_challenge() -> None:
    error = OAuthError("invalid_client", status=401)
    assert render_error(error, AtApi()).headers.get("www-authenticate").startswith("Basic ")
    token = OAuthError("invalid_token", status=401)
    challenge = render_error(token, AtApi(bearer=True)).headers.get("www-authenticate")
    assert challenge.startswith("Bearer ")
    assert 'error="invalid_token"' in challenge


def test_a_redirected_error_goes_with_state_and_issuer() -> None:
    place = AtRedirect("https://c.test/cb?x=1", "s t", "https://h.test")
    answer = render_error(OAuthError("access_denied", "no"), place)
    assert answer.status == 303
    assert answer.headers.get("location") == (
        "https://c.test/cb?x=1&error=access_denied&error_description=no"
        "&state=s+t&iss=https%3A%2F%2Fh.test"
    )


def test_without_state_there_is_none() -> None:
    place = AtRedirect("https://c.test/cb", None, "https://h.test")
    assert "state" not in render_error(OAuthError("x"), place).headers.get("location")


@pytest.mark.parametrize(
    "place",
    [
        AtApi(),
        AtApi(bearer=True),
        AtRedirect("https://c.test/cb", "s", "https://h.test"),
        AtPage(plain_error_page, REQUEST),
    ],
    ids=["json", "bearer", "redirect", "page"],
)
def test_no_place_shows_the_private_reason_or_hostile_text(
    place: AtApi | AtRedirect | AtPage,
) -> None:
    error = OAuthError("invalid_request", HOSTILE, reason="the private reason")
    answer = render_error(error, place)
    shown = repr(answer.headers.pairs()) + answer.body.decode()
    assert "private" not in shown
    assert "set-cookie" not in answer.headers
    for character in '\r\0ä"':
        assert character not in error_text(answer)


def error_text(answer: Response) -> str:
    if answer.headers.get("content-type") == "application/json":
        return str(json.loads(answer.body)["error_description"])
    return answer.headers.get("location") + answer.body.decode()


def test_retry_after_comes_from_the_facts() -> None:
    error = OAuthError("temporarily_unavailable", status=429, facts={"retry_after": 7})
    for place in (AtApi(), AtApi(bearer=True), AtPage(plain_error_page, REQUEST)):
        assert render_error(error, place).headers.get("retry-after") == "7"


@pytest.mark.parametrize(
    ("error", "code", "status"),
    [
        (MessageError("bad", code="repeated_parameter"), "invalid_request", 400),
        (MessageError("big", code="too_large"), "invalid_request", 413),
        (StoreError("locked by pid 5", code="store_busy"), "temporarily_unavailable", 503),
        (StoreError("no space on /var", code="store_full"), "temporarily_unavailable", 503),
        (StoreError("quota", code="store_write_failed"), "temporarily_unavailable", 503),
        (StoreError("lost"), "server_error", 500),
        (StoreError("wrong ring", code="store_key"), "server_error", 500),
        (UsageError("bug"), "server_error", 500),
        (PeerError("bug"), "server_error", 500),
    ],
)
def test_every_error_has_a_form_for_the_wire(error: CodegrantError, code: str, status: int) -> None:
    shown = as_oauth_error(error)
    assert (shown.error, shown.status) == (code, status)
    assert shown.redirectable == (status < 500)
    if status >= 500:
        assert error.message not in shown.description


def test_a_redirect_sets_each_cookie_in_a_line_of_its_own() -> None:
    answer = redirect("https://h.test/", ("a=1", "b=2"))
    assert answer.headers.get_all("set-cookie") == ("a=1", "b=2")
    with pytest.raises(MessageError):
        redirect("https://h.test/\r\nx: y")
