"""What a browser calls itself, in a few words of our own. Layer: accounts, no I/O.

Only words of the tables below ever come out, so that nothing of a header is kept or shown.
"""

from __future__ import annotations

__all__ = ["describe_browser"]

_LONGEST = 512

# Each browser also bears the names of those below it; the first that is found is right.
_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "macOS"),
    ("Linux", "Linux"),
)


def describe_browser(user_agent: str) -> str:
    """Return browser and system of a `User-Agent`, for example `Firefox on Windows`.

    Either may be missing, and the whole is empty for one that is not known. It helps a
    person to tell their browsers apart and proves nothing.

    RFC 9110 §10.1.5.
    """
    text = user_agent[:_LONGEST]
    browser = next((name for mark, name in _BROWSERS if mark in text), "")
    system = next((name for mark, name in _SYSTEMS if mark in text), "")
    if browser and system:
        return f"{browser} on {system}"
    return browser or system
