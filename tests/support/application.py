"""An application with a login at a provider, in either colour."""

from __future__ import annotations

import time
from typing import Any, Protocol

import httpx2

from codegrant import AsyncClient, Client, Identity, PendingLogin, ServerMetadata, Tokens
from codegrant.client.saved import SavedTokens
from codegrant.client.userinfo import UserInfo
from tests.support.colours import Colour
from tests.support.mock_provider import CLIENT_ID, CLIENT_SECRET, MockProvider

REDIRECT_URI = "https://app.example/callback"


class Authorizes(Protocol):
    """Browser and person in one: takes an authorization URL, returns the callback URL."""

    def authorize(self, url: str) -> str: ...


class Clock:
    """Shows the time, `ahead` of it by some seconds."""

    def __init__(self) -> None:
        self.ahead = 0

    def __call__(self) -> float:
        return time.time() + self.ahead


class Application:
    """Calls the client as an application does; `arguments` are those of `Client`."""

    def __init__(
        self, colour: Colour, server: str | ServerMetadata | MockProvider, **arguments: Any
    ) -> None:
        given: dict[str, Any] = {
            "client_id": CLIENT_ID,
            "client_secret": CLIENT_SECRET,
            "redirect_uri": REDIRECT_URI,
            "timeout": 5.0,
            **arguments,
        }
        issuer = server.issuer if isinstance(server, MockProvider) else server
        self.colour = colour
        self.client: Client | AsyncClient = (
            AsyncClient(issuer, **given) if colour.is_async else Client(issuer, **given)
        )

    def start(self, **arguments: Any) -> PendingLogin:
        return self.colour.wait(self.client.start_login(**arguments))

    def finish(self, callback_url: str, login: PendingLogin) -> Tokens:
        return self.colour.wait(self.client.finish_login(callback_url, login))

    def log_in(self, person: Authorizes, **arguments: Any) -> Tokens:
        login = self.start(**arguments)
        return self.finish(person.authorize(login.url), login)

    def userinfo(self, tokens: Tokens) -> UserInfo:
        return self.colour.wait(self.client.userinfo(tokens))

    def identity(self, tokens: Tokens) -> Identity:
        return self.colour.wait(self.client.identity(tokens))

    def refresh(self, tokens: Tokens) -> Tokens:
        return self.colour.wait(self.client.refresh(tokens))

    def revoke(self, tokens: Tokens) -> None:
        return self.colour.wait(self.client.revoke(tokens))

    def get(self, tokens: Tokens | SavedTokens, url: str, **options: Any) -> httpx2.Response:
        return self.colour.wait(self.client.api(tokens).get(url, **options))

    def close(self) -> None:
        if isinstance(self.client, AsyncClient):
            self.colour.finish(self.client.aclose())
        else:
            self.client.close()
