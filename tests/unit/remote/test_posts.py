from __future__ import annotations

from collections.abc import Sequence

import pytest

from codegrant.errors import ConfigurationError, TransportError, UsageError
from codegrant.http import Headers, Request, Response
from codegrant.jose import PrivateKey, parse_jwt, verify_signature
from codegrant.messages.client_authentication import (
    BasicCredentials,
    ClientCredentials,
    PostCredentials,
    PublicCredentials,
    parse_client_authentication,
)
from codegrant.messages.parameters import Parameters
from codegrant.remote.client_assertion import ClientKey
from codegrant.remote.posts import (
    METHODS,
    ClientAuthentication,
    authenticated_post,
    choose_method,
)
from codegrant.secret import Secret
from tests.support.scripted import Script

URL = "https://as.example/token"
NOW = 1_800_000_000
KEY = ClientKey((PrivateKey.generate("ES256"),))
SECRET = Secret("s3cret:of%the+client ü")


def post(script: Script, method: str, *, guarded: bool = False) -> Response:
    return script.run(
        authenticated_post(
            URL,
            [("code", "a b&c"), ("resource", "x"), ("resource", "y")],
            client=ClientAuthentication(
                client_id="app",
                method=method,
                secret=SECRET,
                key=KEY,
                audience="https://as.example",
                guarded=guarded,
            ),
            stage="token",
            now=NOW,
            headers=[("x-more", "1")],
        )
    )


@pytest.mark.parametrize(
    ("method", "credentials"),
    [
        ("client_secret_basic", BasicCredentials("app", SECRET)),
        ("client_secret_post", PostCredentials("app", SECRET)),
        ("none", PublicCredentials("app")),
    ],
)
def test_a_form_is_posted_as_the_client(method: str, credentials: ClientCredentials) -> None:
    script = Script({URL: Response(status=418)})
    assert post(script, method).status == 418
    (sent,) = script.sent
    form = Parameters.parse(sent.request.body)
    found = parse_client_authentication(sent.request.headers, form)
    assert (type(found), found) == (type(credentials), credentials)
    assert (form.single("code"), form.all("resource")) == ("a b&c", ("x", "y"))
    assert (sent.request.method, sent.request.url) == ("POST", URL)
    assert sent.request.headers.get("content-type") == "application/x-www-form-urlencoded"
    assert sent.request.headers.get("accept") == "application/json"
    assert sent.request.headers.get("x-more") == "1"
    assert not sent.guarded


def test_a_post_to_an_untrusted_address_is_guarded() -> None:
    script = Script({URL: Response(status=200)})
    post(script, "none", guarded=True)
    assert script.sent[0].guarded


@pytest.mark.parametrize(("stage", "said"), [("", "token"), ("elsewhere", "elsewhere")])
def test_a_failure_says_at_which_stage_it_happened(stage: str, said: str) -> None:
    script = Script({URL: TransportError("no", code="timeout", stage=stage)})
    with pytest.raises(TransportError) as failed:
        post(script, "none")
    assert failed.value.stage == said


def assertion_of(request: Request) -> str:
    form = Parameters.parse(request.body)
    assert form.single("client_id") == "app"
    kind = form.single("client_assertion_type")
    assert kind == "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
    return form.single("client_assertion") or ""


def test_a_key_signs_an_assertion_for_each_post_and_sends_no_secret() -> None:
    script = Script({URL: Response(status=418)})
    for _ in range(2):
        post(script, "private_key_jwt")
    first, second = (assertion_of(sent.request) for sent in script.sent)
    claims = [
        verify_signature(parse_jwt(each), [KEY.keys[0].public]).claims for each in (first, second)
    ]
    assert claims[0]["jti"] != claims[1]["jti"]
    assert all(each["aud"] == "https://as.example" for each in claims)
    for sent in script.sent:
        assert "authorization" not in sent.request.headers
        assert SECRET.reveal().encode() not in sent.request.body
        assert Parameters.parse(sent.request.body).single("client_secret") is None


def test_an_answer_that_repeats_the_assertion_is_told_without_it() -> None:
    def echo(request: Request) -> Response:
        assertion = assertion_of(request)
        told = Headers([("www-authenticate", f'Bearer error="invalid_client {assertion}"')])
        return Response(status=400, headers=told, body=f"no: {assertion}".encode())

    answer = post(Script({URL: echo}), "private_key_jwt")
    assert answer.body == b"no: ***"
    assert answer.headers.get("www-authenticate") == 'Bearer error="invalid_client ***"'


@pytest.mark.parametrize("method", ["client_secret_jwt", "tls_client_auth", ""])
def test_a_method_that_is_not_ours_sends_nothing(method: str) -> None:
    script = Script()
    with pytest.raises(UsageError):
        post(script, method)
    assert script.sent == []


@pytest.mark.parametrize(
    ("configured", "secret", "key", "supported", "method"),
    [
        ("client_secret_post", SECRET, None, ["client_secret_basic"], "client_secret_post"),
        ("none", None, None, ["client_secret_basic"], "none"),
        ("client_secret_basic", SECRET, KEY, ["private_key_jwt"], "client_secret_basic"),
        (None, None, None, [], "none"),
        (None, None, None, ["client_secret_basic"], "none"),
        (None, SECRET, None, [], "client_secret_basic"),
        (None, SECRET, None, list(reversed(METHODS)), "client_secret_basic"),
        (None, SECRET, None, ["private_key_jwt", "client_secret_post"], "client_secret_post"),
        (None, None, KEY, [], "private_key_jwt"),
        (None, None, KEY, list(reversed(METHODS)), "private_key_jwt"),
        (None, SECRET, KEY, [], "client_secret_basic"),
        (None, SECRET, KEY, list(METHODS), "private_key_jwt"),
        (None, SECRET, KEY, ["client_secret_post"], "client_secret_post"),
    ],
)
def test_the_method_is_configured_else_listed_with_a_key_first_and_basic_next(
    configured: str | None,
    secret: Secret | None,
    key: ClientKey | None,
    supported: Sequence[str],
    method: str,
) -> None:
    assert choose_method(configured, secret=secret, key=key, supported=supported) == method


@pytest.mark.parametrize(
    ("secret", "key", "supported", "usable"),
    [
        (SECRET, None, ["none"], "a secret can use client_secret_basic or client_secret_post"),
        (SECRET, None, ["private_key_jwt"], "a secret can use"),
        (SECRET, None, ["Client_Secret_Basic"], "a secret can use"),
        (None, KEY, ["client_secret_basic", "none"], "a key can use private_key_jwt"),
        (SECRET, KEY, ["client_secret_jwt"], "a key and a secret can use private_key_jwt or"),
    ],
)
def test_a_server_that_takes_no_method_of_ours_is_named(
    secret: Secret | None, key: ClientKey | None, supported: list[str], usable: str
) -> None:
    with pytest.raises(ConfigurationError) as refused:
        choose_method(None, secret=secret, key=key, supported=supported)
    assert f"the server takes {', '.join(supported)}" in refused.value.message
    assert usable in refused.value.message
    assert "s3cret" not in str(refused.value)


def test_what_every_post_has_is_made_once_and_shows_no_secret() -> None:
    client = ClientAuthentication(client_id="app", method="client_secret_basic", secret=SECRET)
    script = Script({URL: Response(status=200)})
    for more in ((), (("dpop", "proof"),), ()):
        script.run(authenticated_post(URL, [], client=client, stage="token", now=NOW, headers=more))
    first, proven, last = (one.request for one in script.sent)
    assert first.headers is last.headers
    assert proven.headers.pairs() == (*first.headers.pairs(), ("dpop", "proof"))
    assert "authorization" in first.headers
    assert SECRET.reveal() not in repr(client)
    assert first.headers.get("authorization") not in repr(client)
