"""The command: runs the three parties until it is told to stop, or plays the person. Layer: demo.

Whatever ends it, its folder goes.
"""

from __future__ import annotations

import signal
import time
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from typing import NoReturn

from codegrant.demo.browser import Browser, Page
from codegrant.demo.parties import EMAIL, NAME, PASSWORD, USERNAME, Parties, start_parties
from codegrant.demo.steps import Step, draw, tell
from codegrant.errors import PeerError

__all__ = ["run"]


def run(headless: bool, port: int | None) -> int:  # noqa: FBT001
    """Run the demo and return its exit status.

    Args:
        headless: play the person, print what was said, and end.
        port: of the application; 0 for any free one, None for 8400 or the next free one.

    Raises:
        ConfigurationError: the port is taken.
        PeerError: the login did not go as it must.
        TransportError: a party does not answer.
        KeyboardInterrupt: a signal came before a headless run was over.
    """
    try:
        with _signals_interrupt(), start_parties(port=port) as parties:
            print(f"codegrant: demo at {parties.application}/", flush=True)
            if headless:
                steps = _play(parties)
                print("\n".join(_lines(steps)))
                print("codegrant: demo finished", flush=True)
                return 0
            print(f"log in as {USERNAME} / {PASSWORD}; stop with Ctrl-C", flush=True)
            _wait()
    except KeyboardInterrupt:
        if headless:
            raise
        return 0


@contextmanager
def _signals_interrupt() -> Generator[None, None, None]:
    """Make signals interrupt once: a second one must not disturb the clearing up."""
    named = [getattr(signal, name, None) for name in ("SIGINT", "SIGTERM", "SIGHUP")]
    numbers = [number for number in named if number is not None]

    def interrupt(*_: object) -> NoReturn:
        for number in numbers:
            signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = [signal.signal(number, interrupt) for number in numbers]
    try:
        yield
    finally:
        for number, handler in zip(numbers, before, strict=True):
            signal.signal(number, handler)


def _wait() -> NoReturn:
    while True:
        time.sleep(86_400)


def _play(parties: Parties) -> Sequence[Step]:
    """Log in as the person would, and return the six steps.

    Raises:
        PeerError: something else came than must.
    """
    browser = Browser()
    page = _expect(browser.get(f"{parties.application}/"), "sign-in")
    page = _expect(browser.get(page.links["sign-in"]), "")
    page = browser.submit(page, "login-submit", {"username": USERNAME, "password": PASSWORD})
    page = browser.submit(_expect(page, ""), "consent-allow")
    seen = (page.text_of("profile-name"), page.text_of("profile-email"))
    if page.status != 200 or seen != (NAME, EMAIL):
        raise _failed(page)
    steps = tell(parties.setup, parties.recorder.find_newest())
    for step in steps[2:]:
        if not step.exchanges:
            raise PeerError(f"step {step.number}: nothing was said", code="demo_failed")
    return steps


def _expect(page: Page, link: str) -> Page:
    """Return the page, if it is a good one and has the link."""
    if page.status != 200 or (link and link not in page.links):
        raise _failed(page)
    return page


def _failed(page: Page) -> PeerError:
    """Return the error for a page that is not the expected one; its own words help most."""
    said = page.text_of("error-description") or page.text_of("login-error") or "another page"
    place = page.url.partition("?")[0]
    return PeerError(f"{place} answered {page.status}: {said}", code="demo_failed")


def _lines(steps: Sequence[Step]) -> Iterator[str]:
    """Yield the steps as text."""
    for step in steps:
        yield f"step {step.number}: {step.title}"
        yield from _indented(step.code, 2)
        yield from _indented(step.facts, 2)
        for arrow in draw(step.exchanges):
            yield f"  {arrow.sender} -> {arrow.receiver}"
            yield from _indented(arrow.message.text, 4)


def _indented(text: str, depth: int) -> Iterator[str]:
    for line in text.splitlines():
        yield f"{' ' * depth}{line}".rstrip()
