"""Flask's test client as a browser that logs in at a mock provider."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

from flask.testing import FlaskClient
from werkzeug.test import Cookie, TestResponse

from tests.support.mock_provider import MockProvider

BASE = "http://127.0.0.1:5000"


def get(browser: FlaskClient, url: str, **more: Any) -> TestResponse:
    parts = urlsplit(url)
    base = f"{parts.scheme}://{parts.netloc}" if parts.netloc else BASE
    return browser.get(f"{parts.path}?{parts.query}", base_url=base, **more)


def cookies_of(browser: FlaskClient) -> list[Cookie]:
    return list((browser._cookies or {}).values())


def carry_cookies(source: FlaskClient, target: FlaskClient) -> None:
    """Let a browser go on at another worker."""
    for cookie in cookies_of(source):
        target.set_cookie(cookie.key, cookie.value, domain="127.0.0.1")


def log_in(browser: FlaskClient, provider: MockProvider, url: str = "/login") -> TestResponse:
    started = get(browser, url)
    assert started.status_code == 303, started.text
    return get(browser, provider.authorize(started.location))
