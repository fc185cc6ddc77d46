"""What the browser tests ask of a page, whatever it shows."""

from __future__ import annotations

from playwright.sync_api import Page


def log_in(page: Page, username: str = "alice", password: str = "wonderland") -> None:
    page.get_by_label("Username").fill(username)
    page.get_by_label("Password").fill(password)
    page.get_by_role("button", name="Sign in").click()


def has_focus_ring(page: Page) -> bool:
    """Return whether what has the focus shows it."""
    style: list[str] = page.evaluate(
        "() => { const s = getComputedStyle(document.activeElement);"
        " return [s.outlineStyle, s.outlineWidth]; }"
    )
    return style[0] == "solid" and float(style[1].removesuffix("px")) >= 2


def overflow(page: Page) -> int:
    """Return how far the page could be scrolled sideways."""
    width: int = page.evaluate(
        "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"
    )
    return width


def is_dark(page: Page) -> bool:
    """Return whether the ground is darker than the text."""
    ground, text = page.evaluate(
        """() => ['backgroundColor', 'color'].map(name =>
            getComputedStyle(document.body)[name].match(/\\d+/g).slice(0, 3)
                .reduce((sum, part) => sum + Number(part), 0))"""
    )
    return bool(ground < text)
