"""The programs of `docs/resource-server.md`, with a token of a running server."""

from __future__ import annotations

import asyncio
import shlex
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

import httpx2
import pytest

from codegrant import Client, OAuthError
from codegrant.resource import AsyncResourceServer, ResourceServer
from tests.support.documents import DOCUMENTS, example, read_examples
from tests.support.person import Person
from tests.support.serving import Serving

(DOCUMENT,) = (file for file in DOCUMENTS if file.name == "resource-server.md")
REDIRECT_URI = "https://app.example/callback"


@pytest.fixture(scope="module")
def secrets(shared_server: Serving) -> Mapping[str, str]:
    """Return the secrets of API and application; the document's commands were run."""
    commands = read_examples(DOCUMENT)[0]
    assert commands.language == "sh"
    api, app = (
        shared_server.run(*shlex.split(line)[1:]).json
        for line in commands.text.replace("\\\n", " ").splitlines()
    )
    return {"api": api["client_secret"], "app": app["client_secret"]}


@pytest.fixture(scope="module")
def tokens(shared_server: Serving, secrets: Mapping[str, str]) -> Iterator[Callable[[str], str]]:
    """Return a function from a scope to an access token."""
    client = Client(
        shared_server.issuer,
        client_id="app",
        client_secret=secrets["app"],
        redirect_uri=REDIRECT_URI,
    )
    person = Person(shared_server.issuer)

    def log_in(scope: str) -> str:
        login = client.start_login(scope=scope, resource="https://api.example")
        return client.finish_login(person.authorize(login.url), login).access_token.reveal()

    yield log_in
    client.close()


MADE: list[ResourceServer | AsyncResourceServer] = []


@pytest.fixture(autouse=True)
def _closing(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Close what a program leaves open: it would live as long as its process."""

    def sync(*arguments: Any, **more: Any) -> ResourceServer:
        MADE.append(server := ResourceServer(*arguments, **more))
        return server

    def aio(*arguments: Any, **more: Any) -> AsyncResourceServer:
        MADE.append(server := AsyncResourceServer(*arguments, **more))
        return server

    monkeypatch.setattr("codegrant.resource.ResourceServer", sync)
    monkeypatch.setattr("codegrant.resource.AsyncResourceServer", aio)
    yield
    for server in MADE:
        if isinstance(server, ResourceServer):
            server.close()
    MADE.clear()


def run_example(name: str, issuer: str) -> dict[str, Any]:
    """Return the names of a program that was run, at a server on another port."""
    names: dict[str, Any] = {"__name__": name.removesuffix(".py")}
    source = example(name, DOCUMENT).text.replace("http://127.0.0.1:8080", issuer)
    exec(compile(source, name, "exec"), names)  # noqa: S102 - our own documentation
    return names


def ask_flask(names: Mapping[str, Any], bearers: Sequence[str]) -> list[tuple[int, str]]:
    """Return status and text for each token."""
    client = names["app"].test_client()
    headers = [{"authorization": f"Bearer {bearer}"} for bearer in bearers]
    answers = [client.get("/profile", headers=one) for one in headers]
    return [(answer.status_code, answer.text) for answer in answers]


def ask_asgi(names: Mapping[str, Any], bearers: Sequence[str]) -> list[tuple[int, str]]:
    """As `ask_flask`; the program's connections are closed in the loop that opened them."""

    async def ask() -> list[httpx2.Response]:
        transport = httpx2.ASGITransport(names["app"])
        headers = [{"authorization": f"Bearer {bearer}"} for bearer in bearers]
        try:
            async with httpx2.AsyncClient(transport=transport, base_url="http://api") as client:
                return [await client.get("/profile", headers=one) for one in headers]
        finally:
            for server in MADE:
                if isinstance(server, AsyncResourceServer):
                    await server.aclose()

    return [(answer.status_code, answer.text) for answer in asyncio.run(ask())]


@pytest.mark.parametrize(
    ("name", "ask"),
    [
        pytest.param("flask_api.py", ask_flask, id="flask"),
        pytest.param("starlette_api.py", ask_asgi, id="starlette"),
        pytest.param("plain_asgi.py", ask_asgi, id="asgi"),
    ],
)
def test_each_api_takes_its_own_tokens(
    shared_server: Serving,
    tokens: Callable[[str], str],
    name: str,
    ask: Callable[[Mapping[str, Any], Sequence[str]], list[tuple[int, str]]],
) -> None:
    names = run_example(name, shared_server.issuer)
    bearers = [tokens("openid profile"), tokens("openid orders"), "not-a-token"]
    good, weak, bad = ask(names, bearers)
    assert good[0] == 200
    assert "person-" in good[1]
    assert (weak[0], bad[0]) == (403, 401)


def test_without_an_adapter_the_answer_is_told_as_well(
    shared_server: Serving, tokens: Callable[[str], str], capsys: pytest.CaptureFixture[str]
) -> None:
    names = run_example("without_adapter.py", shared_server.issuer)
    assert capsys.readouterr().out.startswith("401 Bearer")
    assert names["who_calls"](tokens("openid profile")).startswith("person-")
    assert names["who_calls"](tokens("openid orders")).startswith("403 Bearer")


@pytest.mark.requirement("RS-INT-01")
def test_an_api_asks_about_what_is_no_jwt(
    shared_server: Serving,
    tokens: Callable[[str], str],
    secrets: Mapping[str, str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("API_SECRET", secrets["api"])
    server = run_example("asking_api.py", shared_server.issuer)["server"]
    assert server.verify(tokens("openid profile"), ["profile"]).client_id == "app"
    with pytest.raises(OAuthError) as refused:
        server.verify("not-a-token")
    assert refused.value.facts["code"] == "token_inactive", "the issuer was asked"
