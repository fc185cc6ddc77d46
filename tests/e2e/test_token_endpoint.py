"""The token endpoint over the wire: what it takes, what it answers, how it refuses."""

from __future__ import annotations

import json
from base64 import b64encode
from collections.abc import Mapping, Sequence
from contextlib import closing
from urllib.parse import urlencode

import pytest

from tests.flows.authorization_server import CALLBACK, FORM, SECRET, VERIFIER, basic, document
from tests.flows.house import Browser as HouseBrowser
from tests.flows.house import House, parameters_of
from tests.support.browser import Browser
from tests.support.raw_http import send_raw
from tests.support.relying_party import (
    Answer,
    RelyingParty,
    read_claims,
    register,
    send,
    send_form,
)
from tests.support.serving import Serving


@pytest.fixture(scope="module")
def app(shared_server: Serving) -> RelyingParty:
    return register(shared_server, "app", "--default-scope", "openid")


@pytest.fixture(scope="module")
def browser(app: RelyingParty) -> Browser:
    """Alice's browser, in which she has logged in and agreed."""
    browser = app.new_browser()
    app.authorize(browser)
    return browser


@pytest.fixture
def code(app: RelyingParty, browser: Browser) -> str:
    return app.authorize(browser)["code"]


def is_refused(answer: Answer, error: str, status: int = 400) -> bool:
    """Return whether it is a refusal as RFC 6749 §5.2 has it."""
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    assert set(answer.json) <= {"error", "error_description", "error_uri"}
    return (answer.status, answer.error) == (status, error)


def send_fields(app: RelyingParty, fields: Sequence[tuple[str, str]]) -> Answer:
    """Send a token request of these parameters, as the client."""
    return send_form(app.token_endpoint, fields, app.authentication())


@pytest.mark.requirement("AS-TOK-01")
@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE", "TRACE", "post"])
def test_only_post_is_taken(app: RelyingParty, code: str, method: str) -> None:
    fields = urlencode(app.token_request(code))
    headers = [FORM, ("authorization", app.authentication()["authorization"])]
    for target, body in (("/token", fields.encode()), (f"/token?{fields}", b"")):
        answer = send_raw(app.issuer, method, target, headers, body)
        assert answer.status in {400, 405}
        assert answer.header("allow") == ("POST" if answer.status == 405 else "")
        assert b"access_token" not in answer.body
    assert app.token(code).status == 200


@pytest.mark.requirement("AS-TOK-02")
@pytest.mark.parametrize(
    "content_type",
    [
        pytest.param("application/json", id="JSON"),
        pytest.param("multipart/form-data; boundary=x", id="multipart"),
        pytest.param("text/plain", id="text"),
        pytest.param("application/x-www-form-urlencoded; charset=utf-16", id="UTF-16"),
        pytest.param("application/x-www-form-urlencoded, application/json", id="two types"),
        pytest.param("", id="empty"),
    ],
)
def test_only_a_form_is_read(app: RelyingParty, code: str, content_type: str) -> None:
    fields = app.token_request(code)
    parts = "".join(
        f'--x\r\ncontent-disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields
    )
    headers = {**app.authentication(), "content-type": content_type}
    for body in (json.dumps(dict(fields)), urlencode(fields), f"{parts}--x--\r\n"):
        assert is_refused(send("POST", app.token_endpoint, body, headers), "invalid_request")
    assert app.token(code).status == 200


@pytest.mark.requirement("AS-TOK-02")
@pytest.mark.parametrize("moved", ["code", "grant_type", "code_verifier", "redirect_uri", "foo"])
def test_nothing_is_taken_from_the_query(app: RelyingParty, code: str, moved: str) -> None:
    fields = [*app.token_request(code), ("foo", "1")]
    query = urlencode([(name, value) for name, value in fields if name == moved])
    rest = [(name, value) for name, value in fields if name != moved]
    for body in (rest, fields):
        answer = send_form(f"{app.token_endpoint}?{query}", body, app.authentication())
        assert is_refused(answer, "invalid_request")
    assert app.token(code).status == 200


@pytest.mark.requirement("AS-TOK-03", "AS-TOK-04")
def test_a_success_is_json_that_no_cache_keeps(app: RelyingParty, code: str) -> None:
    answer = app.token(code)
    assert answer.status == 200
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "no-store"
    assert answer.headers["pragma"] == "no-cache"
    tokens = answer.json
    assert tokens.keys() == {"access_token", "token_type", "expires_in", "scope", "id_token"}
    assert tokens["token_type"] == "Bearer"
    assert type(tokens["expires_in"]) is int
    claims = read_claims(tokens["access_token"])
    assert claims["exp"] - claims["iat"] == tokens["expires_in"] == 300
    assert is_refused(app.token(code), "invalid_grant")


@pytest.mark.requirement("AS-TOK-04", "AS-TOK-05")
@pytest.mark.parametrize(
    "authorization",
    [
        pytest.param(basic("app", "wrong")[1], id="wrong secret"),
        pytest.param(basic("nobody", "wrong")[1], id="unknown client"),
        pytest.param("Basic", id="no credentials"),
        pytest.param("Basic !!!", id="no base64"),
        pytest.param("Bearer abc", id="another scheme"),
        pytest.param(f"Basic {b64encode(b'no colon').decode()}", id="no colon"),
    ],
)
def test_a_bad_authorization_header_is_challenged(
    app: RelyingParty, code: str, authorization: str
) -> None:
    fields = app.token_request(code)
    answer = send_form(app.token_endpoint, fields, {"authorization": authorization})
    assert is_refused(answer, "invalid_client", 401)
    assert answer.headers["www-authenticate"].startswith("Basic realm=")
    again = app.token(code)
    assert (again.status, again.headers.get("www-authenticate")) == (200, None)


@pytest.mark.requirement("AS-TOK-05")
def test_any_other_refusal_is_no_challenge(app: RelyingParty, code: str) -> None:
    answer = app.token(code, code_verifier="v" * 43)
    assert is_refused(answer, "invalid_grant")
    assert "www-authenticate" not in answer.headers


@pytest.mark.requirement("AS-TOK-06", "AS-TOK-07")
@pytest.mark.parametrize(
    ("grant_type", "error"),
    [
        pytest.param(None, "invalid_request", id="missing"),
        pytest.param("", "invalid_request", id="empty"),
        pytest.param("password", "unsupported_grant_type", id="password"),
        pytest.param("client_credentials", "unauthorized_client", id="client credentials"),
        pytest.param("implicit", "unsupported_grant_type", id="implicit"),
        pytest.param("AUTHORIZATION_CODE", "unsupported_grant_type", id="upper case"),
        pytest.param("authorization_code ", "unsupported_grant_type", id="a space more"),
        pytest.param("urn:example:grant", "unsupported_grant_type", id="extension"),
    ],
)
def test_another_grant_type_is_refused(
    app: RelyingParty, code: str, grant_type: str | None, error: str
) -> None:
    person = {"username": "alice", "password": "wonderland"}
    answer = app.token(code, grant_type=grant_type, **person)
    assert is_refused(answer, error)
    assert app.token(code, **person).status == 200


@pytest.mark.requirement("AS-TOK-06")
def test_a_grant_type_that_the_client_may_not_use_is_refused(
    shared_server: Serving, app: RelyingParty, code: str
) -> None:
    limited = register(shared_server, "limited", "--grant", "refresh_token")
    assert is_refused(limited.token(code), "unauthorized_client")
    assert app.token(code).status == 200


@pytest.mark.requirement("AS-TOK-08")
@pytest.mark.parametrize(
    "name",
    ["code", "grant_type", "client_id", "redirect_uri", "code_verifier", "scope", "foo"],
)
def test_a_repeated_parameter_is_refused(app: RelyingParty, code: str, name: str) -> None:
    once = {
        **dict(app.token_request(code)),
        "client_id": app.client_id,
        "scope": "openid",
        "foo": "1",
    }
    for second in (once[name], "other", ""):
        twice = [*once.items(), (name, second)]
        assert is_refused(send_fields(app, twice), "invalid_request")
    assert send_fields(app, list(once.items())).status == 200


@pytest.mark.requirement("AS-TOK-09")
@pytest.mark.parametrize(
    ("name", "error"),
    [
        ("code", "invalid_request"),
        ("grant_type", "invalid_request"),
        ("code_verifier", "invalid_grant"),
    ],
)
def test_an_empty_parameter_is_a_missing_one(
    app: RelyingParty, code: str, name: str, error: str
) -> None:
    rest = [pair for pair in app.token_request(code) if pair[0] != name]
    empty, missing = send_fields(app, [*rest, (name, "")]), send_fields(app, rest)
    assert is_refused(empty, error)
    assert empty.json == missing.json
    assert app.token(code).status == 200


@pytest.mark.requirement("AS-TOK-09")
def test_an_empty_secret_proves_nothing(
    shared_server: Serving, app: RelyingParty, browser: Browser
) -> None:
    posting = register(shared_server, "posting", "--auth-method", "client_secret_post")
    public = register(shared_server, "public", "--public")
    code = posting.authorize(browser)["code"]
    assert is_refused(posting.token(code, client_secret=""), "invalid_client", 401)
    assert is_refused(posting.token(code, client_id=""), "invalid_request")
    assert is_refused(posting.token(code, client_id="", client_secret=""), "invalid_client", 401)
    empty = {"authorization": f"Basic {b64encode(b'app:').decode()}"}
    fields = app.token_request(code)
    assert is_refused(send_form(app.token_endpoint, fields, empty), "invalid_client", 401)
    assert posting.token(code).status == 200
    # A client without a secret leaves it out in this way too.
    assert public.token(public.authorize(browser)["code"], client_secret="").status == 200


@pytest.mark.requirement("AS-TOK-10")
def test_unknown_parameters_are_ignored(app: RelyingParty, browser: Browser) -> None:
    more = {"foo": "1", "state": "x", "nonce": "x", "Code": "x", "code ": "x", "ä": "€"}
    assert app.token(app.authorize(browser)["code"], **more).status == 200
    # One that differs in case or by a space stands in for none.
    code = app.authorize(browser)["code"]
    renamed = [
        ("Code" if name == "code" else name, value) for name, value in app.token_request(code)
    ]
    assert is_refused(send_fields(app, renamed), "invalid_request")
    assert app.token(code).status == 200


@pytest.mark.requirement("AS-TOK-11")
@pytest.mark.parametrize(
    ("asked", "granted"),
    [
        pytest.param("openid profile admin root", "openid profile", id="more than allowed"),
        pytest.param("email openid", "email openid", id="as asked"),
        pytest.param(None, "openid", id="default"),
        pytest.param("openid openid profile", "openid profile", id="twice"),
    ],
)
def test_the_answer_names_the_scope_that_was_granted(
    app: RelyingParty, browser: Browser, asked: str | None, granted: str
) -> None:
    tokens = app.token(app.authorize(browser, scope=asked)["code"]).json
    assert set(tokens["scope"].split(" ")) == set(granted.split(" "))
    assert len(tokens["scope"].split(" ")) == len(granted.split(" "))
    assert read_claims(tokens["access_token"])["scope"] == tokens["scope"]


@pytest.mark.requirement("AS-TOK-12")
@pytest.mark.parametrize(
    ("raw", "status"),
    [
        pytest.param(b"code=%ff%fe", 400, id="escaped bytes that are not UTF-8"),
        pytest.param(b"code=\xff\xfe", 400, id="bytes that are not UTF-8"),
        pytest.param(b"code=%00", 400, id="escaped NUL"),
        pytest.param(b"code=\x00", 400, id="NUL"),
        pytest.param(b"code=%", 400, id="half an escape"),
        pytest.param(b"code=%zz", 400, id="no escape"),
        pytest.param(b"code=%ed%a0%80", 400, id="half a surrogate pair"),
        pytest.param(b"code=%c0%af", 400, id="overlong"),
        pytest.param(b"%00=1", 400, id="NUL in a name"),
        pytest.param(b"&&&&&&&" * 2000, 400, id="nothing but separators"),
        pytest.param(b"code=" + b"x" * 70_000, 413, id="too long"),
        pytest.param("code=ключ".encode(), 400, id="a code of other letters"),
    ],
)
def test_bad_bytes_are_refused_and_never_a_failure(
    shared_server: Serving, app: RelyingParty, code: str, raw: bytes, status: int
) -> None:
    rest = urlencode([pair for pair in app.token_request(code) if pair[0] != "code"]).encode()
    headers = [FORM, ("authorization", app.authentication()["authorization"])]
    for body in (raw + b"&" + rest, rest + b"&" + raw, raw):
        answer = send_raw(app.issuer, "POST", "/token", headers, body)
        assert answer.status == status
    assert app.token(code).status == 200
    assert "Traceback" not in shared_server.log
    assert "request_failed" not in shared_server.log


def gist(answer: Answer) -> tuple[int, Mapping[str, str], bytes]:
    """Return all of an answer but its date."""
    headers = {name: value for name, value in answer.headers.items() if name != "date"}
    return answer.status, headers, answer.body


@pytest.mark.requirement("AS-TOK-13")
def test_every_code_that_is_not_good_gets_the_same_answer(
    shared_server: Serving, app: RelyingParty, browser: Browser
) -> None:
    other = register(shared_server, "other", redirect_uri="https://other.example/callback")
    foreign, used, bound = (app.authorize(browser)["code"] for _ in range(3))
    assert app.token(used).status == 200
    answers = {
        "random": app.token("x" * 43),
        "short": app.token("x"),
        "foreign": other.token(foreign, code_verifier=app.verifier, redirect_uri=app.redirect_uri),
        "used": app.token(used),
        "used twice": app.token(used),
        "wrong verifier": app.token(bound, code_verifier="v" * 43),
        "no verifier": app.token(bound, code_verifier=None),
        "wrong redirect URI": app.token(bound, redirect_uri="https://app.example/other"),
    }
    random = gist(answers["random"])
    assert {case: gist(answer) for case, answer in answers.items()} == dict.fromkeys(
        answers, random
    )
    assert is_refused(answers["random"], "invalid_grant")
    assert app.token(bound).status == 200


@pytest.mark.requirement("AS-TOK-13")
def test_an_expired_code_gets_the_answer_of_a_random_one() -> None:
    def redeem(code: str, **changes: str) -> tuple[int, object, Mapping[str, object]]:
        fields = {"code": code, "redirect_uri": CALLBACK, "code_verifier": VERIFIER, **changes}
        body = urlencode({"grant_type": "authorization_code", **fields})
        headers = dict([basic("a", SECRET), FORM])
        answer = HouseBrowser(house).send("POST", "/token", body, headers)
        return answer.status, answer.headers, document(answer)

    with closing(House()) as house:
        browser = HouseBrowser(house)
        consent = browser.log_in(browser.start())
        expired = parameters_of(browser.submit(consent, "consent-allow"))["code"]
        house.now += 60
        fresh = parameters_of(browser.start())["code"]
        random = redeem("x" * 43)
        assert random[0] == 400
        assert redeem(expired) == random
        assert redeem(fresh, redirect_uri="https://a.test/other") == random
        house.change_account("alice", enabled=False)
        assert redeem(fresh) == random
