"""A browser without a screen, for the one who plays the person. Layer: demo.

It keeps cookies by host, as browsers do whatever the port, follows 303s, and submits every
input of a form as it found it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from html.parser import HTMLParser
from http.client import HTTPConnection, HTTPException
from urllib.parse import urlencode, urljoin, urlsplit

from codegrant.demo.masking import FORM
from codegrant.errors import PeerError, TransportError

__all__ = ["Browser", "Page"]

_MOST_REDIRECTS = 10
_TIMEOUT = 15.0


@dataclass
class _Form:
    action: str
    fields: dict[str, str] = field(default_factory=dict[str, str])
    # By id: name and value of each button.
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])


class Page(HTMLParser):
    """A page: its address, its forms, and texts and links by element id."""

    def __init__(self, url: str, status: int, markup: str) -> None:
        super().__init__()
        self.url = url
        self.status = status
        self.forms: list[_Form] = []
        self.links: dict[str, str] = {}
        self._texts: dict[str, str] = {}
        self._inside = ""
        self.feed(markup)
        self.close()

    def text_of(self, element_id: str) -> str:
        """Return the text at the start of an element, or empty text."""
        return " ".join(self._texts.get(element_id, "").split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Take note of an element."""
        given = {name: value or "" for name, value in attrs}
        self._inside = given.get("id", "")
        match tag:
            case "a":
                self.links[self._inside] = urljoin(self.url, given.get("href", ""))
            case "form":
                self.forms.append(_Form(urljoin(self.url, given.get("action", ""))))
            case "button" if self.forms:
                value = (given.get("name", ""), given.get("value", ""))
                self.forms[-1].buttons[self._inside] = value
            case "input" if self.forms:
                self.forms[-1].fields[given.get("name", "")] = given.get("value", "")
            case _:
                pass

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002
        """Take note of the end of a text."""
        self._inside = ""

    def handle_data(self, data: str) -> None:
        """Take note of a text."""
        if self._inside:
            self._texts[self._inside] = self._texts.get(self._inside, "") + data


class Browser:
    """One browser with its cookies."""

    def __init__(self) -> None:
        self._cookies: dict[str, dict[str, str]] = {}

    def get(self, url: str) -> Page:
        """Return the page at an address, or where its redirects lead.

        Raises:
            TransportError: somebody does not answer.
            PeerError: the redirects do not end.
        """
        return self._go("GET", url, "")

    def submit(self, page: Page, button: str, typed: Mapping[str, str] | None = None) -> Page:
        """Press a button of the page's one form and return the page that it leads to.

        Args:
            page: with the form.
            button: its element id.
            typed: what is typed, by field.

        Raises:
            TransportError: somebody does not answer.
            PeerError: the page has no such form, or the redirects do not end.
        """
        form = page.forms[0] if len(page.forms) == 1 else _Form("")
        if button not in form.buttons or not set(typed or {}) <= set(form.fields):
            raise PeerError(f"{_place(page.url)}: no form with {button}", code="demo_failed")
        fields = {**form.fields, **(typed or {})}
        name, value = form.buttons[button]
        if name:
            fields[name] = value
        return self._go("POST", form.action, urlencode(fields))

    def _go(self, method: str, url: str, body: str) -> Page:
        for _ in range(_MOST_REDIRECTS):
            status, location, markup = self._send(method, url, body)
            if status != 303:
                return Page(url, status, markup)
            method, url, body = "GET", urljoin(url, location), ""
        raise PeerError(f"{_place(url)}: too many redirects", code="demo_failed")

    def _send(self, method: str, url: str, body: str) -> tuple[int, str, str]:
        """Return status, location and body of one answer."""
        parts = urlsplit(url)
        host = parts.hostname or ""
        headers = {"content-type": FORM} if method == "POST" else {}
        jar = self._cookies.setdefault(host, {})
        if jar:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in jar.items())
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        connection = HTTPConnection(host, parts.port, timeout=_TIMEOUT)
        try:
            connection.request(method, target, body or None, headers)
            answer = connection.getresponse()
            markup = answer.read().decode("utf-8", "replace")
        except (OSError, HTTPException) as error:
            raise TransportError(
                f"{_place(url)} does not answer: {type(error).__name__}", code="demo_failed"
            ) from None
        finally:
            connection.close()
        for line in answer.headers.get_all("set-cookie", []):
            _keep(jar, line)
        return answer.status, answer.headers.get("location", ""), markup


def _keep(jar: dict[str, str], line: str) -> None:
    """Set or drop a cookie. RFC 6265 §5.3."""
    pair, *attributes = (part.strip() for part in line.split(";"))
    name, _, value = pair.partition("=")
    if any(attribute.lower() == "max-age=0" for attribute in attributes):
        jar.pop(name, None)
    else:
        jar[name] = value


def _place(url: str) -> str:
    """Return an address without its query, which may hold a code."""
    return url.partition("?")[0]
