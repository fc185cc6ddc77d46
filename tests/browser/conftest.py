"""What the browser tests share: one Chromium per module, and contexts that end with the test."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, sync_playwright

NewContext = Callable[..., BrowserContext]

_FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)


@pytest.fixture(scope="module")
def chromium(services: Mapping[str, str]) -> Iterator[Browser]:
    """Return a running Chromium. Playwright's event loop ends with the module."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=services["chromium"], args=list(_FLAGS), timeout=30_000
        )
        yield browser
        browser.close()


@pytest.fixture
def new_context(chromium: Browser) -> Iterator[NewContext]:
    """Return a function that starts a browser without cookies; all of them end with the test."""
    with ExitStack() as stack:

        def start(**options: Any) -> BrowserContext:
            context = chromium.new_context(**options)
            context.set_default_timeout(15_000)
            stack.callback(context.close)
            return context

        yield start
