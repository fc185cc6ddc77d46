"""The authorization endpoint of a real server, seen from the browser's side."""

from __future__ import annotations

import re
from urllib.parse import quote, urlencode, urlsplit

import pytest

from tests.support.authorization_world import (
    CALLBACK,
    World,
    build_world,
    cookies_of,
    error_code,
)
from tests.support.relying_party import (
    Change,
    read_callback,
    register,
    send,
)
from tests.support.serving import Serving

OTHER_METHODS = ["HEAD", "PUT", "PATCH", "DELETE", "OPTIONS"]


@pytest.fixture(scope="module")
def world(shared_server: Serving) -> World:
    return build_world(shared_server)


@pytest.mark.requirement("AS-AZ-01")
def test_get_and_post_lead_to_the_same_login_page(world: World) -> None:
    party = world.asking
    by_get = party.open(party.new_browser())
    browser = party.new_browser()
    by_post = browser.post(f"{party.issuer}/authorize", party.authorization_request())
    for page in (by_get, by_post):
        assert page.status == 200
        assert page.has("login-submit")
        assert page.url.startswith(f"{party.issuer}/login?transaction=")
    callback = read_callback(party.pass_pages(browser, by_post).location)
    assert party.token(callback["code"]).status == 200


@pytest.mark.requirement("AS-AZ-01")
def test_a_post_uses_the_session_that_is_there(world: World) -> None:
    party = world.trusted
    url, form = f"{party.issuer}/authorize", party.authorization_request()
    first = world.alice.post(url, form, follow=False)
    assert first.location.startswith(f"{party.issuer}/login?transaction=")
    assert "code" in read_callback(world.alice.post(url, form).location)


@pytest.mark.requirement("AS-AZ-01")
@pytest.mark.parametrize(
    ("body", "headers"),
    [
        pytest.param('{"client_id":"trusted"}', {"content-type": "application/json"}, id="json"),
        pytest.param("client_id=trusted", {"content-type": "text/plain"}, id="text"),
        pytest.param("client_id=trusted", {}, id="no type"),
    ],
)
def test_a_post_that_is_no_form_is_refused(
    world: World, body: str, headers: dict[str, str]
) -> None:
    answer = send("POST", f"{world.server.issuer}/authorize", body, headers)
    assert (answer.status, answer.location) == (400, "")


@pytest.mark.requirement("AS-AZ-02")
@pytest.mark.parametrize("method", OTHER_METHODS)
def test_another_method_never_leads_to_a_code(world: World, method: str) -> None:
    url = world.trusted.authorize_url()
    answer = send(method, url, headers=cookies_of(world.alice))
    assert (answer.status, answer.location) == (405, "")
    assert answer.headers["allow"] == "GET, POST"
    assert b"code=" not in answer.body
    neighbour = send("GET", url, headers=cookies_of(world.alice))
    assert "code" in read_callback(neighbour.location)


@pytest.mark.requirement("AS-AZ-02")
@pytest.mark.parametrize("method", OTHER_METHODS)
def test_another_method_at_the_consent_page_consents_to_nothing(world: World, method: str) -> None:
    page = world.native.open(world.alice)
    (allow,) = [button for button in page.form.buttons if button.id == "consent-allow"]
    form = urlencode([*page.form.fields, (allow.name, allow.value)])
    headers = {
        **cookies_of(world.alice),
        "content-type": "application/x-www-form-urlencoded",
    }
    for body, query in ((form, ""), (None, f"&{form}")):
        answer = send(method, f"{page.url}{query}", body, headers)
        assert (answer.status, answer.location) == (405, "")
    again = world.alice.get(page.url)
    assert again.has("consent-allow")
    denied = read_callback(world.alice.submit(again, button="consent-deny").location)
    assert denied["error"] == "access_denied"


BAD_TARGETS = [
    pytest.param({"client_id": None}, id="no client"),
    pytest.param({"client_id": ""}, id="empty client"),
    pytest.param({"client_id": "nobody"}, id="unknown client"),
    pytest.param({"client_id": "TRUSTED"}, id="client in other case"),
    pytest.param({"client_id": "trusted "}, id="client with a space"),
    pytest.param({"client_id": ["trusted", "trusted"]}, id="client twice"),
    pytest.param({"client_id": ["trusted", "asking"]}, id="two clients"),
    pytest.param({"redirect_uri": "https://evil.example/callback"}, id="foreign redirect"),
    pytest.param({"redirect_uri": "/callback"}, id="relative redirect"),
    pytest.param({"redirect_uri": None}, id="no redirect with openid"),
    pytest.param({"redirect_uri": [CALLBACK, CALLBACK]}, id="redirect twice"),
    pytest.param({"redirect_uri": [CALLBACK, "https://evil.example/"]}, id="two redirects"),
    pytest.param({"redirect_uri": "javascript:alert(1)"}, id="script as redirect"),
]


@pytest.mark.requirement("AS-AZ-03", "AS-AZ-07")
@pytest.mark.parametrize("changes", BAD_TARGETS)
def test_without_a_good_client_and_redirect_uri_there_is_a_page(
    world: World, changes: dict[str, Change]
) -> None:
    assert error_code(world.trusted.open(world.alice, **changes)) == "invalid_request"
    assert "code" in world.trusted.authorize(world.alice)


@pytest.mark.requirement("AS-AZ-04")
@pytest.mark.parametrize(
    "more",
    [
        pytest.param({"response_type": "token"}, id="response type"),
        pytest.param({"response_type": None}, id="no response type"),
        pytest.param({"scope": 'a"b'}, id="scope"),
        pytest.param({"scope": ["openid", "email"]}, id="scope twice"),
        pytest.param({"prompt": "none"}, id="prompt none"),
        pytest.param({"prompt": "none login"}, id="prompt none with more"),
        pytest.param({"code_challenge": None}, id="no challenge"),
        pytest.param({"response_mode": "fragment"}, id="response mode"),
        pytest.param({"request": "e30.e30."}, id="request object"),
        pytest.param({"resource": "relative"}, id="resource"),
        pytest.param({"state": ["a", "b"]}, id="state twice"),
        pytest.param({"max_age": "old"}, id="max_age"),
    ],
)
def test_client_and_redirect_uri_come_before_any_other_parameter(
    world: World, more: dict[str, Change]
) -> None:
    for bad in ({"redirect_uri": "https://evil.example/callback"}, {"client_id": "nobody"}):
        page = world.trusted.open(world.alice, **{**more, **bad})
        assert error_code(page) == "invalid_request"
    assert world.trusted.open(world.alice, **more).location.startswith(f"{CALLBACK}?")


ERRORS = [
    pytest.param({"response_type": None}, "invalid_request", id="no response type"),
    pytest.param({"response_type": ""}, "invalid_request", id="empty response type"),
    pytest.param({"response_type": "CODE"}, "unsupported_response_type", id="case"),
    pytest.param({"response_type": "none"}, "unsupported_response_type", id="none"),
    pytest.param({"response_type": "code code"}, "unsupported_response_type", id="code code"),
    pytest.param({"scope": "calendar"}, "invalid_scope", id="scope not registered"),
    pytest.param({"scope": 'open"id'}, "invalid_scope", id="scope with a quote"),
    pytest.param({"prompt": "none login"}, "invalid_request", id="prompt"),
    pytest.param({"max_age": "-1"}, "invalid_request", id="max_age"),
    pytest.param({"request": "e30.e30."}, "request_not_supported", id="request"),
    pytest.param(
        {"request_uri": "https://app.example/r"}, "request_uri_not_supported", id="request_uri"
    ),
]


@pytest.mark.requirement("AS-AZ-05", "AS-AZ-11")
@pytest.mark.parametrize(("changes", "error"), ERRORS)
def test_any_other_error_goes_to_the_client_with_state_and_iss(
    world: World, changes: dict[str, Change], error: str
) -> None:
    page = world.trusted.open(world.alice, **changes)
    assert page.status == 303
    assert page.location.startswith(f"{CALLBACK}?")
    refused = read_callback(page.location)
    assert refused["error"] == error
    assert refused["state"] == world.trusted.state
    assert refused["iss"] == world.server.issuer
    assert "code" not in refused


@pytest.mark.requirement("AS-AZ-05")
def test_a_client_without_the_code_grant_is_unauthorized(world: World) -> None:
    refused = read_callback(world.refreshing.open(world.alice).location)
    assert refused["error"] == "unauthorized_client"
    assert refused["state"] == world.refreshing.state
    assert refused["iss"] == world.server.issuer
    assert "code" in world.trusted.authorize(world.alice)


@pytest.mark.requirement("AS-AZ-06")
@pytest.mark.parametrize(
    "kind",
    [
        *("token", "id_token", "id_token token", "code token", "code id_token"),
        *("code id_token token", "id_token code"),
    ],
)
def test_no_token_is_ever_in_an_authorization_response(world: World, kind: str) -> None:
    page = world.trusted.open(world.alice, response_type=kind)
    refused = read_callback(page.location)
    assert refused["error"] == "unsupported_response_type"
    assert not urlsplit(page.location).fragment
    assert not {"code", "access_token", "id_token"} & refused.keys()
    granted = world.trusted.authorize(world.alice)
    assert granted.keys() == {"code", "state", "iss"}


@pytest.mark.requirement("AS-AZ-07")
@pytest.mark.parametrize(
    "name",
    [
        *("response_type", "scope", "state", "nonce", "code_challenge", "code_challenge_method"),
        *("prompt", "max_age", "response_mode", "login_hint", "claims", "id_token_hint"),
        *("acr_values", "ui_locales", "display"),
    ],
)
def test_a_repeated_parameter_is_refused(world: World, name: str) -> None:
    sent = dict(world.trusted.authorization_request())
    value = sent.get(name, "0")
    for values in ([value, value], [value, "other"], [value, ""]):
        refused = read_callback(world.trusted.open(world.alice, **{name: values}).location)
        assert refused["error"] == "invalid_request"
        assert "code" not in refused
        assert ("state" in refused) is (name != "state")


@pytest.mark.requirement("AS-AZ-08")
def test_an_empty_parameter_is_as_good_as_none(world: World) -> None:
    party, alice = world.trusted, world.alice
    assert "state" not in party.authorize(alice, state="")
    assert party.authorize(alice)["state"] == party.state
    missing = read_callback(party.open(alice, code_challenge=None).location)
    empty = read_callback(party.open(alice, code_challenge="").location)
    assert empty == missing
    assert empty["error"] == "invalid_request"
    for name in ("prompt", "max_age", "response_mode", "resource", "login_hint", "request"):
        assert "code" in party.authorize(alice, **{name: ""}), name


@pytest.mark.requirement("AS-AZ-09")
def test_unknown_parameters_are_ignored(world: World) -> None:
    callback = world.asking.authorize(
        foo="bar", FOO=["a", "b"], Response_type="token", access_token="x"
    )
    assert callback.keys() == {"code", "state", "iss"}
    assert world.asking.token(callback["code"]).status == 200


STATES = [
    pytest.param("a+b %20 & = # / ? \\ ; , '\"", id="reserved"),
    pytest.param("%2B%26%23%3D", id="already encoded"),
    pytest.param("ünï-cödé 日本語 🙂", id="unicode"),
    pytest.param(" leading and trailing ", id="spaces"),
    pytest.param("x" * 512, id="512 characters"),
    pytest.param("<script>alert(1)</script>", id="markup"),
    pytest.param("https://evil.example/?code=x&state=y", id="url"),
]


@pytest.mark.requirement("AS-AZ-10", "AS-AZ-11")
@pytest.mark.parametrize("state", STATES)
def test_state_comes_back_unchanged(world: World, state: str) -> None:
    granted = world.trusted.authorize(world.alice, state=state)
    refused = read_callback(
        world.trusted.open(world.alice, state=state, response_type="token").location
    )
    form = world.trusted.authorization_request(state=state)
    posted = world.alice.post(f"{world.server.issuer}/authorize", form)
    for callback in (granted, refused, read_callback(posted.location)):
        assert callback["state"] == state
        assert callback["iss"] == world.server.issuer


@pytest.mark.requirement("AS-AZ-10")
def test_state_survives_the_pages(world: World) -> None:
    state = "+ %20 & = # ü 日"
    assert world.asking.authorize(state=state)["state"] == state
    page = world.native.open(world.alice, state=state)
    assert page.has("consent-deny")
    denied = world.alice.submit(page, button="consent-deny")
    assert read_callback(denied.location)["state"] == state


@pytest.mark.requirement("AS-AZ-12")
@pytest.mark.parametrize(
    "registered",
    [
        pytest.param("https://c.example/cb?x=1", id="one"),
        pytest.param("https://c.example/cb?x=1&y=a%20b&x=2", id="several"),
        pytest.param("https://c.example/cb?flag", id="no value"),
        pytest.param("https://c.example/cb?", id="empty query"),
    ],
)
def test_the_query_of_the_registered_redirect_uri_stays(world: World, registered: str) -> None:
    client_id = f"query-{urlsplit(registered).query or 'none'}"
    party = register(world.server, client_id, "--skip-consent", redirect_uri=registered)
    start = f"{registered}{'' if registered.endswith('?') else '&'}"
    for page, first in (
        (party.open(world.alice), "code="),
        (party.open(world.alice, response_type="token"), "error=unsupported_response_type"),
    ):
        assert page.location.startswith(f"{start}{first}"), page.location
    code = re.search(r"[?&]code=([^&]+)", party.open(world.alice).location)
    assert code is not None
    assert party.token(code[1]).status == 200


@pytest.mark.requirement("AS-AZ-19")
@pytest.mark.parametrize("mode", ["fragment", "web_message", "query.jwt", "QUERY", "query query"])
def test_no_other_response_mode_is_taken(world: World, mode: str) -> None:
    page = world.trusted.open(world.alice, response_mode=mode)
    refused = read_callback(page.location)
    assert refused["error"] == "invalid_request"
    assert not urlsplit(page.location).fragment
    assert "code" in world.trusted.authorize(world.alice, response_mode="query")


@pytest.mark.parametrize("path", ["/authorize/", "//authorize", "/Authorize", "/authorize/x"])
def test_there_is_one_address_of_the_endpoint(world: World, path: str) -> None:
    query = urlencode(world.trusted.authorization_request(), quote_via=quote)
    answer = send("GET", f"{world.server.issuer}{path}?{query}", headers=cookies_of(world.alice))
    assert (answer.status, answer.location) == (404, "")
