"""`accounts.browsers`: known names in our own words, and nothing of anybody else's."""

from __future__ import annotations

import pytest

from codegrant.accounts.browsers import describe_browser

WEBKIT = "AppleWebKit/537.36 (KHTML, like Gecko)"
CHROME = f"Mozilla/5.0 (Windows NT 10.0; Win64; x64) {WEBKIT} Chrome/156.0.0.0 Safari/537.36"
IPHONE = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0 like Mac OS X) AppleWebKit/605.1.15"
ANDROID = f"Mozilla/5.0 (Linux; Android 16; Pixel 9) {WEBKIT}"


@pytest.mark.parametrize(
    ("user_agent", "words"),
    [
        pytest.param(CHROME, "Chrome on Windows", id="Chrome"),
        pytest.param(f"{CHROME} Edg/156.0.0.0", "Edge on Windows", id="Edge"),
        pytest.param(f"{CHROME} OPR/120.0", "Opera on Windows", id="Opera"),
        pytest.param(
            "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0",
            "Firefox on Linux",
            id="Firefox",
        ),
        pytest.param(
            "Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/26.0 Safari/605.1.15",
            "Safari on macOS",
            id="Safari",
        ),
        pytest.param(f"{IPHONE} Version/18.0 Safari/604.1", "Safari on iPhone", id="iPhone"),
        pytest.param(f"{IPHONE} CriOS/156.0 Safari/604.1", "Chrome on iPhone", id="Chrome there"),
        pytest.param(f"{IPHONE} FxiOS/140.0 Safari/605.1", "Firefox on iPhone", id="Firefox there"),
        pytest.param(f"{ANDROID} Chrome/156.0 Safari/537.36", "Chrome on Android", id="Android"),
        pytest.param(
            f"{ANDROID} SamsungBrowser/28.0 Chrome/130.0 Safari/537.36",
            "Samsung Internet on Android",
            id="Samsung",
        ),
        pytest.param("Mozilla/5.0 (X11; CrOS x86_64)", "ChromeOS", id="a system alone"),
        pytest.param("Firefox/140.0", "Firefox", id="a browser alone"),
    ],
)
def test_a_known_browser_has_a_name(user_agent: str, words: str) -> None:
    assert describe_browser(user_agent) == words


@pytest.mark.parametrize(
    "user_agent",
    [
        pytest.param("", id="none"),
        pytest.param("curl/8.0", id="a program"),
        pytest.param("<script>alert(1)</script>", id="markup"),
        pytest.param("x" * 100_000 + "Firefox/140.0", id="too far away"),
        pytest.param("firefox on windowS", id="our words"),
        pytest.param("\xff\x00\ud800", id="no text"),
    ],
)
def test_what_is_not_known_has_none(user_agent: str) -> None:
    assert describe_browser(user_agent) == ""


def test_nothing_of_the_header_comes_out() -> None:
    assert describe_browser(f"{CHROME} <b>secret</b>") == "Chrome on Windows"
