"""A browser without a screen: keeps cookies, follows 303s, submits forms as it finds them."""

from __future__ import annotations

import http.client
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urlencode, urljoin, urlsplit

from tests.support.leak_watch import WATCH

_REDIRECTS = {301, 302, 303, 307, 308}
_MOST_REDIRECTS = 20


@dataclass(frozen=True)
class Button:
    id: str
    name: str
    value: str


@dataclass
class Form:
    """One form, with every input as found."""

    action: str
    method: str
    fields: list[tuple[str, str]] = field(default_factory=list)
    buttons: list[Button] = field(default_factory=list)


@dataclass(frozen=True)
class Page:
    """An answer, and the address it came from."""

    url: str
    status: int
    headers: Sequence[tuple[str, str]]
    body: bytes

    def header(self, name: str) -> str:
        return next((value for key, value in self.headers if key == name.lower()), "")

    @property
    def text(self) -> str:
        return self.body.decode()

    @property
    def location(self) -> str:
        """Where a redirect leads, absolute; empty for another answer."""
        return urljoin(self.url, self.header("location")) if self.status in _REDIRECTS else ""

    @property
    def forms(self) -> list[Form]:
        return _parse(self).forms

    @property
    def form(self) -> Form:
        """The one form of the page."""
        (form,) = self.forms
        return form

    def form_with(self, button: str) -> Form:
        """The form that a button belongs to."""
        (form,) = (form for form in self.forms if any(b.id == button for b in form.buttons))
        return form

    def text_of(self, element_id: str) -> str:
        """Return the text of an element, which must be there."""
        return " ".join(_parse(self).texts[element_id].split())

    def has(self, element_id: str) -> bool:
        return element_id in _parse(self).texts


class Browser:
    """One browser.

    Args:
        within: the origins that it goes to by itself; a redirect to another one is returned.
        tls: for https.
        ours: whether the pages are ours, and answer for what they show.
    """

    def __init__(self, *within: str, tls: ssl.SSLContext | None = None, ours: bool = True) -> None:
        self.within = set(within)
        self.tls = tls
        self.ours = ours
        # By host: ports do not part cookies.
        self.cookies: dict[str, dict[str, str]] = {}
        self.sent: list[tuple[str, str]] = []

    def get(self, url: str, *, follow: bool = True) -> Page:
        return self._go("GET", url, None, follow=follow)

    def post(self, url: str, fields: Sequence[tuple[str, str]], *, follow: bool = True) -> Page:
        return self._go("POST", url, urlencode(fields), follow=follow)

    def submit(
        self,
        page: Page,
        values: Mapping[str, str] | None = None,
        *,
        button: str = "",
        follow: bool = True,
    ) -> Page:
        """Submit a form of a page.

        Args:
            values: what is typed, by field; each field must be there.
            button: id of the button that is pressed; by default the first of the one form.
        """
        form = page.form_with(button) if button else page.form
        typed = dict(values or {})
        fields = [(name, typed.pop(name, value)) for name, value in form.fields]
        assert not typed, f"the form has no field {sorted(typed)}"
        pressed = next(b for b in form.buttons if not button or b.id == button)
        if pressed.name:
            fields.append((pressed.name, pressed.value))
        if form.method == "post":
            return self.post(form.action, fields, follow=follow)
        return self.get(f"{form.action}?{urlencode(fields)}", follow=follow)

    def log_in(self, page: Page, username: str = "alice", password: str = "wonderland") -> Page:
        """Fill in the login page."""
        return self.submit(
            page, {"username": username, "password": password}, button="login-submit"
        )

    def allow(self, page: Page) -> Page:
        """Press Allow on the consent page."""
        return self.submit(page, button="consent-allow")

    def _go(self, method: str, url: str, body: str | None, *, follow: bool) -> Page:
        page = self._send(method, url, body)
        for _ in range(_MOST_REDIRECTS):
            if not follow or not page.location or _origin(page.location) not in self.within:
                return page
            same = page.status in {307, 308}
            page = self._send(method if same else "GET", page.location, body if same else None)
        raise AssertionError(f"more than {_MOST_REDIRECTS} redirects, the last to {page.url}")

    def _send(self, method: str, url: str, body: str | None) -> Page:
        parts = urlsplit(url)
        host = parts.hostname or ""
        connection = (
            http.client.HTTPSConnection(host, parts.port, context=self.tls, timeout=20)
            if parts.scheme == "https"
            else http.client.HTTPConnection(host, parts.port, timeout=20)
        )
        headers = {}
        cookies = self.cookies.get(host, {})
        if cookies:
            headers["cookie"] = "; ".join(f"{name}={value}" for name, value in cookies.items())
        if body is not None:
            headers["content-type"] = "application/x-www-form-urlencoded"
        target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
        self.sent.append((method, url))
        try:
            connection.request(method, target, body, headers)
            answer = connection.getresponse()
            pairs = [(name.lower(), value) for name, value in answer.getheaders()]
            page = Page(url, answer.status, pairs, answer.read())
            if self.ours and page.header("content-type").startswith("text/html"):
                WATCH.show_page(parts.path, page.body)
        finally:
            connection.close()
        given = [value for name, value in pairs if name == "set-cookie"]
        if self.ours:
            WATCH.keep_way(page.location, given)
        self._keep_cookies(host, given)
        return page

    def _keep_cookies(self, host: str, lines: Sequence[str]) -> None:
        jar = self.cookies.setdefault(host, {})
        for line in lines:
            pair, *attributes = (part.strip() for part in line.split(";"))
            name, _, value = pair.partition("=")
            gone = any(a.lower() == "max-age=0" for a in attributes)
            jar.pop(name, None)
            if not gone:
                jar[name] = value


def _origin(url: str) -> str:
    parts = urlsplit(url)
    return f"{parts.scheme}://{parts.netloc}"


class _Parser(HTMLParser):
    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.forms: list[Form] = []
        self.texts: dict[str, str] = {}
        self._open: list[tuple[str, str]] = []
        self._inside: Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        element_id = given.get("id", "")
        if element_id:
            self.texts[element_id] = ""
        if tag not in _VOID:
            self._open.append((tag, element_id))
        if tag == "form":
            action = urljoin(self.url, given.get("action") or self.url)
            self._inside = Form(action, given.get("method", "get").lower())
            self.forms.append(self._inside)
        elif self._inside is not None and tag in {"input", "button"}:
            self._add(self._inside, tag, given)

    def _add(self, form: Form, tag: str, given: Mapping[str, str]) -> None:
        kind = given.get("type", "submit" if tag == "button" else "text")
        name, value = given.get("name", ""), given.get("value", "")
        if kind == "submit":
            form.buttons.append(Button(given.get("id", ""), name, value))
        elif kind in {"checkbox", "radio"}:
            if "checked" in given:
                form.fields.append((name, value or "on"))
        elif kind != "button" and name:
            form.fields.append((name, value))

    def handle_endtag(self, tag: str) -> None:
        while self._open:
            open_tag, _ = self._open.pop()
            if open_tag == tag:
                break
        if tag == "form":
            self._inside = None

    def handle_data(self, data: str) -> None:
        for _, element_id in self._open:
            if element_id:
                self.texts[element_id] += data


_VOID = {"area", "base", "br", "col", "embed", "hr", "img", "input", "link", "meta", "wbr"}


def _parse(page: Page) -> _Parser:
    parser = _Parser(page.url)
    parser.feed(page.text)
    parser.close()
    return parser
