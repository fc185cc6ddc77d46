"""A web login without a framework and without sockets of its own, and browsers that visit it."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping
from typing import Any
from urllib.parse import unquote, urljoin, urlsplit

from codegrant import Client, KeyRing
from codegrant.client.memory import MemoryTokenStore
from codegrant.flow import Effect, RandomBytes, run
from codegrant.http import Headers, Request, Response
from codegrant.web.login import WebLogin
from codegrant.web.login_effects import AtProvider, Pause
from codegrant.web.login_sessions import SignedIn
from tests.support.mock_provider import CLIENT_ID, CLIENT_SECRET, MockProvider

RING = KeyRing(["w" * 32])
ORIGIN = "http://127.0.0.1:5000"


def make_client(provider: MockProvider, **arguments: Any) -> Client:
    return Client(
        provider.issuer,
        **{"client_id": CLIENT_ID, "client_secret": CLIENT_SECRET, "timeout": 5.0, **arguments},
    )


class Website:
    """Performs the effects of a `WebLogin`; `arguments` are those of that class."""

    def __init__(
        self,
        clients: Mapping[str, Client],
        *,
        ring: KeyRing = RING,
        store: MemoryTokenStore | None = None,
        mount: str = "",
        **arguments: Any,
    ) -> None:
        self.clients = clients
        self.now = int(time.time())
        self.store = store or MemoryTokenStore()
        self.mount = mount
        self.pauses = 0
        self.on_pause: Callable[[], object] = lambda: None
        self.before: Callable[[Effect[Any]], object] = lambda _: None
        self.after: Callable[[Effect[Any]], object] = lambda _: None
        self.asked: list[str] = []
        flows = {name: client.flows for name, client in clients.items()}
        self.web = WebLogin(flows, lambda: ring, **arguments)

    def perform(self, effect: Effect[Any]) -> Any:
        self.before(effect)
        match effect:
            case AtProvider(name, start):
                self.asked.append(name)
                return run(start(), self.clients[name].perform)
            case Pause():
                self.pauses += 1
                return self.on_pause()
            case RandomBytes(size=size):
                return os.urandom(size)
            case _:
                answer = self.store.perform(effect)
                self.after(effect)
                return answer

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Request:
        parts = urlsplit(url)
        return Request(
            method=method,
            url=f"{parts.scheme}://{parts.netloc}{parts.path}",
            path=unquote(parts.path.removeprefix(self.mount)),
            query=parts.query,
            headers=Headers(headers or {}),
            body=body,
        )

    def respond(self, request: Request) -> Response:
        return run(self.web.respond(request, self.now), self.perform)

    def signed_in(self, request: Request) -> SignedIn | None:
        return run(self.web.find_signed_in(request, self.now), self.perform)


class Visitor:
    """One browser: keeps cookies by host, follows nothing."""

    def __init__(self, site: Website, root: str = ORIGIN) -> None:
        self.site = site
        self.root = root
        self.jar: dict[str, dict[str, str]] = {}

    @property
    def cookies(self) -> dict[str, str]:
        return self.jar.setdefault(urlsplit(self.root).hostname or "", {})

    @property
    def session(self) -> str | None:
        return next((v for name, v in self.cookies.items() if "cg-app-" in name), None)

    @property
    def pending(self) -> list[str]:
        return [name for name in self.cookies if "cg-login-" in name]

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Request:
        url = urljoin(self.root, url)
        jar = self.jar.get(urlsplit(url).hostname or "", {})
        sent = {"cookie": "; ".join(f"{n}={v}" for n, v in jar.items())} if jar else {}
        return self.site.request(method, url, {**sent, **(headers or {})}, body)

    def send(
        self, method: str, url: str, headers: Mapping[str, str] | None = None, body: bytes = b""
    ) -> Response:
        request = self.request(method, url, headers, body)
        response = self.site.respond(request)
        jar = self.jar.setdefault(urlsplit(request.url).hostname or "", {})
        for line in response.headers.get_all("set-cookie"):
            pair, _, attributes = line.partition(";")
            name, _, value = pair.partition("=")
            jar.pop(name, None)
            if "Max-Age=0;" not in attributes:
                jar[name] = value
        return response

    def get(self, url: str, headers: Mapping[str, str] | None = None) -> Response:
        return self.send("GET", url, headers)

    def start(self, url: str = "/login") -> str:
        """Start a login and return the address that the browser is sent to."""
        response = self.get(url)
        assert response.status == 303, response.body
        return response.headers.get("location")

    def log_in(self, provider: MockProvider, url: str = "/login") -> Response:
        return self.get(provider.authorize(self.start(url)))

    def who(self) -> SignedIn | None:
        return self.site.signed_in(self.request("GET", "/"))


def code_of(response: Response) -> str:
    """Return the error code that a failure page shows."""
    _, found, rest = response.body.decode().partition('<code id="error-code">')
    return rest.partition("<")[0] if found else ""


def retry_of(response: Response) -> str:
    """Return the address of a failure page's button."""
    return response.body.decode().partition('id="retry" href="')[2].partition('"')[0]
