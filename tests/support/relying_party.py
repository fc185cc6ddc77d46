"""A relying party written by hand: its own PKCE and its own HTTP, nothing of our client."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import http.client
import io
import json
import secrets
import socket
import ssl
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypeAlias
from urllib.parse import parse_qsl, quote_plus, urlencode, urlsplit

from codegrant.cli import main
from tests.support.browser import Browser, Page
from tests.support.leak_watch import WATCH
from tests.support.serving import Serving

# A parameter's value; several for a repeated one; None for one that is left out.
Change: TypeAlias = str | Sequence[str] | None
Headers: TypeAlias = Mapping[str, str]


class Answer(NamedTuple):
    """What came back: status, headers in lower case, JSON (None when the body is none)."""

    status: int
    headers: Headers
    json: Any
    body: bytes = b""

    @property
    def error(self) -> str:
        """The OAuth error code of a refusal."""
        return str(self.json["error"])

    @property
    def location(self) -> str:
        return self.headers.get("location", "")


def send(
    method: str,
    url: str,
    body: bytes | str | None = None,
    headers: Headers | None = None,
    *,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """Send one request as it is, follow nothing, and return the answer."""
    parts = urlsplit(url)
    host = parts.hostname or ""
    connection = (
        http.client.HTTPSConnection(host, parts.port, context=tls, timeout=20)
        if parts.scheme == "https"
        else http.client.HTTPConnection(host, parts.port, timeout=20)
    )
    target = f"{parts.path or '/'}{f'?{parts.query}' if parts.query else ''}"
    try:
        connection.request(method, target, body, dict(headers or {}))
        answer = connection.getresponse()
        content = answer.read()
        found = {name.lower(): value for name, value in answer.getheaders()}
    finally:
        connection.close()
    kind = found.get("content-type", "")
    parsed = json.loads(content) if content and kind.startswith("application/json") else None
    WATCH.keep_answer(parsed)
    return Answer(answer.status, found, parsed, content)


def send_form(
    url: str,
    fields: Sequence[tuple[str, str]],
    headers: Headers | None = None,
    *,
    tls: ssl.SSLContext | None = None,
) -> Answer:
    """POST a form."""
    kind = {"content-type": "application/x-www-form-urlencoded"}
    return send("POST", url, urlencode(fields), {**kind, **(headers or {})}, tls=tls)


def basic(client_id: str, secret: str) -> str:
    """Return the `Authorization` header of `client_secret_basic`. RFC 6749 §2.3.1."""
    pair = f"{quote_plus(client_id)}:{quote_plus(secret)}"
    return f"Basic {base64.b64encode(pair.encode()).decode()}"


def challenge_of(verifier: str) -> str:
    """Return the S256 challenge. RFC 7636 §4.2."""
    digest = hashlib.sha256(verifier.encode()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def read_callback(url: str) -> dict[str, str]:
    """Return the parameters of a callback, each of which must be there once."""
    pairs = parse_qsl(urlsplit(url).query, keep_blank_values=True, strict_parsing=True)
    assert len(dict(pairs)) == len(pairs), f"a parameter is repeated: {url}"
    return dict(pairs)


def read_claims(token: str) -> dict[str, Any]:
    """Return the claims of a JWT, its signature unchecked."""
    payload = token.split(".")[1]
    claims: dict[str, Any] = json.loads(
        base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4))
    )
    return claims


@dataclass
class RelyingParty:
    """One registered client and what it sends; every method takes changes by parameter name.

    Args:
        issuer: without a slash at its end.
        secret: empty for a public client.
        method: `client_secret_basic` or `client_secret_post`; of no meaning without a secret.
        username, password: of the person whom `authorize` logs in.
    """

    issuer: str
    client_id: str
    secret: str = ""
    redirect_uri: str = "https://app.example/callback"
    scope: str = "openid profile email"
    method: str = "client_secret_basic"
    username: str = "alice"
    password: str = "wonderland"
    tls: ssl.SSLContext | None = None
    state: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    nonce: str = field(default_factory=lambda: secrets.token_urlsafe(16))
    verifier: str = field(default_factory=lambda: secrets.token_urlsafe(32))

    @property
    def origin(self) -> str:
        parts = urlsplit(self.issuer)
        return f"{parts.scheme}://{parts.netloc}"

    @property
    def token_endpoint(self) -> str:
        return f"{self.issuer}/token"

    def new_browser(self) -> Browser:
        """Return a browser that stays at the server and hands back the way to the client."""
        return Browser(self.origin, tls=self.tls)

    def authorization_request(self, **changes: Change) -> list[tuple[str, str]]:
        """Return the parameters of an authorization request."""
        parameters: dict[str, Change] = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "scope": self.scope,
            "state": self.state,
            "nonce": self.nonce,
            "code_challenge": challenge_of(self.verifier),
            "code_challenge_method": "S256",
        }
        return _pairs({**parameters, **changes})

    def authorize_url(self, **changes: Change) -> str:
        """Return where the person is sent."""
        return f"{self.issuer}/authorize?{urlencode(self.authorization_request(**changes))}"

    def open(self, browser: Browser, **changes: Change) -> Page:
        """Send the browser to the server; return the page where it stops, or the way out."""
        return browser.get(self.authorize_url(**changes))

    def authorize(self, browser: Browser | None = None, **changes: Change) -> dict[str, str]:
        """Send the browser to the server, log in and allow as asked; return the callback."""
        browser = browser or self.new_browser()
        page = self.pass_pages(browser, self.open(browser, **changes))
        assert page.status == 303, (page.status, page.text)
        return read_callback(page.location)

    def pass_pages(self, browser: Browser, page: Page) -> Page:
        """Log in and allow, each as far as it is asked; return what comes after."""
        if page.has("login-submit"):
            page = browser.log_in(page, self.username, self.password)
        if page.has("consent-allow"):
            page = browser.allow(page)
        return page

    def token_request(self, code: str, **changes: Change) -> list[tuple[str, str]]:
        """Return the parameters of a token request, client authentication included."""
        parameters: dict[str, Change] = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.redirect_uri,
            "code_verifier": self.verifier,
        }
        return self._named(parameters, changes)

    def _named(
        self, parameters: Mapping[str, Change], changes: Mapping[str, Change]
    ) -> list[tuple[str, str]]:
        """Return a form with what of the client's authentication belongs into it."""
        own: dict[str, Change] = {}
        if not self.secret:
            own["client_id"] = self.client_id
        elif self.method == "client_secret_post":
            own |= {"client_id": self.client_id, "client_secret": self.secret}
        return _pairs({**parameters, **own, **changes})

    def authentication(self) -> Headers:
        """Return the headers that the token request carries beside its form."""
        if self.secret and self.method == "client_secret_basic":
            return {"authorization": basic(self.client_id, self.secret)}
        return {}

    def token(self, code: str, **changes: Change) -> Answer:
        """Redeem a code; return the answer, whatever it is."""
        fields = self.token_request(code, **changes)
        return send_form(self.token_endpoint, fields, self.authentication(), tls=self.tls)

    def refresh_request(self, refresh_token: str, **changes: Change) -> list[tuple[str, str]]:
        """Return the parameters of a refresh request, client authentication included."""
        parameters = {"grant_type": "refresh_token", "refresh_token": refresh_token}
        return self._named(parameters, changes)

    def refresh(self, refresh_token: str, **changes: Change) -> Answer:
        """Use a refresh token; return the answer, whatever it is."""
        fields = self.refresh_request(refresh_token, **changes)
        return send_form(self.token_endpoint, fields, self.authentication(), tls=self.tls)

    def revoke(self, token: str, **changes: Change) -> Answer:
        """Ask for the end of a token; return the answer, whatever it is."""
        return self._ask_about("revoke", token, changes)

    def introspect(self, token: str, **changes: Change) -> Answer:
        """Ask what a token is good for; return the answer, whatever it is."""
        return self._ask_about("introspect", token, changes)

    def _ask_about(self, endpoint: str, token: str, changes: Mapping[str, Change]) -> Answer:
        fields = self._named({"token": token}, changes)
        return send_form(f"{self.issuer}/{endpoint}", fields, self.authentication(), tls=self.tls)

    def userinfo(self, access_token: str) -> int:
        """Return the status that an access token gets at the userinfo endpoint."""
        headers = {"authorization": f"Bearer {access_token}"}
        return send("GET", f"{self.issuer}/userinfo", headers=headers, tls=self.tls).status

    def log_in(self, browser: Browser | None = None, **changes: Change) -> Answer:
        """Go through the whole flow, which must succeed; return the token response."""
        callback = self.authorize(browser, **changes)
        answer = self.token(callback["code"])
        assert answer.status == 200, answer
        return answer


def free_port() -> int:
    """Return a port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port: int = probe.getsockname()[1]
        return port


def administer(server: Serving, *arguments: str) -> Any:
    """Run a command on the server's database, in this process; return the JSON it prints."""
    status, out, err = _command(server, arguments)
    assert status == 0, err
    printed = json.loads(out) if out else None
    WATCH.keep_answer(printed)
    return printed


def administration_error(server: Serving, *arguments: str) -> str:
    """Run a command that must be refused; return the one line that says why."""
    status, out, err = _command(server, arguments)
    assert (status, out) == (1, ""), (status, out, err)
    assert err.count("\n") == 1
    return err.removeprefix("codegrant: ").rstrip("\n")


def _command(server: Serving, arguments: Sequence[str]) -> tuple[int, str, str]:
    database = f"sqlite:///{server.folder / 'codegrant.db'}"
    out, err = io.StringIO(), io.StringIO()
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        status = main([*arguments, "--database", database])
    return status, out.getvalue(), err.getvalue()


def register(
    server: Serving,
    client_id: str,
    *options: str,
    redirect_uri: str = "https://app.example/callback",
    issuer: str = "",
    **more: Any,
) -> RelyingParty:
    """Register a client at a running server and return it.

    Args:
        options: of `codegrant clients add`.
        redirect_uri: the first one, which it uses; further ones are options.
        issuer: when it is not the address of the ready line.
        more: further fields of `RelyingParty`.
    """
    registered = administer(
        server, "clients", "add", client_id, "--redirect-uri", redirect_uri, *options
    )
    return RelyingParty(
        issuer or server.issuer,
        client_id,
        registered.get("client_secret", ""),
        redirect_uri,
        method=registered["token_endpoint_auth_method"],
        **more,
    )


def _pairs(parameters: Mapping[str, Change]) -> list[tuple[str, str]]:
    pairs: list[tuple[str, str]] = []
    for name, change in parameters.items():
        if isinstance(change, str):
            pairs.append((name, change))
        elif change is not None:
            pairs += [(name, each) for each in change]
    return pairs
