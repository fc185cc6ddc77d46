"""A person in front of a browser who is sent to a running `codegrant serve`."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.support.browser import Browser


@dataclass
class Person:
    """Somebody with an account at `issuer`; each journey starts in a fresh browser.

    Args:
        button: what they press on the consent page.
    """

    issuer: str
    username: str = "alice"
    password: str = "wonderland"
    button: str = "consent-allow"

    def authorize(self, url: str) -> str:
        """Follow an authorization URL through every page; return where it leads in the end."""
        parts = urlsplit(self.issuer)
        browser = Browser(f"{parts.scheme}://{parts.netloc}")
        page = browser.get(url)
        if page.has("login-submit"):
            page = browser.log_in(page, self.username, self.password)
        if page.has("consent-allow"):
            page = browser.submit(page, button=self.button)
        assert page.status == 303, (page.status, page.text)
        return page.location
