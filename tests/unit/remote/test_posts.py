from __future__ import annotations

from collections.abc import Sequence

import pytest

from codegrant.errors import ConfigurationError, TransportError, UsageError
from codegrant.http import Response
from codegrant.messages.client_authentication import (
    BasicCredentials,
    ClientCredentials,
    PostCredentials,
    PublicCredentials,
    parse_client_authentication,
)
from codegrant.messages.parameters import Parameters
from codegrant.remote.posts import METHODS, authenticated_post, choose_method
from codegrant.secret import Secret
from tests.support.scripted import Script

URL = "https://as.example/token"
SECRET = Secret("s3cret:of%the+client ü")


def post(script: Script, method: str, *, guarded: bool = False) -> Response:
    return script.run(
        authenticated_post(
            URL,
            [("code", "a b&c"), ("resource", "x"), ("resource", "y")],
            method=method,
            client_id="app",
            secret=SECRET,
            stage="token",
            guarded=guarded,
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


def test_a_method_that_is_not_ours_sends_nothing() -> None:
    script = Script()
    with pytest.raises(UsageError):
        post(script, "private_key_jwt")
    assert script.sent == []


@pytest.mark.parametrize(
    ("configured", "secret", "supported", "method"),
    [
        ("client_secret_post", SECRET, ["client_secret_basic"], "client_secret_post"),
        ("none", None, ["client_secret_basic"], "none"),
        (None, None, [], "none"),
        (None, None, ["client_secret_basic"], "none"),
        (None, SECRET, [], "client_secret_basic"),
        (None, SECRET, list(reversed(METHODS)), "client_secret_basic"),
        (None, SECRET, ["private_key_jwt", "client_secret_post"], "client_secret_post"),
    ],
)
def test_the_method_is_configured_else_listed_with_basic_first(
    configured: str | None, secret: Secret | None, supported: Sequence[str], method: str
) -> None:
    assert choose_method(configured, secret, supported) == method


@pytest.mark.parametrize("supported", [["none"], ["private_key_jwt"], ["Client_Secret_Basic"]])
def test_a_server_that_takes_no_method_of_ours_is_named(supported: list[str]) -> None:
    with pytest.raises(ConfigurationError) as refused:
        choose_method(None, SECRET, supported)
    assert f"the server takes {supported[0]}" in refused.value.message
    assert "s3cret" not in str(refused.value)
