"""The programs of `docs/calling-apis.md` and `docs/other-grants.md`, run as they stand."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from codegrant import Client
from tests.flows.conftest import MakeApplication
from tests.support.documents import ROOT, example
from tests.support.mock_provider import CLIENT_SECRET, as_json
from tests.support.other_grants import DEVICE, EXCHANGE, GrantsProvider
from tests.support.picky_api import PickyApi

CALLS, GRANTS = ROOT / "docs/calling-apis.md", ROOT / "docs/other-grants.md"


@pytest.fixture
def provider() -> Iterator[GrantsProvider]:
    provider = GrantsProvider()
    yield provider
    provider.close()


@pytest.fixture
def api(provider: GrantsProvider) -> Iterator[PickyApi]:
    api = PickyApi(provider)
    api.routes["/me"] = lambda request: api.me(request)._replace(body=b"the profile")
    yield api
    api.close()


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[Client]]:
    """The clients that a program makes, which nobody else would close."""
    made: list[Client] = []
    truth = Client.__init__

    def note(self: Client, *given: Any, **more: Any) -> None:
        truth(self, *given, **more)
        made.append(self)

    monkeypatch.setattr(Client, "__init__", note)
    yield made
    for client in made:
        client.close()


def run(name: str, document: Path, provider: GrantsProvider, api: PickyApi) -> dict[str, Any]:
    """Return what a program of the document has made, at servers on ports of their own."""
    text = example(name, document).text
    text = text.replace("http://127.0.0.1:8080", provider.issuer)
    text = text.replace("http://127.0.0.1:9000", api.origin)
    names: dict[str, Any] = {}
    exec(text.replace("the secret of the client", CLIENT_SECRET), names)  # noqa: S102
    return names


@pytest.mark.parametrize(
    ("name", "colour"),
    [("with_requests.py", "sync"), ("with_httpx.py", "async")],
    indirect=["colour"],
)
@pytest.mark.parametrize("refused", [False, True])
def test_a_program_calls_an_api_with_its_own_http_client(
    make_app: MakeApplication, provider: GrantsProvider, api: PickyApi, name: str, refused: bool
) -> None:
    app = make_app(provider)
    tokens = app.log_in(provider)
    if refused:
        api.refused.add(tokens.access_token.reveal())
    program = run(name, CALLS, provider, api)
    told = app.colour.wait(program["read_profile"](app.client, tokens, api.url))
    assert told == "the profile"
    assert len(provider.sent("refresh_token")) == int(refused)


@pytest.mark.parametrize("colour", ["sync"], indirect=True)
def test_a_login_asks_for_what_the_api_takes(
    make_app: MakeApplication, provider: GrantsProvider, api: PickyApi
) -> None:
    told = {
        "resource": api.url,
        "authorization_servers": [provider.issuer],
        "scopes_supported": ["notes:read"],
    }
    place = api.url.replace(api.origin, "/.well-known/oauth-protected-resource")
    api.routes[place] = lambda _: as_json(told)
    program = run("ask_first.py", CALLS, provider, api)
    login = program["start_login_for"](make_app(provider).client, api.url)
    assert login.scope == ("openid", "notes:read")
    assert login.resource == (api.url,)


def test_a_nightly_job_calls_an_api(
    provider: GrantsProvider,
    api: PickyApi,
    made: list[Client],
    capsys: pytest.CaptureFixture[str],
) -> None:
    run("nightly.py", GRANTS, provider, api)
    assert capsys.readouterr().out == "the profile\n"
    (sent,) = provider.sent("client_credentials")
    assert (sent["scope"], sent["resource"]) == ("reports.read", "https://api.example")


def test_a_television_logs_a_person_in(
    provider: GrantsProvider,
    api: PickyApi,
    made: list[Client],
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waited: list[float] = []
    monkeypatch.setattr("codegrant.remote.sync.sleep", waited.append)
    provider.decisions = ["authorization_pending"]
    run("television.py", GRANTS, provider, api)
    assert capsys.readouterr().out == (
        f"Open {provider.issuer}/enter and enter WDJB-MJHT\nWelcome, person-1\n"
    )
    assert waited == [5, 5]
    assert len(provider.sent(DEVICE)) == 2


def test_an_api_exchanges_the_token_that_it_received(
    provider: GrantsProvider, api: PickyApi, made: list[Client]
) -> None:
    client = Client(provider.issuer, client_id="app", client_secret=CLIENT_SECRET)
    received = client.client_credentials().access_token
    program = run("exchange.py", GRANTS, provider, api)
    assert program["call_another_api"](client, received) == "the profile"
    (sent,) = provider.sent(EXCHANGE)
    assert (sent["audience"], sent["scope"]) == ("https://other.example", "read")
    assert received.reveal() not in api.tokens()
