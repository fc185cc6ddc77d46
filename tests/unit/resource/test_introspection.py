"""Opaque tokens, effect by effect: who is asked, what is remembered, and who stays out."""

from __future__ import annotations

import logging
from base64 import b64decode
from typing import Any

import pytest

from codegrant.errors import ConfigurationError, OAuthError, TransportError
from codegrant.http import Request, Response
from codegrant.jose import PrivateKey, parse_jwt, verify_signature
from codegrant.messages.introspection import IntrospectionRequest
from codegrant.messages.parameters import Parameters
from codegrant.resource import Introspection, ResourceFlows
from codegrant.resource.verification import ResourceConfig
from codegrant.secret import Secret
from tests.support.access_tokens import AUDIENCE, NOW, PaperApi
from tests.support.scripted import json_response

ISSUER = "https://issuer.example"
ENDPOINT = "https://issuer.example/introspect"
DOWN = TransportError("no connection", code="connect_failed")
SECRET = "s" * 32
KEY = PrivateKey.generate("ES256")


class AskingApi(PaperApi):
    """An API that asks its issuer; `tokens` are those that it vouches for."""

    def __init__(self, *issuers: str, **settings: Any) -> None:
        super().__init__(*issuers)
        settings = {"client_secret": SECRET, **settings}
        self.settings = Introspection(client_id="api", **settings)
        config = ResourceConfig(
            issuers=self.flows.config.issuers, audience=AUDIENCE, introspection=self.settings
        )
        self.flows = ResourceFlows(config)
        self.tokens: dict[str, dict[str, object]] = {}
        metadata = f"{self.issuer.issuer}/.well-known/openid-configuration"
        self.script.answers[metadata] = json_response(
            {
                "issuer": self.issuer.issuer,
                "authorization_endpoint": f"{self.issuer.issuer}/authorize",
                "token_endpoint": f"{self.issuer.issuer}/token",
                "jwks_uri": self.issuer.jwks_uri,
                "introspection_endpoint": ENDPOINT,
            }
        )
        self.script.answers[ENDPOINT] = self.introspect

    def introspect(self, request: Request) -> Response:
        asked = IntrospectionRequest.parse(Parameters.parse(request.body))
        members = self.tokens.get(asked.token.reveal())
        return json_response({"active": False} if members is None else members)

    def vouch_for(self, token: str, **changes: object) -> str:
        good: dict[str, object] = {
            "active": True,
            "sub": "person-1",
            "aud": AUDIENCE,
            "client_id": "app",
            "exp": NOW + 300,
            "scope": "profile read",
        }
        self.tokens[token] = good | changes
        return token

    @property
    def questions(self) -> int:
        return sum(send.request.method == "POST" for send in self.script.sent)


@pytest.mark.requirement("RS-INT-01")
def test_the_issuer_is_asked_about_an_opaque_token_by_an_api_that_shows_who_it_is() -> None:
    api = AskingApi()
    token = api.verify(api.vouch_for("opaque"), NOW, "read", person=True)
    assert (token.issuer, token.subject, token.client_id) == (ISSUER, "person-1", "app")
    request = api.script.sent[-1].request
    assert (request.method, request.url) == ("POST", ENDPOINT)
    name, _, secret = request.headers.get("authorization").partition(" ")
    assert (name, b64decode(secret).decode()) == ("Basic", f"api:{SECRET}")
    form = Parameters.parse(request.body)
    assert dict(form.pairs) == {"token": "opaque", "token_type_hint": "access_token"}


def test_the_secret_may_go_in_the_form_and_the_endpoint_be_named() -> None:
    api = AskingApi(auth_method="client_secret_post", endpoint="https://other.example/i")
    api.script.answers = {"https://other.example/i": api.introspect}
    assert api.verify(api.vouch_for("opaque")).subject == "person-1"
    form = Parameters.parse(api.script.sent[0].request.body)
    assert (form.single("client_id"), form.single("client_secret")) == ("api", SECRET)
    assert api.script.urls == ["https://other.example/i"], "without its metadata"


@pytest.mark.requirement("CL-TOK-14")
def test_an_api_with_a_key_signs_each_question_for_the_issuer() -> None:
    api = AskingApi(client_secret="", private_key=KEY, remember=0)
    for _ in range(2):
        api.verify(api.vouch_for("opaque"), NOW)
    forms = [Parameters.parse(s.request.body) for s in api.script.sent if s.request.body]
    assertions = [parse_jwt(form.single("client_assertion") or "") for form in forms]
    first, second = (verify_signature(each, [KEY.public]).claims for each in assertions)
    assert (first["iss"], first["sub"], first["aud"]) == ("api", "api", ISSUER)
    assert (first["iat"], first["exp"]) == (NOW, NOW + 60)
    assert first["jti"] != second["jti"]
    assert all("authorization" not in s.request.headers for s in api.script.sent)
    assert all(form.single("client_secret") is None for form in forms)


@pytest.mark.requirement("RS-INT-01")
@pytest.mark.parametrize(
    ("changes", "code"),
    [
        pytest.param({"active": False}, "token_inactive", id="not active"),
        pytest.param({"aud": "https://b.example"}, "audience_mismatch", id="another API"),
        pytest.param({"iss": "https://b.example"}, "issuer_mismatch", id="another issuer"),
        pytest.param({"exp": NOW - 60}, "token_expired", id="expired"),
        pytest.param({"token_type": "DPoP"}, "wrong_token_type", id="DPoP"),
        pytest.param({"cnf": {"jkt": "x"}}, "token_bound", id="bound"),
    ],
)
def test_a_token_that_is_not_good_here_is_invalid(changes: dict[str, object], code: str) -> None:
    api = AskingApi()
    api.refuse_as_invalid(api.vouch_for("bad", **changes), code)
    api.refuse_as_invalid("unknown", "token_inactive")
    assert api.verify(api.vouch_for("good")).subject == "person-1"


@pytest.mark.requirement("RS-INT-01", "RS-JAT-06")
def test_scope_and_person_are_judged_on_an_opaque_token_too() -> None:
    api = AskingApi()
    token = api.vouch_for("of a client", sub="app")
    for _ in range(2):  # the second time it is remembered
        assert api.verify(token, NOW, "read").client_id == "app"
        assert api.refuse(token, NOW, "read", person=True).status == 403
        assert api.refuse(token, NOW, "admin").error == "insufficient_scope"
    assert api.verify(api.vouch_for("of a person"), NOW, "read", person=True).is_for_person
    assert api.questions == 2


# Nobody comes in without an answer.


@pytest.mark.requirement("RS-INT-01", "RS-INT-02")
@pytest.mark.parametrize(
    ("answer", "code"),
    [
        pytest.param(DOWN, "connect_failed", id="down"),
        pytest.param(TransportError("slow", code="timeout"), "timeout", id="slow"),
        pytest.param(TransportError("10 MB", code="too_large"), "too_large", id="10 MB"),
        pytest.param(Response(status=500), "server_unavailable", id="500"),
        pytest.param(Response(status=503), "server_unavailable", id="503"),
        pytest.param(Response(status=429), "server_unavailable", id="429"),
        pytest.param(Response(status=200, body=b"<html>"), "malformed_json", id="a page"),
        pytest.param(Response(status=200), "malformed_json", id="nothing"),
        pytest.param(Response(status=404), "not_json", id="404"),
        pytest.param(Response(status=302), "redirect_refused", id="redirect"),
        pytest.param(
            Response(status=401, body=b'{"error":"invalid_client"}'), "invalid_client", id="401"
        ),
        pytest.param(Response(status=201, body=b'{"active":true}'), "not_json", id="201"),
        pytest.param(
            Response(status=200, body=b'{"active":"true"}'), "malformed_member", id="text"
        ),
        pytest.param(Response(status=200, body=b'{"active":1}'), "malformed_member", id="one"),
        pytest.param(Response(status=200, body=b"{}"), "missing_member", id="no active"),
        pytest.param(
            Response(status=200, body=b'{"active":false,"active":true}'),
            "repeated_member",
            id="twice",
        ),
        pytest.param(
            Response(status=200, body=b'{"active":true,"exp":"9999999999"}'),
            "malformed_member",
            id="a time that is a text",
        ),
        pytest.param(
            Response(status=200, body=b'{"active":true,"x":"' + b"y" * 70_000 + b'"}'),
            "too_large",
            id="70 KB",
        ),
    ],
)
def test_without_an_answer_nobody_comes_in_and_nobody_is_blamed(
    answer: Response | Exception, code: str
) -> None:
    api = AskingApi()
    token = api.vouch_for("opaque")
    api.script.answers[ENDPOINT] = answer
    for _ in range(2):
        error = api.refuse(token)
        assert (error.error, error.status) == ("temporarily_unavailable", 503)
        assert error.facts["code"] == code, error.reason
        assert SECRET not in repr(error.__dict__)
        assert "opaque" not in repr(error.__dict__)
    api.script.answers[ENDPOINT] = api.introspect
    assert api.verify(token).subject == "person-1", "no failure is remembered"


@pytest.mark.requirement("RS-INT-02")
def test_a_token_that_is_remembered_outlives_its_issuer_by_its_time_only() -> None:
    api = AskingApi()
    token = api.vouch_for("opaque")
    api.verify(token)
    api.script.answers[ENDPOINT] = DOWN
    assert api.verify(token, NOW + 29).subject == "person-1"
    assert api.refuse(token, NOW + 30).status == 503


def test_an_issuer_without_an_endpoint_or_a_way_in_is_a_failure_of_the_issuer() -> None:
    api = AskingApi()
    metadata = f"{ISSUER}/.well-known/openid-configuration"
    for members, code in (
        ({}, "no_introspection"),
        (
            {
                "introspection_endpoint": ENDPOINT,
                "introspection_endpoint_auth_methods_supported": ["private_key_jwt"],
            },
            "configuration_error",
        ),
    ):
        api = AskingApi()
        common = {"issuer": ISSUER, "authorization_endpoint": f"{ISSUER}/a"}
        api.script.answers[metadata] = json_response(
            {**common, "token_endpoint": f"{ISSUER}/t", **members}
        )
        error = api.refuse("opaque")
        assert (error.status, error.facts["code"]) == (503, code)


# What is remembered, and for how long.


@pytest.mark.requirement("RS-INT-02", "RS-JAT-07")
@pytest.mark.parametrize("remember", [30, 5, 1])
def test_a_good_answer_holds_for_a_bounded_time_and_a_revoked_token_no_longer(
    remember: int,
) -> None:
    api = AskingApi(remember=remember)
    token, other = api.vouch_for("opaque"), api.vouch_for("other")
    api.verify(token)
    del api.tokens[token]  # revoked
    assert api.verify(token, NOW + remember - 1).subject == "person-1"
    assert api.questions == 1
    api.refuse_as_invalid(token, "token_inactive", NOW + remember)
    assert api.verify(other, NOW + remember).subject == "person-1"


@pytest.mark.requirement("RS-JAT-07", "RS-INT-02")
def test_an_api_that_remembers_nothing_refuses_a_revoked_token_at_once() -> None:
    api = AskingApi(remember=0)
    token = api.vouch_for("opaque")
    for asked in (1, 2, 3):
        api.verify(token)
        assert api.questions == asked
    del api.tokens[token]
    api.refuse_as_invalid(token, "token_inactive")


@pytest.mark.requirement("RS-INT-02")
def test_no_answer_holds_beyond_the_end_of_the_token() -> None:
    api = AskingApi(remember=300)
    token = api.vouch_for("opaque", exp=NOW + 10)
    api.verify(token)
    assert api.is_remembered(token, NOW + 9)
    assert not api.is_remembered(token, NOW + 10)
    api.refuse_as_invalid(token, "token_expired", NOW + 70)


def test_a_refused_token_is_refused_unasked_for_a_moment() -> None:
    api = AskingApi()
    for second in (0, 1, 4):
        api.refuse_as_invalid("garbage", "token_inactive", NOW + second)
    assert api.questions == 1
    api.vouch_for("garbage")
    assert api.verify("garbage", NOW + 5).subject == "person-1"
    assert api.questions == 2


@pytest.mark.requirement("RS-INT-02")
def test_no_amount_of_garbage_drives_a_good_token_out() -> None:
    api = AskingApi()
    token = api.vouch_for("opaque")
    api.verify(token)
    for n in range(1500):
        api.refuse_as_invalid(f"garbage-{n}", "token_inactive")
    asked = api.questions
    assert api.verify(token).subject == "person-1"
    assert api.questions == asked
    introspector = api.flows._introspector
    assert introspector is not None
    assert len(introspector._refused) == 1000


@pytest.mark.requirement("RS-INT-02")
def test_an_opaque_token_is_kept_by_its_digest_only() -> None:
    api = AskingApi()
    api.verify(api.vouch_for("a-very-opaque-token"))
    api.refuse("a-very-bad-token")
    introspector = api.flows._introspector
    assert introspector is not None
    kept = repr((api.flows._verified._entries, introspector._refused._entries))
    assert "person-1" in kept
    assert "opaque-token" not in kept
    assert "bad-token" not in kept


# Who is asked about which token.


def test_without_introspection_an_opaque_token_is_refused() -> None:
    api = PaperApi()
    api.refuse_as_invalid("opaque", "malformed_token")
    assert api.script.sent == []


def test_a_jwt_is_verified_here_unless_every_token_is_asked_about() -> None:
    here, asking = AskingApi(), AskingApi(every_token=True)
    assert here.verify(here.issuer.mint(NOW)).jti == "token-1"
    here.refuse_as_invalid(here.issuer.mint(NOW, aud="b"), "audience_mismatch")
    assert here.questions == 0
    token = asking.issuer.mint(NOW)
    asking.refuse_as_invalid(token, "token_inactive")  # though its signature holds
    assert asking.verify(asking.vouch_for(token), NOW + 5).subject == "person-1"
    assert asking.issuer.key_fetches == 0


@pytest.mark.requirement("RS-JAT-07")
def test_an_api_that_asks_about_every_token_refuses_a_revoked_jwt_in_time() -> None:
    api = AskingApi(every_token=True, remember=10)
    token = api.vouch_for(api.issuer.mint(NOW))
    api.verify(token)
    del api.tokens[token]
    assert api.verify(token, NOW + 9).subject == "person-1"
    api.refuse_as_invalid(token, "token_inactive", NOW + 10)


@pytest.mark.parametrize(
    "header",
    [
        pytest.param({"alg": "none"}, id="unsigned"),
        pytest.param({"alg": "HS256"}, id="HMAC"),
        pytest.param({"crit": ["b64"]}, id="critical"),
    ],
)
def test_a_jwt_that_must_not_be_is_refused_unasked(header: dict[str, object]) -> None:
    api = AskingApi()
    assert api.refuse(api.issuer.mint(NOW, header=header)).status == 401
    assert api.questions == 0


def test_a_token_that_is_too_long_is_refused_unasked() -> None:
    api = AskingApi(every_token=True)
    api.refuse_as_invalid("x" * 16_385, "too_large")
    assert api.script.sent == []
    assert api.verify(api.vouch_for("x" * 16_384)).subject == "person-1"


def test_with_several_issuers_the_named_one_is_asked_and_about_its_own_tokens() -> None:
    other = "https://other.example"
    api = AskingApi(ISSUER, other, issuer=ISSUER, every_token=True)
    assert api.verify(api.vouch_for("opaque")).issuer == ISSUER
    assert api.verify(api.issuers[1].mint(NOW)).issuer == other
    assert api.questions == 1
    api.refuse_as_invalid(api.issuer.mint(NOW), "token_inactive")
    api.refuse_as_invalid(api.issuers[1].mint(NOW, iss="https://c.example"), "issuer_mismatch")
    assert api.questions == 2


@pytest.mark.parametrize(
    ("changes", "key"),
    [
        pytest.param({"client_id": ""}, "introspection.client_id", id="no name"),
        pytest.param({"client_secret": ""}, "introspection.client_secret", id="no secret"),
        pytest.param({"remember": -1}, "introspection.remember", id="negative"),
        pytest.param({"remember": 301}, "introspection.remember", id="more than five minutes"),
        pytest.param({"auth_method": "none"}, "introspection.auth_method", id="no proof"),
        pytest.param(
            {"auth_method": "private_key_jwt"},
            "introspection.private_key",
            id="no key to sign with",
        ),
        pytest.param(
            {"client_secret": "", "private_key": KEY, "auth_method": "client_secret_basic"},
            "introspection.client_secret",
            id="a key, and a method with a secret",
        ),
        pytest.param({"private_key": "no key"}, "introspection.private_key", id="no key"),
        pytest.param({"endpoint": "http://a.example/i"}, "introspection.endpoint", id="http"),
    ],
)
def test_a_setting_that_is_not_allowed_is_named(changes: dict[str, Any], key: str) -> None:
    good: dict[str, Any] = {"client_id": "api", "client_secret": SECRET}
    with pytest.raises(ConfigurationError) as caught:
        Introspection(**(good | changes))
    assert caught.value.message.startswith(f"{key}: ")
    settings = Introspection(**good, endpoint="http://127.0.0.1:1/i", remember=300)
    assert settings.secret == Secret(SECRET)
    assert SECRET not in repr(settings)


@pytest.mark.parametrize(
    ("issuers", "named"),
    [
        pytest.param((ISSUER, "https://b.example"), "", id="one of two, unnamed"),
        pytest.param((ISSUER,), "https://b.example", id="another one"),
        pytest.param((ISSUER,), f"{ISSUER}/", id="with a slash"),
    ],
)
def test_it_is_never_a_guess_who_is_asked(issuers: tuple[str, ...], named: str) -> None:
    settings = Introspection(client_id="api", client_secret=SECRET, issuer=named)
    with pytest.raises(ConfigurationError, match=r"^introspection\.issuer: "):
        ResourceConfig(issuers=issuers, audience=AUDIENCE, introspection=settings)
    good = Introspection(client_id="api", client_secret=SECRET, issuer=issuers[0])
    ResourceConfig(issuers=issuers, audience=AUDIENCE, introspection=good)


def test_a_refusal_for_want_of_an_answer_is_a_warning_without_secrets(
    caplog: pytest.LogCaptureFixture,
) -> None:
    from codegrant.resource import ResourceServer

    caplog.set_level(logging.DEBUG)
    api = AskingApi()
    api.script.answers[ENDPOINT] = Response(
        status=401, body=b'{"error":"invalid_client","error_description":"%s"}' % SECRET.encode()
    )
    error: OAuthError = api.refuse("an-opaque-token")
    answer = ResourceServer(ISSUER, AUDIENCE).refuse(error)
    assert (answer.status, answer.headers.get("www-authenticate")) == (503, "")
    (record,) = caplog.records
    assert record.levelno == logging.WARNING
    assert "invalid_client" in record.getMessage()
    assert SECRET not in record.getMessage()
    assert "an-opaque-token" not in record.getMessage()
