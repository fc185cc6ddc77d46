"""An application and its provider over time: refreshed, signed out, logged in anew."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

import flask
import pytest

from codegrant import Client, LoginRequired, Refused, Tokens
from tests.support.application import Clock
from tests.support.asgi_site import AsgiSite, FastApiSite
from tests.support.browser import Browser, Page
from tests.support.flask_site import FlaskSite
from tests.support.serving import Serving


class House(NamedTuple):
    """An application at a server, its clock, and the tokens that its page has had."""

    server: Serving
    site: FlaskSite | AsgiSite
    client: Client
    clock: Clock
    seen: list[Tokens]

    @property
    def url(self) -> str:
        return f"{self.site.origin}/profile"

    def log_in(self) -> Browser:
        self.clock.ahead = 0
        browser = Browser(self.server.issuer, self.site.origin)
        page = browser.get(self.url)
        page = browser.log_in(page) if page.has("login-submit") else page
        page = browser.allow(page) if page.has("consent-allow") else page
        assert page.has("subject")
        return browser

    def look(self, browser: Browser) -> Page:
        return browser.get(self.url, follow=False)


@contextmanager
def flask_house(server: Serving, folder: Path, ca_file: str) -> Iterator[House]:
    clock, seen = Clock(), list[Tokens]()
    with FlaskSite(folder) as site:

        @site.app.after_request
        def note(response: flask.Response) -> flask.Response:
            if flask.request.path == "/profile" and response.status_code == 200:
                seen.append(site.login.tokens)
            return response

        client = site.register(server, "refreshing", ca_file=ca_file, clock=clock)
        site.start(client, clock=clock)
        yield House(server, site, client, clock, seen)


@contextmanager
def asgi_house(server: Serving, folder: Path, ca_file: str, site: AsgiSite) -> Iterator[House]:
    clock, seen = Clock(), list[Tokens]()
    with site:
        site.told = seen.append
        served = site.register(server, f"refreshing-{folder.name}", ca_file=ca_file, clock=clock)
        site.start(served, clock=clock)
        config = served.flows.config
        with Client(  # to look at tokens with
            config.server,
            client_id=config.client_id,
            client_secret=config.client_secret,
            ca_file=ca_file,
            clock=clock,
        ) as client:
            yield House(server, site, client, clock, seen)


@pytest.fixture(scope="module", params=["flask", "starlette", "fastapi"])
def house(
    request: pytest.FixtureRequest,
    shared_server: Serving,
    tmp_path_factory: pytest.TempPathFactory,
    ca_file: str,
) -> Iterator[House]:
    folder = tmp_path_factory.mktemp("site")
    if request.param == "flask":
        made = flask_house(shared_server, folder, ca_file)
    else:
        site = AsgiSite(folder) if request.param == "starlette" else FastApiSite(folder)
        made = asgi_house(shared_server, folder, ca_file, site)
    with made as house:
        yield house


def test_a_session_outlives_its_access_tokens(house: House) -> None:
    browser = house.log_in()
    first = house.seen[-1]
    house.clock.ahead = 275  # late for the application, early for the server
    assert house.look(browser).status == 200
    second = house.seen[-1]
    assert second.access_token != first.access_token
    assert second.refresh_token != first.refresh_token
    assert second.verified_identity().subject == first.verified_identity().subject
    assert house.look(browser).status == 200
    assert house.seen[-1] == second


@pytest.mark.requirement("CL-TOK-12")
def test_signing_out_leaves_no_token_of_the_session_alive(house: House) -> None:
    browser, other = house.log_in(), house.log_in()
    ended = house.seen[-2]
    assert house.client.userinfo(ended).sub
    logout = browser.get(f"{house.site.origin}/logout", follow=False)
    browser.submit(logout, follow=False)
    assert house.look(browser).status == 303
    with pytest.raises(Refused):
        house.client.userinfo(ended)
    assert house.look(other).status == 200


@pytest.mark.requirement("CL-TOK-08")
def test_tokens_that_were_revoked_elsewhere_lead_through_a_login_and_back(house: House) -> None:
    browser = house.log_in()
    registered = house.client.flows.config
    with Client(  # which shares nothing with the application's but its registration
        registered.server,
        client_id=registered.client_id,
        client_secret=registered.client_secret,
    ) as elsewhere:
        elsewhere.revoke(house.seen[-1])
    house.clock.ahead = 275  # late for the application, and the login is no longer brand-new
    back = house.look(browser)
    assert (back.status, back.location.endswith("/login?return_to=%2Fprofile")) == (303, True)
    with pytest.raises(LoginRequired):
        house.client.refresh(house.seen[-1])
    page = browser.get(back.location)
    assert (page.status, page.url) == (200, house.url)
