"""A server described by hand, without discovery and without OpenID: plain OAuth 2."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, TypeAlias

import pytest

from codegrant import (
    CallbackRejected,
    CodegrantError,
    Refused,
    ResponseRejected,
    ServerMetadata,
    UsageError,
)
from tests.support.application import Application
from tests.support.colours import Colour
from tests.support.mock_provider import Answer, Lie, MockProvider, Received, as_json, running
from tests.support.person import Person
from tests.support.protected_api import ProtectedApi
from tests.support.relying_party import RelyingParty, register
from tests.support.serving import Serving

AUDIENCE = "https://api.example/"


def describe(issuer: str) -> ServerMetadata:
    """Return what a program writes that knows two addresses of a server, and no more."""
    return ServerMetadata(
        authorization_endpoint=f"{issuer}/authorize", token_endpoint=f"{issuer}/token"
    )


@dataclass(frozen=True)
class House:
    issuer: str
    subject: str
    api: ProtectedApi
    confidential: RelyingParty
    public: RelyingParty

    @property
    def alice(self) -> Person:
        return Person(self.issuer)


@pytest.fixture(scope="module")
def house(tmp_path_factory: pytest.TempPathFactory) -> Iterator[House]:
    with Serving(tmp_path_factory.mktemp("plain")).start() as server:
        subject = server.add_user()
        server.run("resources", "add", AUDIENCE, "--id", "api", "--scope", "read admin")
        common = ("--scope", "read", "--default-scope", "read", "--audience", AUDIENCE)
        confidential = register(server, "plain", *common)
        public = register(server, "plain-public", "--public", *common)
        api = ProtectedApi(server.issuer, AUDIENCE)
        yield House(server.issuer, subject, api, confidential, public)
        api.close()


@pytest.fixture(scope="module")
def provider() -> Iterator[MockProvider]:
    """An old server: no `iss`, and a token response with nothing that the RFC does not ask for."""
    provider = MockProvider()
    with running(provider):
        provider.callback = Lie({"iss": None})
        provider.token = Lie({"token_type": "bearer", "refresh_token": None, "scope": None})
        yield provider


Apply: TypeAlias = Callable[..., Application]


@pytest.fixture
def apply(colour: Colour, ca_file: str) -> Iterator[Apply]:
    made: list[Application] = []

    def make(server: ServerMetadata, party: RelyingParty | None = None, **more: Any) -> Application:
        registered = (
            {} if party is None else
            {"client_id": party.client_id, "client_secret": party.secret or None}
        )  # fmt: skip
        made.append(Application(colour, server, **{**registered, "ca_file": ca_file, **more}))
        return made[-1]

    yield make
    for application in made:
        application.close()


@pytest.mark.parametrize("kind", ["confidential", "public"])
@pytest.mark.parametrize("names_issuer", [True, False], ids=["issuer", "no issuer"])
def test_a_described_server_gives_tokens_for_an_api_and_no_identity(
    house: House, apply: Apply, kind: str, names_issuer: bool
) -> None:
    described = describe(house.issuer)
    if names_issuer:
        described = replace(described, issuer=house.issuer)
    app = apply(described, house.confidential if kind == "confidential" else house.public)
    tokens = app.log_in(house.alice, scope="read")
    assert (tokens.identity, tokens.id_token) == (None, None)
    assert tokens.scope == {"read"}
    assert tokens.missing_scope == frozenset()
    assert tokens.issuer == (house.issuer if names_issuer else "")
    assert app.get(tokens, f"{house.api.origin}/profile").json()["subject"] == house.subject
    assert app.get(tokens, f"{house.api.origin}/admin").status_code == 403
    for call in (app.userinfo, lambda tokens: tokens.claims):
        with pytest.raises(UsageError) as caught:
            call(tokens)
        assert caught.value.code == "no_identity"


def test_a_login_without_scope_gets_the_registered_one(house: House, apply: Apply) -> None:
    app = apply(describe(house.issuer), house.confidential)
    login = app.start()
    assert "scope=" not in login.url
    assert "nonce=" not in login.url
    assert app.finish(house.alice.authorize(login.url), login).scope == {"read"}


@pytest.mark.parametrize(
    ("change", "arguments", "expected"),
    [
        pytest.param({}, {"client_secret": "w" * 43}, (Refused, "invalid_client"), id="secret"),
        pytest.param(
            {"issuer": "https://other.example"}, {}, (CallbackRejected, "iss_mismatch"), id="issuer"
        ),
        pytest.param(
            {"token_endpoint": "{}/nowhere"}, {}, (ResponseRejected, "not_json"), id="404"
        ),
        pytest.param(
            {"token_endpoint": "{}/login"}, {}, (ResponseRejected, "not_json"), id="a page"
        ),
        pytest.param({}, {"scope": "write"}, (Refused, "invalid_scope"), id="scope"),
        pytest.param({}, {"scope": "openid read"}, (UsageError, "no_keys"), id="openid"),
    ],
)
def test_a_wrong_description_or_registration_is_a_typed_error(
    house: House,
    apply: Apply,
    change: Mapping[str, str],
    arguments: Mapping[str, str],
    expected: tuple[type[CodegrantError], str],
) -> None:
    changes = {name: value.format(house.issuer) for name, value in change.items()}
    described = replace(describe(house.issuer), **changes)  # type: ignore[arg-type]
    app = apply(described, house.confidential, **arguments)
    with pytest.raises(CodegrantError) as caught:
        app.log_in(house.alice)
    assert (type(caught.value), caught.value.code) == expected
    assert apply(describe(house.issuer), house.confidential).log_in(house.alice).scope == {"read"}


def test_a_person_may_deny(house: House, apply: Apply) -> None:
    app = apply(describe(house.issuer), house.public)
    unwilling = Person(house.issuer, button="consent-deny")
    with pytest.raises(Refused) as caught:
        app.log_in(unwilling, prompt="consent")
    assert (caught.value.error, caught.value.stage) == ("access_denied", "callback")


def test_an_old_server_is_spoken_to_as_well(apply: Apply, provider: MockProvider) -> None:
    def profile(request: Received) -> Answer:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        subject = provider.access_tokens.get(token) if scheme == "Bearer" else None
        return as_json({"login": subject}) if subject else as_json({}, 401)

    provider.routes["/profile"] = profile
    app = apply(describe(provider.issuer))
    tokens = app.log_in(provider, scope="profile repo")
    assert (tokens.identity, tokens.issuer, tokens.token_type) == (None, "", "Bearer")
    assert tokens.scope == {"profile", "repo"}
    assert app.get(tokens, f"{provider.origin}/profile").json() == {"login": provider.subject}
    assert provider.count("/.well-known/openid-configuration") == 0
    other = replace(tokens, client_id="somebody-else")
    with pytest.raises(UsageError, match="another client"):
        app.get(other, f"{provider.origin}/profile")


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param(
            as_json({"error": "bad_verification_code"}),
            (Refused, "code_refused"),
            id="200 with an error",
        ),
        pytest.param(
            Answer(200, b"access_token=a&token_type=bearer"),
            (ResponseRejected, "not_json"),
            id="a form in place of JSON",
        ),
        pytest.param(
            as_json({"access_token": "a", "token_type": "mac"}),
            (ResponseRejected, "token_type_unknown"),
            id="another kind of token",
        ),
    ],
)
def test_an_old_server_that_answers_something_else_is_refused(
    apply: Apply,
    provider: MockProvider,
    answer: Answer,
    expected: tuple[type[CodegrantError], str],
) -> None:
    app, truth = apply(describe(provider.issuer)), provider.routes["/token"]
    provider.routes["/token"] = lambda _: answer
    with pytest.raises(CodegrantError) as caught:
        app.log_in(provider, scope="repo")
    provider.routes["/token"] = truth
    assert (type(caught.value), caught.value.code) == expected
    assert app.log_in(provider, scope="repo").scope == {"repo"}


def test_an_iss_that_a_described_server_does_send_is_compared(
    apply: Apply, provider: MockProvider
) -> None:
    truth = provider.callback
    app = apply(replace(describe(provider.issuer), issuer=provider.issuer))
    provider.callback = Lie({"iss": "https://other.example"})
    with pytest.raises(CallbackRejected) as caught:
        app.log_in(provider, scope="repo")
    assert caught.value.code == "iss_mismatch"
    provider.callback = Lie()
    assert app.log_in(provider, scope="repo").issuer == provider.issuer
    provider.callback = truth
    assert app.log_in(provider, scope="repo").issuer == provider.issuer
