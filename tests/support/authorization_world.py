"""A server with its clients and a browser in which alice is logged in, for the front channel."""

from __future__ import annotations

from typing import NamedTuple

from tests.support.browser import Browser, Page
from tests.support.relying_party import RelyingParty, register
from tests.support.serving import Serving

CALLBACK = "https://app.example/callback"
NATIVE = "http://127.0.0.1/callback"


class World(NamedTuple):
    """One server, its clients, and the browser in which alice is logged in.

    Attributes:
        trusted: nobody is asked; a GET of alice's is answered with a code at once.
        asking: confidential, asks for consent.
        native: public, on loopback.
        refreshing: not registered for the code grant.
    """

    server: Serving
    alice: Browser
    trusted: RelyingParty
    asking: RelyingParty
    native: RelyingParty
    refreshing: RelyingParty


def build_world(server: Serving) -> World:
    """Register the clients at a server that knows alice, and log her in."""
    trusted = register(server, "trusted", "--skip-consent")
    alice = trusted.new_browser()
    trusted.authorize(alice)
    return World(
        server,
        alice,
        trusted,
        register(server, "asking", "--name", "The Asking App"),
        register(
            server,
            *("native", "--public", "--native", "--name", "A native app"),
            redirect_uri=NATIVE,
        ),
        register(server, "refreshing", "--grant", "refresh_token"),
    )


def error_code(page: Page) -> str:
    """Return the code of an error page, which leads nowhere."""
    assert page.status == 400, (page.status, page.text)
    assert not page.header("location")
    assert page.header("content-type") == "text/html; charset=utf-8"
    return page.text_of("error-code")


def cookies_of(browser: Browser) -> dict[str, str]:
    jar = browser.cookies["127.0.0.1"]
    return {"cookie": "; ".join(f"{name}={value}" for name, value in jar.items())}
