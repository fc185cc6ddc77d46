"""A callback that comes as a form, in a real browser: the provider's site is another one."""

from __future__ import annotations

from collections.abc import Iterator
from html import escape
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest
from playwright.sync_api import expect

from codegrant.client.memory import MemoryTokenStore
from tests.browser.conftest import NewContext
from tests.support.flask_site import FlaskSite
from tests.support.mock_provider import Answer, MockProvider, Received
from tests.support.website import make_client

pytestmark = pytest.mark.needs("chromium")


@pytest.fixture
def provider() -> Iterator[MockProvider]:
    """A provider on 127.0.0.1 that answers with a form, as browsers see it from localhost."""
    provider = MockProvider()

    def page(request: Received) -> Answer:
        callback = provider.authorize(f"{provider.origin}{request.target}")
        action, _, query = callback.partition("?")
        inputs = "".join(
            f'<input type="hidden" name="{escape(name)}" value="{escape(value)}">'
            for name, value in parse_qsl(query)
        )
        body = (
            '<!doctype html><title>Provider</title><link rel="icon" href="data:,">'
            f'<form method="post" action="{escape(action)}">{inputs}'
            '<button id="go">Continue</button></form>'
        )
        return Answer(200, body.encode(), [("content-type", "text/html; charset=utf-8")])

    provider.routes["/authorize"] = page
    yield provider
    provider.close()


@pytest.mark.parametrize("response_mode", ["form_post", None])
def test_a_form_of_another_site_ends_a_login_that_asked_for_it(
    provider: MockProvider, new_context: NewContext, tmp_path: Path, response_mode: str | None
) -> None:
    with FlaskSite(tmp_path / "site", host="localhost") as site:
        client = make_client(provider, response_mode=response_mode)
        site.app.add_url_rule("/who", view_func=lambda: site.login.identity.subject)
        site.start(client, store=MemoryTokenStore())
        context = new_context()
        page = context.new_page()
        page.goto(f"{site.origin}/login?return_to=/who")
        assert urlsplit(page.url).hostname == "127.0.0.1"
        page.click("#go")
        if response_mode is None:
            # The cookie of such a login does not come with a foreign form.
            expect(page.locator("#error-code")).to_have_text("state_posted")
            assert provider.count("/token") == 0
            return
        # On http at a loopback address, too, Chromium keeps the Secure cookie and brings it.
        expect(page.locator("body")).to_have_text("person-1")
        assert page.url == f"{site.origin}/who"
        kept = {str(one.get("name")): one for one in context.cookies()}
        (pending,) = (one for name, one in kept.items() if "cg-login-" in name)
        (session,) = (one for name, one in kept.items() if "cg-app-" in name)
        assert (pending.get("sameSite"), pending.get("secure")) == ("None", True)
        assert (session.get("sameSite"), session.get("secure")) == ("Lax", False)
        # Back, and the form once more: the same place, and no second token request.
        page.go_back()
        page.click("#go")
        expect(page.locator("body")).to_have_text("person-1")
        page.reload()
        expect(page.locator("body")).to_have_text("person-1")


def test_the_form_once_more_brings_back_no_session_of_before(
    provider: MockProvider, new_context: NewContext, tmp_path: Path
) -> None:
    """Nobody knows better than a real browser which cookies come with which request."""
    with FlaskSite(tmp_path / "site", host="localhost") as site:
        site.app.add_url_rule("/who", view_func=lambda: site.login.identity.subject)
        site.start(make_client(provider, response_mode="form_post"), store=MemoryTokenStore())
        context = new_context()
        older, newer = context.new_page(), context.new_page()
        for tab, person in ((older, "person-1"), (newer, "person-2")):
            provider.subject = person
            tab.goto(f"{site.origin}/login?return_to=/who")
            tab.click("#go")
            expect(tab.locator("body")).to_have_text(person)
        older.go_back()
        older.click("#go")
        expect(older.locator("body")).to_have_text("person-2")
        newer.goto(f"{site.origin}/logout")
        newer.click("#logout-yes")
        older.go_back()
        with older.expect_response(lambda answer: answer.url == f"{site.origin}/who") as led:
            older.click("#go")
        assert led.value.status == 303  # the same page, which sends to the login again
        assert not [one for one in context.cookies() if "cg-app-" in str(one.get("name"))]
        newer.goto(f"{site.origin}/who")
        assert urlsplit(newer.url).hostname == "127.0.0.1"
        assert provider.count("/token") == 2


def test_a_page_fetched_ahead_of_time_signs_nobody_out(
    provider: MockProvider, new_context: NewContext, tmp_path: Path
) -> None:
    rules = '{"prefetch":[{"source":"list","urls":["/logout"],"eagerness":"immediate"}]}'
    with FlaskSite(tmp_path / "site", host="localhost") as site:
        site.app.add_url_rule("/who", view_func=lambda: site.login.identity.subject)
        page_of_links = f'<script type="speculationrules">{rules}</script><a href="/logout">Out</a>'
        site.app.add_url_rule("/links", "links", lambda: page_of_links)
        site.start(make_client(provider, response_mode="form_post"), store=MemoryTokenStore())
        page = new_context().new_page()
        page.goto(f"{site.origin}/login?return_to=/links")
        page.click("#go")
        with page.expect_request_finished(lambda request: request.url.endswith("/logout")) as early:
            page.goto(f"{site.origin}/links")
        answer = early.value.response()
        assert answer is not None
        assert answer.status == 503
        page.goto(f"{site.origin}/who")
        expect(page.locator("body")).to_have_text("person-1")
        page.goto(f"{site.origin}/links")
        page.click("a")
        page.goto(f"{site.origin}/who")
        expect(page).to_have_title("Provider")
