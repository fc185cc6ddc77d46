"""A whole issuer on a real database, and browsers that use its pages as a person would.

Everything is what `codegrant serve` runs but for the sockets: `Site`, SQLite, Argon2id.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cache
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit

from codegrant.accounts.effects import AddAccount, HashPassword, UpdateAccount, VerifyPassword
from codegrant.accounts.hashing import PasswordHasher
from codegrant.accounts.records import Account
from codegrant.accounts.site import Site
from codegrant.flow import Effect, run
from codegrant.http import Headers, Request, Response
from codegrant.secret import Secret, digest_of
from codegrant.server.administration import AddClient, UpdateClient
from codegrant.server.events import Event
from codegrant.server.policy import Policy
from codegrant.server.records import ClientRecord
from codegrant.stores.sqlite import SqliteStore
from codegrant.web.performer import ServerPerformer
from tests.flows.authorization_server import (
    CALLBACK,
    KEY_RING,
    NOW,
    SECRET,
    VERIFIER,
    authorization_parameters,
    basic,
)
from tests.support.leak_watch import WATCH

FORM_TYPE = ("content-type", "application/x-www-form-urlencoded")
PASSWORDS = {"alice": "wonderland", "bob": "a builder's password"}

CLIENTS = (
    ClientRecord(
        client_id="a",
        client_name="Application <A>",
        secret_digest=digest_of(SECRET),
        redirect_uris=(CALLBACK,),
        scope=("openid", "profile", "email", "offline_access", "read"),
    ),
    ClientRecord(
        client_id="trusted",
        secret_digest=digest_of(SECRET),
        redirect_uris=("https://trusted.test/cb",),
        skip_consent=True,
    ),
    ClientRecord(
        client_id="native",
        token_endpoint_auth_method="none",
        application_type="native",
        redirect_uris=("http://127.0.0.1/cb",),
    ),
)


@cache
def hashed(password: str) -> str:
    """Return the PHC text of a password, made once."""
    return PasswordHasher().perform(HashPassword(Secret(password)))


def account(username: str, **changes: Any) -> Account:
    """Return the account of a person of these tests."""
    fields: dict[str, Any] = {
        "subject": f"person-{username}",
        "username": username,
        "username_key": username,
        "password_hash": hashed(PASSWORDS[username]),
        "name": username.title(),
        "email": f"{username}@people.test",
        "created_at": NOW - 100,
        "updated_at": NOW - 100,
    }
    return Account(**(fields | changes))


class House:
    """One issuer, its database, its people; `events` and `effects` keep what went by."""

    def __init__(
        self,
        issuer: str = "https://issuer.test",
        *,
        database: str | Path = ":memory:",
        **settings: Any,
    ) -> None:
        self.policy = Policy(issuer=issuer, **settings)
        self.site = Site.build(self.policy, KEY_RING)
        self.store = SqliteStore.open(database)
        self.hasher = PasswordHasher()
        self.events: list[Event] = []
        self.effects: list[Effect[Any]] = []
        self.broken: dict[type[Effect[Any]], Exception] = {}
        self.before: dict[type[Effect[Any]], Any] = {}
        self.now = NOW
        self._performer = ServerPerformer(self.store, self.hasher, (self.events.append,))
        for client in CLIENTS:
            self.perform(AddClient(client))
        for username in PASSWORDS:
            self.perform(AddAccount(account(username)))

    def close(self) -> None:
        """Give back the database and the thread."""
        self.store.close()
        self.hasher.close()

    def perform(self, effect: Effect[Any]) -> Any:
        """Carry out one effect; what `before` has for its type happens first, once."""
        self.effects.append(effect)
        if type(effect) in self.broken:
            raise self.broken[type(effect)]
        happening = self.before.pop(type(effect), None)
        if happening is not None:
            happening()
        return self._performer.perform(effect)

    def run(self, flow: Any) -> Any:
        """Drive a flow on this database."""
        return run(flow, self.perform)

    def respond(self, request: Request) -> Response:
        """Return the answer to a request."""
        answer: Response = self.run(self.site.respond(request, self.now))
        if answer.headers.get("content-type").startswith("text/html"):
            WATCH.show_page(request.path, answer.body)
        return answer

    def redeem(self, code: str, client_id: str = "a", redirect_uri: str = CALLBACK) -> Response:
        """Return the token endpoint's answer to a client that presents `code`."""
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": VERIFIER,
        }
        return self._ask("POST", "token", [basic(client_id, SECRET), FORM_TYPE], urlencode(form))

    def access_token(self, code: str, client_id: str = "a", redirect_uri: str = CALLBACK) -> str:
        """Return the access token that `code` is good for."""
        answer = self.redeem(code, client_id, redirect_uri)
        assert answer.status == 200, answer.body
        return str(json.loads(answer.body)["access_token"])

    def userinfo(self, access_token: str) -> int:
        """Return the status of the userinfo endpoint."""
        return self._ask("GET", "userinfo", [("authorization", f"Bearer {access_token}")]).status

    def _ask(
        self, method: str, name: str, headers: list[tuple[str, str]], body: str = ""
    ) -> Response:
        return self.respond(
            Request(
                method=method,
                url=self.policy.endpoint(name),
                path=f"{self.policy.path}/{name}",
                headers=Headers(headers),
                body=body.encode(),
                peer="203.0.113.5",
            )
        )

    def change_account(self, username: str, **changes: Any) -> None:
        """Change a person as an operator would."""
        assert self.perform(UpdateAccount(account(username, **changes)))

    def change_client(self, client_id: str, **changes: Any) -> None:
        """Change a client as an operator would."""
        client = next(client for client in CLIENTS if client.client_id == client_id)
        assert self.perform(UpdateClient(replace(client, **changes)))

    def event_names(self) -> list[str]:
        """Return the names of the events so far."""
        return [event.name for event in self.events]

    def last_event(self, name: str) -> Event:
        """Return the newest event of this name."""
        return next(event for event in reversed(self.events) if event.name == name)

    def times(self, kind: type[Effect[Any]]) -> int:
        """Return how often an effect of this kind was asked for."""
        return sum(type(effect) is kind for effect in self.effects)

    def passwords_hashed(self) -> int:
        """Return how often a password was verified."""
        return self.times(VerifyPassword)


@dataclass
class FormPart:
    """One form: where it goes, its fields as found, its buttons by id."""

    action: str
    inputs: dict[str, str] = field(default_factory=dict[str, str])
    buttons: set[str] = field(default_factory=set[str])


@dataclass
class Page:
    """What a browser makes of an answer: its forms, its elements by id."""

    status: int
    url: str
    headers: Headers
    text: str
    title: str = ""
    forms: list[dict[str, str]] = field(default_factory=list[dict[str, str]])
    parts: list[FormPart] = field(default_factory=list[FormPart])
    inputs: dict[str, str] = field(default_factory=dict[str, str])
    buttons: dict[str, tuple[str, str]] = field(default_factory=dict[str, tuple[str, str]])
    by_id: dict[str, str] = field(default_factory=dict[str, str])
    addresses: list[str] = field(default_factory=list[str])
    tags: list[tuple[str, dict[str, str]]] = field(default_factory=list[tuple[str, dict[str, str]]])

    def form_of(self, button: str = "") -> FormPart:
        """Return the form that a button belongs to; without one, the one form of the page."""
        assert all(form["method"] == "post" for form in self.forms)
        (form,) = (part for part in self.parts if not button or button in part.buttons)
        return form


class _Reader(HTMLParser):
    """Reads a page into `Page`."""

    def __init__(self, page: Page) -> None:
        super().__init__()
        self.page = page
        self._open: list[tuple[str, str]] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        page = self.page
        page.tags.append((tag, given))
        page.addresses.extend(given[name] for name in ("href", "src", "action") if name in given)
        if tag == "form":
            page.forms.append(given)
            page.parts.append(FormPart(given["action"]))
        if tag == "input":
            page.inputs[given["name"]] = given.get("value", "")
            page.parts[-1].inputs[given["name"]] = given.get("value", "")
        if tag == "button":
            page.buttons[given["id"]] = (given.get("name", ""), given.get("value", ""))
            page.parts[-1].buttons.add(given["id"])
        if "id" in given:
            page.by_id.setdefault(given["id"], "")
        if tag not in {"input", "meta", "link", "path", "rect"}:
            self._open.append((tag, given.get("id", "")))

    def handle_endtag(self, tag: str) -> None:
        while self._open and self._open.pop()[0] != tag:
            pass

    def handle_data(self, data: str) -> None:
        for tag, name in self._open:
            if tag == "title":
                self.page.title += data
            if name:
                self.page.by_id[name] += data


def read_page(answer: Response, url: str = "") -> Page:
    """Return what a browser makes of `answer`."""
    text = answer.body.decode()
    page = Page(status=answer.status, url=url, headers=answer.headers, text=text)
    _Reader(page).feed(text)
    return page


class Browser:
    """A browser without JavaScript: keeps cookies, follows redirects, submits forms as found."""

    def __init__(self, house: House, peer: str = "192.0.2.1") -> None:
        self.house = house
        self.peer = peer
        self.cookies: dict[str, str] = {}
        self.extra_cookies: list[tuple[str, str]] = []

    @property
    def session_cookie(self) -> str | None:
        """The value of the session cookie, or None."""
        return next((v for k, v in self.cookies.items() if "cg-session" in k), None)

    def send(
        self,
        method: str,
        url: str,
        body: str | bytes = b"",
        headers: Mapping[str, str] | None = None,
    ) -> Response:
        """Send one request of this browser; redirects are not followed."""
        parts = urlsplit(url)
        pairs = [(name, value) for name, value in (headers or {}).items()]
        if method == "POST" and "content-type" not in {name for name, _ in pairs}:
            pairs.append(FORM_TYPE)
        cookies = [*self.extra_cookies, *self.cookies.items()]
        if cookies:
            pairs.append(("cookie", "; ".join(f"{name}={value}" for name, value in cookies)))
        origin = self.house.policy.issuer.partition("//")[2].partition("/")[0]
        scheme = self.house.policy.issuer.partition(":")[0]
        answer = self.house.respond(
            Request(
                method=method,
                url=f"{scheme}://{origin}{parts.path}",
                path=parts.path,
                query=parts.query,
                headers=Headers(pairs),
                body=body.encode() if isinstance(body, str) else body,
                peer=self.peer,
            )
        )
        for line in answer.headers.get_all("set-cookie"):
            name, _, rest = line.partition("=")
            value, _, attributes = rest.partition(";")
            if "Max-Age=0" in attributes:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = value
        return answer

    def get(self, url: str) -> Page:
        """Open an address; redirects inside the issuer are followed, others are the end."""
        return self._follow(self.send("GET", url), url)

    def submit(
        self, page: Page, button: str = "", fields: Mapping[str, str | None] | None = None
    ) -> Page:
        """Submit the form of `button` with every input as found, but for `fields`."""
        answer = self.post(page, button, fields)
        return self._follow(answer, page.form_of(button).action)

    def post(
        self, page: Page, button: str = "", fields: Mapping[str, str | None] | None = None
    ) -> Response:
        """As `submit`, without following; None leaves a field out."""
        form = page.form_of(button)
        pairs: dict[str, str | None] = dict(form.inputs)
        name, value = page.buttons.get(button, ("", ""))
        if name:
            pairs[name] = value
        pairs |= fields or {}
        body = urlencode([(k, v) for k, v in pairs.items() if v is not None])
        return self.send("POST", form.action, body)

    def _follow(self, answer: Response, url: str) -> Page:
        for _ in range(10):
            if answer.status != 303:
                return read_page(answer, url)
            url = answer.headers.get("location")
            if not url.startswith(f"{self.house.policy.issuer.rstrip('/')}/"):
                return read_page(answer, url)
            answer = self.send("GET", url)
        raise AssertionError("too many redirects")

    def start(self, **changes: str | None) -> Page:
        """Open the address that client a sends the browser to."""
        query = urlencode(authorization_parameters(**changes))
        return self.get(f"{self.house.policy.path}/authorize?{query}")

    def sign_in(self, username: str = "alice") -> Page:
        """Log in without an application; return the account page."""
        return self.log_in(self.get(f"{self.house.policy.path}/account"), username)

    def allow(self, **changes: str | None) -> str:
        """Let client a, or another, have what it asks for; return the code that it gets."""
        page = self.start(**changes)
        if "consent-allow" in page.buttons:
            page = self.submit(page, "consent-allow")
        return parameters_of(page)["code"]

    def log_in(self, page: Page, username: str = "alice", password: str | None = None) -> Page:
        """Fill in and submit the login page."""
        typed = PASSWORDS[username] if password is None else password
        return self.submit(page, "login-submit", {"username": username, "password": typed})


def parameters_of(page: Page) -> dict[str, str]:
    """Return the query parameters of the address that a browser ended at."""
    return {name: values[0] for name, values in parse_qs(urlsplit(page.url).query).items()}
