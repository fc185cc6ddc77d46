"""The authorization endpoint: GET and POST, its errors in order, and what it decides."""

from __future__ import annotations

import json
from collections.abc import Mapping
from urllib.parse import urlencode

import pytest

from codegrant.errors import StoreError
from codegrant.secret import digest_of
from codegrant.server.interaction import Authentication
from codegrant.server.records import ResourceRecord
from tests.flows.authorization_server import (
    ALICE,
    CALLBACK,
    FORM,
    ISSUER,
    NOW,
    Bench,
    answered,
    authorization_parameters,
    location,
    page_of,
)


@pytest.fixture
def bench() -> Bench:
    return Bench()


def test_a_request_that_needs_no_page_is_answered_at_once(bench: Bench) -> None:
    bench.agree()
    answer = bench.authorize()
    parameters = answered(answer)
    assert parameters.keys() == {"code", "state", "iss"}
    assert parameters["state"] == "the state"
    assert parameters["iss"] == ISSUER
    assert not bench.store.transactions
    code = bench.store.codes[digest_of(parameters["code"])]
    assert (code.client_id, code.redirect_uri, code.nonce) == ("a", CALLBACK, "the nonce")
    assert code.expires_at == NOW + 60
    assert bench.store.grants[code.grant_id].subject == ALICE.subject
    assert bench.event_names() == ["authorization_granted"]


def test_an_answer_that_holds_a_code_is_not_kept_anywhere(bench: Bench) -> None:
    bench.agree()
    headers = bench.authorize().headers
    assert headers.get("cache-control") == "no-store"
    assert headers.get("referrer-policy") == "no-referrer"
    assert "access-control-allow-origin" not in headers


def test_nobody_logged_in_leads_to_the_login_page_with_the_id_alone(bench: Bench) -> None:
    bench.authentication = None
    page, transaction_id = page_of(bench.authorize(login_hint="alice@example"))
    assert page == "login"
    stored = bench.store.transactions[digest_of(transaction_id)]
    assert ("login_hint", "alice@example") in stored.request
    assert stored.expires_at == NOW + 600
    assert stored.browser_digest is None
    assert not bench.store.codes


def test_no_consent_yet_leads_to_the_consent_page(bench: Bench) -> None:
    page, _ = page_of(bench.authorize())
    assert page == "consent"
    assert not bench.store.codes


def test_after_a_post_the_session_is_not_read(bench: Bench) -> None:
    bench.agree()
    page, _ = page_of(bench.authorize_by_post())
    assert page == "login"
    assert "find_visitor" not in bench.store.asked
    assert not bench.store.codes


@pytest.mark.parametrize("method", ["HEAD", "PUT", "DELETE", "PATCH", "OPTIONS"])
def test_no_other_method_ever_leads_to_a_code(bench: Bench, method: str) -> None:
    bench.agree()
    answer = bench.send(method, "/authorize", query=urlencode(authorization_parameters()))
    assert answer.status == 405
    assert answer.headers.get("allow") == "GET, POST"
    assert not any(name.startswith("access-control") for name, _ in answer.headers.pairs())
    assert not bench.store.codes


@pytest.mark.parametrize(
    "query",
    [
        pytest.param({"client_id": None}, id="no client_id"),
        pytest.param({"client_id": ""}, id="empty client_id"),
        pytest.param({"client_id": "nobody"}, id="unknown client"),
        pytest.param({"client_id": "A"}, id="client_id in other case"),
        pytest.param({"redirect_uri": "https://evil.test/cb"}, id="foreign redirect_uri"),
        pytest.param({"redirect_uri": "https://b.test/cb"}, id="redirect_uri of another client"),
        pytest.param({"redirect_uri": CALLBACK + "/"}, id="trailing slash"),
        pytest.param({"redirect_uri": CALLBACK + "?x=1"}, id="extra query"),
        pytest.param({"redirect_uri": CALLBACK + "#x"}, id="fragment"),
        pytest.param({"redirect_uri": "https://a.test:443/cb"}, id="default port"),
        pytest.param({"redirect_uri": "https://A.test/cb"}, id="host in other case"),
        pytest.param({"redirect_uri": "https://a.test/x/../cb"}, id="dot segments"),
        pytest.param({"redirect_uri": "https://a.test/%63b"}, id="percent-encoded"),
        pytest.param({"redirect_uri": "javascript:alert(1)"}, id="javascript"),
        pytest.param({"redirect_uri": "http://[::1"}, id="no URL"),
        pytest.param({"redirect_uri": None}, id="none sent for OpenID"),
        pytest.param({"redirect_uri": None, "scope": "email"}, id="none sent, two registered"),
    ],
)
@pytest.mark.parametrize(
    "worse",
    [{}, {"response_type": "token", "scope": "\x7f", "prompt": "none", "state": "s"}],
    ids=["alone", "with other errors"],
)
def test_without_a_good_client_and_redirect_uri_nothing_is_redirected(
    bench: Bench, query: Mapping[str, str | None], worse: Mapping[str, str]
) -> None:
    bench.agree()
    answer = bench.authorize(**(dict(worse) | dict(query)))
    assert answer.status == 400
    assert "location" not in answer.headers
    assert "default-src 'none'" in answer.headers.get("content-security-policy")
    assert not bench.store.codes
    assert bench.event_names() == ["authorization_refused"]


@pytest.mark.parametrize(
    ("query", "client_id"),
    [
        pytest.param({"redirect_uri": "https://evil.test/cb"}, "a", id="known, elsewhere"),
        pytest.param({"scope": "admin"}, "a", id="known, refused at the client"),
        pytest.param({"client_id": "nobody"}, "nobody", id="unknown"),
        pytest.param({"client_id": "n" * 400}, "n" * 120 + "…", id="long"),
        pytest.param({"client_id": "x\nINFO ok"}, "x\nINFO ok", id="line end, as the log escapes"),
        pytest.param({"client_id": None}, "", id="none"),
    ],
)
def test_an_event_says_which_client_was_refused(
    bench: Bench, query: Mapping[str, str | None], client_id: str
) -> None:
    bench.authorize(**query)
    (event,) = bench.store.events
    assert (event.name, event.facts["client_id"]) == ("authorization_refused", client_id)


@pytest.mark.parametrize("name", ["client_id", "redirect_uri"])
def test_a_repeated_client_or_redirect_uri_is_a_page(bench: Bench, name: str) -> None:
    pairs = authorization_parameters()
    answer = bench.authorize_raw(urlencode([*pairs, (name, dict(pairs)[name])]))
    assert answer.status == 400
    assert "location" not in answer.headers


def test_a_disabled_client_is_unknown(bench: Bench) -> None:
    bench.agree()
    bench.change_client("a", enabled=False)
    answer = bench.authorize()
    assert answer.status == 400
    assert "location" not in answer.headers
    assert bench.reason() == "client disabled"


@pytest.mark.parametrize(
    ("changes", "error"),
    [
        pytest.param({"response_type": None}, "invalid_request", id="no response_type"),
        pytest.param({"response_type": ""}, "invalid_request", id="empty response_type"),
        pytest.param({"response_type": "token"}, "unsupported_response_type", id="implicit"),
        pytest.param({"response_type": "id_token"}, "unsupported_response_type", id="id_token"),
        pytest.param({"response_type": "code id_token"}, "unsupported_response_type", id="hybrid"),
        pytest.param({"response_type": "CODE"}, "unsupported_response_type", id="other case"),
        pytest.param({"response_mode": "fragment"}, "invalid_request", id="fragment"),
        pytest.param({"response_mode": "form_post"}, "invalid_request", id="form_post"),
        pytest.param({"request": "x"}, "request_not_supported", id="request object"),
        pytest.param(
            {"request_uri": "https://a.test/r"}, "request_uri_not_supported", id="request_uri"
        ),
        pytest.param({"registration": "{}"}, "registration_not_supported", id="registration"),
        pytest.param({"code_challenge": None}, "invalid_request", id="method alone"),
        pytest.param({"code_challenge": ""}, "invalid_request", id="empty challenge"),
        pytest.param(
            {"code_challenge": None, "code_challenge_method": None}, "invalid_request", id="no PKCE"
        ),
        pytest.param({"code_challenge_method": None}, "invalid_request", id="no method"),
        pytest.param({"code_challenge_method": "plain"}, "invalid_request", id="plain"),
        pytest.param({"code_challenge": "a" * 42}, "invalid_request", id="short challenge"),
        pytest.param({"code_challenge": "a" * 43 + "="}, "invalid_request", id="padded challenge"),
        pytest.param({"scope": 'a"b'}, "invalid_scope", id="scope syntax"),
        pytest.param({"scope": "admin"}, "invalid_scope", id="scope not registered"),
        pytest.param({"scope": None}, "invalid_scope", id="no scope, no default"),
        pytest.param({"scope": ""}, "invalid_scope", id="empty scope, no default"),
        pytest.param({"prompt": "none login"}, "invalid_request", id="none with others"),
        pytest.param({"max_age": "-1"}, "invalid_request", id="negative max_age"),
        pytest.param({"max_age": "1.5"}, "invalid_request", id="max_age no integer"),
        pytest.param({"max_age": "9" * 400}, "invalid_request", id="huge max_age"),
        pytest.param({"claims": "[]"}, "invalid_request", id="claims array"),
        pytest.param({"claims": '"x"'}, "invalid_request", id="claims text"),
        pytest.param({"claims": '{"id_token":5}'}, "invalid_request", id="claims number"),
        pytest.param({"claims": "[" * 4000}, "invalid_request", id="claims deep"),
        pytest.param({"claims": "{}" + " " * 5000}, "invalid_request", id="claims long"),
        pytest.param({"resource": "https://api.test"}, "invalid_target", id="unknown resource"),
        pytest.param({"resource": "/relative"}, "invalid_target", id="relative resource"),
        pytest.param({"id_token_hint": "a.b.c"}, "invalid_request", id="forged hint"),
        pytest.param(
            {"claims": '{"id_token":{"acr":{"essential":true,"values":["gold"]}}}'},
            "unmet_authentication_requirements",
            id="acr out of reach",
        ),
    ],
)
def test_any_other_error_goes_to_the_client(
    bench: Bench, changes: Mapping[str, str | None], error: str
) -> None:
    bench.agree()
    parameters = answered(bench.authorize(**changes))
    assert parameters["error"] == error
    assert parameters["state"] == "the state"
    assert parameters["iss"] == ISSUER
    assert "code" not in parameters
    assert not bench.store.codes
    assert bench.event_names() == ["authorization_refused"]


def test_a_client_without_the_code_grant_is_refused(bench: Bench) -> None:
    bench.change_client("a", grant_types=("refresh_token",))
    assert answered(bench.authorize())["error"] == "unauthorized_client"


@pytest.mark.parametrize("name", ["scope", "state", "nonce", "code_challenge", "prompt"])
def test_a_repeated_parameter_is_refused_at_the_client(bench: Bench, name: str) -> None:
    bench.agree()
    pairs = authorization_parameters(prompt="consent")
    parameters = answered(bench.authorize_raw(urlencode([*pairs, (name, "other")])))
    assert parameters["error"] == "invalid_request"
    assert parameters.get("state") == (None if name == "state" else "the state")


@pytest.mark.parametrize(
    "state",
    ["+ %20 & = # ?", "ünïcödé ✓", "x" * 512, "<script>", "a\\b'\"c"],
    ids=["reserved", "unicode", "long", "markup", "quotes"],
)
@pytest.mark.parametrize("response_type", ["code", "token"], ids=["success", "error"])
def test_state_comes_back_unchanged(bench: Bench, state: str, response_type: str) -> None:
    bench.agree()
    assert answered(bench.authorize(state=state, response_type=response_type))["state"] == state


def test_an_empty_parameter_is_as_good_as_none(bench: Bench) -> None:
    bench.agree()
    assert "state" not in answered(bench.authorize(state="", nonce="", prompt=""))


def test_unknown_parameters_are_ignored_and_not_stored(bench: Bench) -> None:
    _, transaction_id = page_of(bench.authorize(foo="bar", request_id="7"))
    names = {name for name, _ in bench.store.transactions[digest_of(transaction_id)].request}
    assert names == set(dict(authorization_parameters()))


def test_the_query_of_a_registered_redirect_uri_stays(bench: Bench) -> None:
    bench.agree()
    answer = bench.authorize(redirect_uri="https://a.test/other?x=1")
    parameters = answered(answer, at="https://a.test/other?x=1&")
    assert parameters["x"] == "1"
    assert "code" in parameters


@pytest.mark.parametrize(
    ("query", "status"),
    [
        pytest.param("state=" + "x" * 65_536, 413, id="long state"),
        pytest.param("client_id=%ff%fe", 400, id="no UTF-8"),
        pytest.param("client_id=a%00b", 400, id="NUL"),
        pytest.param("client_id=%zz", 400, id="bad escape"),
        pytest.param("&".join(f"p{n}=1" for n in range(1000)), 400, id="many parameters"),
        pytest.param("", 400, id="nothing"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_bad_bytes_are_a_page_and_never_a_failure(
    bench: Bench, query: str, status: int, method: str
) -> None:
    answer = bench.authorize_raw(query, method=method)
    assert answer.status == status
    assert "location" not in answer.headers


@pytest.mark.parametrize(
    "content_type", ["application/json", "multipart/form-data; boundary=x", "text/plain", None]
)
def test_a_post_that_is_no_form_is_a_page(bench: Bench, content_type: str | None) -> None:
    headers = [] if content_type is None else [("content-type", content_type)]
    body = urlencode(authorization_parameters())
    assert bench.send("POST", "/authorize", body=body, headers=headers).status == 400
    assert bench.send("POST", "/authorize", body=body, headers=[FORM]).status == 303


def test_a_post_with_a_query_as_well_is_a_page(bench: Bench) -> None:
    body = urlencode(authorization_parameters())
    answer = bench.send("POST", "/authorize", query="client_id=a", body=body, headers=[FORM])
    assert answer.status == 400


@pytest.mark.parametrize(
    ("registered", "requested", "good"),
    [
        ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb", True),
        ("http://127.0.0.1/cb", "http://127.0.0.1/cb", True),
        ("http://[::1]/cb", "http://[::1]:51004/cb", True),
        ("http://127.0.0.1/cb", "http://localhost:51004/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:51004/other", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:51004/cb?x=1", False),
        ("http://127.0.0.1/cb", "https://127.0.0.1:51004/cb", False),
        ("http://127.0.0.1/cb", "http://127.0.0.1:51004@evil.test/cb", False),
    ],
)
def test_a_native_client_varies_the_port_and_nothing_else(
    bench: Bench, registered: str, requested: str, *, good: bool
) -> None:
    bench.change_client("p", redirect_uris=(registered,))
    answer = bench.authorize(client_id="p", redirect_uri=requested)
    assert answer.status == (303 if good else 400)


def test_a_web_client_does_not_even_vary_the_port(bench: Bench) -> None:
    bench.change_client("a", redirect_uris=("http://127.0.0.1/cb",))
    assert bench.authorize(redirect_uri="http://127.0.0.1:80/cb").status == 400


def test_the_only_redirect_uri_may_be_left_out_without_openid(bench: Bench) -> None:
    bench.agree("b")
    answer = bench.authorize(client_id="b", redirect_uri=None, scope="email")
    assert "code" in answered(answer, at="https://b.test/cb?")
    (code,) = bench.store.codes.values()
    assert not code.redirect_uri_sent
    assert bench.authorize(client_id="b", redirect_uri=None, scope="openid").status == 400
    bench.change_client("b", default_scope=("openid",))
    assert bench.authorize(client_id="b", redirect_uri=None, scope=None).status == 400


def test_pkce_is_waived_for_a_confidential_client_only(bench: Bench) -> None:
    bench.agree()
    without = {"code_challenge": None, "code_challenge_method": None}
    assert answered(bench.authorize(**without))["error"] == "invalid_request"
    bench.change_client("a", require_pkce=False)
    assert "code" in answered(bench.authorize(**without))
    assert answered(bench.authorize(code_challenge_method="plain"))["error"] == "invalid_request"
    bench.change_client("p", require_pkce=False)
    at = "http://127.0.0.1/cb"
    answer = bench.authorize(client_id="p", redirect_uri=at, **without)
    assert answered(answer, at=at)["error"] == "invalid_request"


def test_scope_outside_the_registration_is_dropped(bench: Bench) -> None:
    bench.agree()
    answered(bench.authorize(scope="openid admin openid email"))
    (grant,) = bench.store.grants.values()
    assert grant.scope == ("openid", "email")


def test_without_scope_the_registered_default_counts(bench: Bench) -> None:
    bench.agree("b")
    answer = bench.authorize(client_id="b", redirect_uri="https://b.test/cb", scope=None)
    assert "code" in answered(answer, at="https://b.test/cb")
    (grant,) = bench.store.grants.values()
    assert grant.scope == ("profile",)


def with_resources(bench: Bench) -> None:
    """Client a may use two of three APIs; `read` belongs to the first, `write` to the second."""
    names = ("https://one.test", "https://two.test", "https://three.test")
    scopes = (("read",), ("write", "openid"), ("read",))
    for name, scope in zip(names, scopes, strict=True):
        bench.store.resources[name] = ResourceRecord(
            audience=name, resource_id=name[8:], scope=scope
        )
    bench.change_client(
        "a", audiences=names[:2], scope=("openid", "email", "read", "write", "free")
    )
    bench.agree()


@pytest.mark.parametrize(
    ("resource", "audience", "scope"),
    [
        (None, "https://one.test", ("openid", "read", "free")),
        ("https://one.test", "https://one.test", ("openid", "read", "free")),
        ("https://two.test", "https://two.test", ("openid", "write", "free")),
    ],
)
def test_a_scope_of_a_resource_goes_with_that_resource_alone(
    bench: Bench, resource: str | None, audience: str, scope: tuple[str, ...]
) -> None:
    with_resources(bench)
    answered(bench.authorize(scope="openid read write free", resource=resource))
    (grant,) = bench.store.grants.values()
    assert (grant.audience, grant.scope) == (audience, scope)


def test_a_scope_of_another_resource_alone_is_refused(bench: Bench) -> None:
    with_resources(bench)
    parameters = answered(bench.authorize(scope="write", resource="https://one.test"))
    assert parameters["error"] == "invalid_scope"


def test_without_resource_and_audience_the_issuer_is_the_audience(bench: Bench) -> None:
    bench.code()
    (grant,) = bench.store.grants.values()
    assert grant.audience == ISSUER


@pytest.mark.parametrize(
    "resources",
    [
        ("https://three.test",),
        ("https://one.test/",),
        ("https://one.test#x",),
        ("https://one.test", "https://two.test"),
    ],
    ids=["not the client's", "trailing slash", "fragment", "two at once"],
)
def test_any_other_resource_is_refused(bench: Bench, resources: tuple[str, ...]) -> None:
    with_resources(bench)
    pairs = authorization_parameters() + [("resource", resource) for resource in resources]
    assert answered(bench.authorize_raw(urlencode(pairs)))["error"] == "invalid_target"


def test_a_resource_that_is_gone_is_refused(bench: Bench) -> None:
    with_resources(bench)
    bench.store.resources.clear()
    assert answered(bench.authorize(resource="https://one.test"))["error"] == "invalid_target"


def logged_in(at: int, sid: str = "sid-1", subject: str = ALICE.subject) -> Authentication:
    return Authentication(subject=subject, auth_time=at, sid=sid)


@pytest.mark.parametrize(
    ("authentication", "agreed", "changes", "error"),
    [
        pytest.param(None, True, {}, "login_required", id="nobody"),
        pytest.param(logged_in(NOW), False, {}, "consent_required", id="no consent"),
        pytest.param(logged_in(NOW), True, {"max_age": "0"}, "login_required", id="max_age 0"),
        pytest.param(
            logged_in(NOW - 20), True, {"max_age": "19"}, "login_required", id="max_age passed"
        ),
        pytest.param(
            logged_in(NOW),
            True,
            {"claims": json.dumps({"id_token": {"sub": {"value": "person-2"}}})},
            "login_required",
            id="another person",
        ),
    ],
)
def test_prompt_none_never_shows_a_page(
    bench: Bench,
    authentication: Authentication | None,
    changes: Mapping[str, str],
    error: str,
    *,
    agreed: bool,
) -> None:
    bench.authentication = authentication
    if agreed:
        bench.agree()
    parameters = answered(bench.authorize(prompt="none", **changes))
    assert parameters["error"] == error
    assert not bench.store.transactions


def test_prompt_none_is_answered_with_a_code_when_nothing_is_missing(bench: Bench) -> None:
    bench.agree()
    claims = json.dumps({"id_token": {"sub": {"value": ALICE.subject}}})
    assert "code" in answered(bench.authorize(prompt="none", max_age="50", claims=claims))


@pytest.mark.parametrize(
    ("changes", "page"),
    [
        ({"prompt": "login"}, "login"),
        ({"prompt": "select_account"}, "login"),
        ({"prompt": "consent"}, "consent"),
        ({"prompt": "login consent"}, "login"),
        ({"max_age": "0"}, "login"),
        ({"max_age": "49"}, "login"),
    ],
)
def test_a_demanded_page_is_shown_although_session_and_consent_suffice(
    bench: Bench, changes: Mapping[str, str], page: str
) -> None:
    bench.agree()
    assert page_of(bench.authorize(**changes))[0] == page


def test_max_age_that_is_not_reached_changes_nothing(bench: Bench) -> None:
    bench.agree()
    answered(bench.authorize(max_age="50"))
    (code,) = bench.store.codes.values()
    assert code.auth_time_requested


@pytest.mark.parametrize(
    ("client_id", "redirect_uri", "asked"),
    [
        ("a", CALLBACK, False),
        ("p", "http://127.0.0.1:4711/cb", True),
        ("p", "https://p.test/cb", False),
    ],
    ids=["confidential", "public on loopback", "public on https"],
)
def test_consent_is_remembered_where_the_client_is_assured(
    bench: Bench, client_id: str, redirect_uri: str, *, asked: bool
) -> None:
    bench.change_client("p", redirect_uris=("http://127.0.0.1/cb", "https://p.test/cb"))
    bench.agree(client_id)
    answer = bench.authorize(client_id=client_id, redirect_uri=redirect_uri)
    assert location(answer).startswith(f"{ISSUER}/consent?" if asked else redirect_uri)


def test_consent_to_less_is_no_consent_to_more(bench: Bench) -> None:
    bench.consents[ALICE.subject, "a"] = frozenset({"openid"})
    assert "code" in answered(bench.authorize(scope="openid"))
    assert page_of(bench.authorize(scope="openid email"))[0] == "consent"


def test_a_trusted_client_skips_consent_but_not_a_demand_for_it(bench: Bench) -> None:
    bench.change_client("a", skip_consent=True)
    assert "code" in answered(bench.authorize())
    assert page_of(bench.authorize(prompt="consent"))[0] == "consent"


@pytest.mark.parametrize(
    ("code", "status", "error"),
    [
        ("store_busy", 503, b"temporarily_unavailable"),
        ("store_full", 503, b"temporarily_unavailable"),
        ("store_failed", 500, b"server_error"),
    ],
)
@pytest.mark.parametrize("effect", ["FindClient", "SaveCode"])
def test_a_failing_store_is_a_page_without_a_cause(
    bench: Bench, code: str, status: int, error: bytes, effect: str
) -> None:
    bench.agree()
    bench.store.broken[effect] = StoreError("disk on fire at /var/lib", code=code)
    answer = bench.authorize()
    assert answer.status == status
    assert error in answer.body
    assert b"fire" not in answer.body
    assert "location" not in answer.headers
    assert bench.event_names()[-1] == "request_failed"
    assert bench.reason() == code


def test_codes_are_long_and_never_the_same(bench: Bench) -> None:
    codes = {bench.code() for _ in range(20)}
    assert len(codes) == 20
    assert {len(code) for code in codes} == {43}


def test_the_page_tells_a_client_id_that_is_missing_from_one_that_is_unknown(bench: Bench) -> None:
    assert b"client_id is missing" in bench.authorize(client_id=None).body
    assert b"client_id is missing" not in bench.authorize(client_id="nobody").body
