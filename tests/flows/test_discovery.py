from __future__ import annotations

from typing import Any

import pytest

from codegrant.errors import CodegrantError, MetadataRejected, TransportError, UsageError
from codegrant.http import Headers, Response
from codegrant.remote.discovery import Discovery
from tests.support.scripted import Script, json_response

NOW = 1_800_000_000
HOUR = 3600
ISSUER = "https://issuer.example/tenant"
OPENID = "https://issuer.example/tenant/.well-known/openid-configuration"
OAUTH = "https://issuer.example/.well-known/oauth-authorization-server/tenant"
DOWN = TransportError("no connection", code="connect_failed")


def document(**members: object) -> dict[str, object]:
    truth: dict[str, object] = {
        "issuer": ISSUER,
        "authorization_endpoint": f"{ISSUER}/authorize",
        "token_endpoint": f"{ISSUER}/token",
        "jwks_uri": f"{ISSUER}/jwks",
        "response_types_supported": ["code"],
        "code_challenge_methods_supported": ["S256"],
    }
    return {k: v for k, v in {**truth, **members}.items() if v is not None}


def refusal(script: Script, **members: Any) -> CodegrantError:
    with pytest.raises(CodegrantError) as caught:
        script.run(Discovery(ISSUER, **members).find(NOW))
    return caught.value


def test_nothing_is_fetched_before_it_is_asked_for_and_then_once() -> None:
    script = Script({OPENID: json_response(document())})
    discovery = Discovery(ISSUER)
    assert script.urls == []
    for later in (0, 1, HOUR - 1):
        server = script.run(discovery.find(NOW + later))
        assert server.metadata.token_endpoint == f"{ISSUER}/token"
    assert script.urls == [OPENID]
    assert script.sent[0].request.headers.get("accept") == "application/json"


@pytest.mark.parametrize(
    "first",
    [
        pytest.param(Response(status=404), id="404"),
        pytest.param(Response(status=302, headers=Headers([("location", OAUTH)])), id="redirect"),
        pytest.param(Response(status=200, body=b"<html>"), id="a page"),
        pytest.param(Response(status=200, body=b'{"issuer":1,"issuer":2}'), id="bad JSON"),
    ],
)
def test_the_oauth_address_is_tried_second(first: Response) -> None:
    script = Script({OPENID: first, OAUTH: json_response(document())})
    assert script.run(Discovery(ISSUER).find(NOW)).metadata.issuer == ISSUER
    assert script.urls == [OPENID, OAUTH]


def test_no_document_anywhere_names_both_addresses() -> None:
    error = refusal(Script({OPENID: Response(status=200, body=b"<html>")}))
    assert isinstance(error, MetadataRejected)
    assert (error.code, error.stage) == ("discovery_failed", "discovery")
    assert OPENID in error.message
    assert OAUTH in error.message
    assert error.hint


@pytest.mark.parametrize("path", [OPENID, OAUTH])
@pytest.mark.parametrize(
    "other",
    [
        pytest.param("https://issuer.example/tenant/", id="slash"),
        pytest.param("https://ISSUER.example/tenant", id="case"),
        pytest.param("https://issuer.example:443/tenant", id="default port"),
        pytest.param("https://issuer.example", id="prefix"),
        pytest.param("https://issuer.example/tenant2", id="longer"),
        pytest.param("https://evil.example/tenant", id="another"),
        pytest.param(None, id="none"),
    ],
)
def test_another_issuer_is_refused_on_each_path(path: str, other: str | None) -> None:
    error = refusal(Script({path: json_response(document(issuer=other))}))
    assert isinstance(error, MetadataRejected)
    fine = Script({path: json_response(document())})
    assert fine.run(Discovery(ISSUER).find(NOW)).metadata.issuer == ISSUER


@pytest.mark.parametrize(
    ("member", "value"),
    [
        ("authorization_endpoint", "javascript:alert(1)"),
        ("authorization_endpoint", "http://issuer.example/authorize"),
        ("token_endpoint", "file:///etc/passwd"),
        ("token_endpoint", "http://issuer.example/token"),
        ("token_endpoint", "https://user:pass@issuer.example/token"),
        ("jwks_uri", "data:application/json,{}"),
        ("jwks_uri", "http://issuer.example/jwks"),
        ("userinfo_endpoint", "//issuer.example/userinfo"),
    ],
)
def test_an_endpoint_that_is_neither_https_nor_loopback_is_refused(member: str, value: str) -> None:
    error = refusal(Script({OPENID: json_response(document(**{member: value}))}))
    assert isinstance(error, MetadataRejected)


@pytest.mark.parametrize("methods", [None, ["plain"]])
def test_a_server_without_s256_is_refused_unless_that_is_allowed(methods: list[str] | None) -> None:
    answers = {OPENID: json_response(document(code_challenge_methods_supported=methods))}
    assert isinstance(refusal(Script(answers)), MetadataRejected)
    lenient = Script(answers)
    found = lenient.run(Discovery(ISSUER, missing_s256="report").find(NOW))
    assert found.metadata.issuer == ISSUER
    assert "S256" in lenient.reports[0].event
    indifferent = Script(answers)
    found = indifferent.run(Discovery(ISSUER, missing_s256="ignore").find(NOW))
    assert found.metadata.issuer == ISSUER
    assert indifferent.reports == []


@pytest.mark.parametrize(
    "answer", [DOWN, Response(status=503), Response(status=500), Response(status=429)]
)
def test_an_outage_at_the_first_login_is_a_transport_error(answer: Response | Exception) -> None:
    error = refusal(Script({OPENID: answer}))
    assert isinstance(error, TransportError)
    assert error.stage == "discovery"


@pytest.mark.parametrize("answer", [DOWN, Response(status=503), Response(status=404)])
def test_old_metadata_serves_through_an_outage_and_one_in_a_minute_tries(
    answer: Response | Exception,
) -> None:
    script = Script({OPENID: json_response(document())})
    discovery = Discovery(ISSUER)
    before = script.run(discovery.find(NOW))
    script.answers[OPENID] = answer
    for later in (HOUR, HOUR + 1, HOUR + 59, HOUR + 60):
        assert script.run(discovery.find(NOW + later)) is before
    assert script.urls.count(OPENID) == 3
    assert [report.fields["age"] for report in script.reports] == [HOUR, HOUR + 60]
    script.answers[OPENID] = json_response(document(token_endpoint=f"{ISSUER}/token2"))
    after = script.run(discovery.find(NOW + 2 * HOUR))
    assert after.metadata.token_endpoint == f"{ISSUER}/token2"


def test_old_metadata_does_not_serve_for_ever() -> None:
    script = Script({OPENID: json_response(document())})
    discovery = Discovery(ISSUER)
    script.run(discovery.find(NOW))
    script.answers[OPENID] = DOWN
    last = NOW + 7 * 24 * HOUR - 1
    assert script.run(discovery.find(last)).metadata.issuer == ISSUER
    for later in (1, 2, 59):  # within the minute of that attempt
        with pytest.raises(TransportError):
            script.run(discovery.find(last + later))
    script.answers[OPENID] = json_response(document())
    assert script.run(discovery.find(last + 59)).metadata.issuer == ISSUER


@pytest.mark.parametrize(
    ("said", "fresh_for"),
    [
        pytest.param("", HOUR, id="nothing"),
        pytest.param("public, max-age=7200", 2 * HOUR, id="two hours"),
        pytest.param("max-age=0", 300, id="never less than five minutes"),
        pytest.param("max-age=999999999", 24 * HOUR, id="never more than a day"),
        pytest.param("no-max-age=7", HOUR, id="another directive"),
        pytest.param("max-age=-5", HOUR, id="nonsense"),
    ],
)
def test_the_server_says_how_long_within_bounds(said: str, fresh_for: int) -> None:
    script = Script({OPENID: json_response(document(), cache_control=said)})
    discovery = Discovery(ISSUER)
    for later, fetches in ((0, 1), (fresh_for - 1, 1), (fresh_for, 2)):
        script.run(discovery.find(NOW + later))
        assert len(script.sent) == fetches


@pytest.mark.parametrize("guarded", [False, True])
def test_an_untrusted_issuer_is_fetched_with_guard(guarded: bool) -> None:
    script = Script({OPENID: json_response(document())})
    script.run(Discovery(ISSUER, guarded=guarded).find(NOW))
    assert script.sent[0].guarded is guarded


@pytest.mark.parametrize(
    "issuer",
    [
        "http://issuer.example",
        "ftp://issuer.example",
        "https://issuer.example?a=b",
        "https://issuer.example#f",
        "issuer.example",
        "",
    ],
)
def test_what_is_no_issuer_is_refused_at_once(issuer: str) -> None:
    with pytest.raises(UsageError):
        Discovery(issuer)
