"""oidc-provider (npm) as the provider of a web login: form_post, and logout both ways."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import pytest

from codegrant import Client
from tests.interop.conftest import AWKWARD_SECRET
from tests.interop.oidc_provider_server import describe_client, open_provider
from tests.support.browser import Browser, Page
from tests.support.flask_site import FlaskSite

pytestmark = [
    pytest.mark.needs("node"),
    pytest.mark.not_watched("a form_post page of the provider shows the code, as it must"),
]


class Street(NamedTuple):
    """Two shops whose people log in at one provider, and a browser in front of them."""

    issuer: str
    one: FlaskSite
    two: FlaskSite
    browser: Browser

    def log_in(self, site: FlaskSite) -> list[Page]:
        """Log in, and return the pages on the way; the last is the shop's."""
        pages = [self.browser.get(f"{site.origin}/login?return_to=/who")]
        while not pages[-1].url.startswith(f"{site.origin}/who"):
            form = pages[-1].form
            asked = {name for name, _ in form.fields}
            typed = {"login": "alice", "password": "any"} if "login" in asked else {}
            pages.append(self.browser.submit(pages[-1], typed))
        return pages

    def who(self, site: FlaskSite) -> str:
        return self.browser.get(f"{site.origin}/who").text


@pytest.fixture
def street(node: str, ca_file: str, tmp_path: Path) -> Iterator[Street]:
    with ExitStack() as stack:
        sites: list[FlaskSite] = []
        for name in ("one", "two"):
            (tmp_path / name).mkdir()
            sites.append(stack.enter_context(FlaskSite(tmp_path / name, host="localhost")))
        described = [
            {
                **describe_client(name, "client_secret_basic"),
                "redirect_uris": [f"{site.origin}/callback"],
                "post_logout_redirect_uris": [f"{site.origin}/logout/done"],
                "backchannel_logout_uri": f"{site.origin}/logout/backchannel",
                "backchannel_logout_session_required": True,
            }
            for name, site in zip(("one", "two"), sites, strict=True)
        ]
        provider = stack.enter_context(open_provider(node, described, ["RS256"]))
        issuer = str(provider.ready["issuer"])
        for name, site in zip(("one", "two"), sites, strict=True):

            def who(site: FlaskSite = site) -> str:
                current = site.login.current
                return current.identity.subject if current else "nobody"

            site.app.add_url_rule("/who", view_func=who)
            client = Client(
                issuer,
                client_id=name,
                client_secret=AWKWARD_SECRET,
                scope="openid",
                response_mode="form_post",
                ca_file=ca_file,
            )
            site.start(client, logout="provider")
        browser = Browser(issuer, *(site.origin for site in sites), ours=False)
        yield Street(issuer, sites[0], sites[1], browser)


def test_a_callback_comes_as_a_form(street: Street) -> None:
    pages = street.log_in(street.one)
    form = pages[-2].form
    assert form.action == f"{street.one.origin}/callback"
    assert {name for name, _ in form.fields} == {"code", "state", "iss"}
    assert pages[-1].text == "alice"
    # Its reload sends the form again.
    assert street.browser.submit(pages[-2]).text == "alice"


def test_signing_out_in_one_shop_signs_out_at_the_provider_and_in_the_other_shop(
    street: Street,
) -> None:
    street.log_in(street.one)
    street.log_in(street.two)
    assert (street.who(street.one), street.who(street.two)) == ("alice", "alice")
    asked = street.browser.post(f"{street.one.origin}/logout", [])
    assert asked.url.startswith(f"{street.issuer}/session/end?")
    assert street.who(street.one) == "nobody"  # the session here ends first
    assert street.who(street.two) == "alice"
    form = asked.form
    home = street.browser.post(form.action, [*form.fields, ("logout", "yes")])
    assert (home.status, home.url) == (200, f"{street.one.origin}/")
    way = [url for _, url in street.browser.sent[-3:]]
    assert way[-2].startswith(f"{street.one.origin}/logout/done?state=")
    # The provider has told the other shop, which its browser has not visited meanwhile.
    assert street.who(street.two) == "nobody"
    assert "login" in {
        name for name, _ in street.browser.get(f"{street.one.origin}/login").form.fields
    }
