"""What the attacks have in common: the clients they use, and the way through the front door."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any
from urllib.parse import urlencode

from codegrant.http import Headers, Request, Response
from codegrant.secret import digest_of
from codegrant.server.administration import AddClient
from codegrant.server.records import ClientRecord
from tests.flows.authorization_server import SECRET, VERIFIER, authorization_parameters, basic
from tests.flows.house import FORM_TYPE, Browser, House, Page, parameters_of, read_page

ISSUER = "https://issuer.test"
R = "https://client.test/cb"
R2 = "https://client.test/second?x=1"
B = "https://b.test/cb"
PROBE = "\"'><script>alert(1)</script>"

MORE_CLIENTS = (
    # Nobody is asked: an accepted request of somebody logged in ends with a code at once.
    ClientRecord(
        client_id="r",
        secret_digest=digest_of(SECRET),
        redirect_uris=(R, R2),
        scope=("openid", "profile", "email", "offline_access", "read"),
        skip_consent=True,
    ),
    ClientRecord(
        client_id="b", secret_digest=digest_of(SECRET), redirect_uris=(B,), skip_consent=True
    ),
)


class SecondHouse(House):
    """A `House` that knows two more clients, of which nobody is asked for consent."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        for client in MORE_CLIENTS:
            self.perform(AddClient(client))


def sign_in(browser: Browser, username: str = "alice") -> Browser:
    """Log a person in, in this browser; return it."""
    browser.log_in(ask(browser), username)
    assert browser.session_cookie
    return browser


def address(**changes: str | None) -> str:
    """Return an authorization request of client r; None leaves a parameter out."""
    given: dict[str, str | None] = {"client_id": "r", "redirect_uri": R, **changes}
    return f"/authorize?{urlencode(authorization_parameters(**given))}"


def ask(browser: Browser, **changes: str | None) -> Page:
    """Send the browser with an authorization request of client r, through the redirects."""
    return browser.get(address(**changes))


def send(browser: Browser, **changes: str | None) -> Response:
    """Send an authorization request of client r; no redirect is followed."""
    return browser.send("GET", address(**changes))


def code_of(page: Page, at: str = R) -> str:
    """Return the code with which a page's browser arrives at the client."""
    assert page.url.startswith(at), (page.status, page.url)
    return parameters_of(page)["code"]


def pass_pages(browser: Browser, page: Page, username: str = "alice") -> Page:
    """Log in and allow, each as far as it is asked; return where that ends."""
    if "login-submit" in page.buttons:
        page = browser.log_in(page, username)
    return browser.submit(page, "consent-allow") if "consent-allow" in page.buttons else page


def error_page(answer: Response) -> str:
    """Return the code on a page that leads nowhere: no redirect, no authorization code."""
    assert answer.status == 400, (answer.status, answer.headers.get("location"))
    assert not answer.headers.get("location")
    assert answer.headers.get("content-type") == "text/html; charset=utf-8"
    return read_page(answer).by_id["error-code"].strip()


def post(
    house: House,
    path: str,
    form: Mapping[str, str | None] | str | bytes,
    headers: Sequence[tuple[str, str]] = (),
    *,
    query: str = "",
    method: str = "POST",
    peer: str = "192.0.2.9",
) -> Response:
    """Send one request of a program, by default a form."""
    pairs = [] if isinstance(form, str | bytes) else [(k, v) for k, v in form.items() if v]
    body = form if isinstance(form, str | bytes) else urlencode(pairs)
    given = {name.lower() for name, _ in headers}
    kind = [] if "content-type" in given or method != "POST" else [FORM_TYPE]
    return house.respond(
        Request(
            method=method,
            url=f"{ISSUER}{path}",
            path=path,
            query=query,
            headers=Headers([*kind, *headers]),
            body=body.encode() if isinstance(body, str) else body,
            peer=peer,
        )
    )


def token_form(code: str, **changes: str | None) -> dict[str, str | None]:
    """Return the token request of client r without its authentication."""
    return {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": R,
        "code_verifier": VERIFIER,
        **changes,
    }


def redeem(
    house: House,
    code: str,
    *,
    auth: tuple[str, str] | None = ("r", SECRET),
    headers: Sequence[tuple[str, str]] = (),
    peer: str = "192.0.2.9",
    form: Mapping[str, str] | None = None,
    **changes: str | None,
) -> Response:
    """Send the token request of client r for `code`; `form` are further changes."""
    sent = [*headers, *([] if auth is None else [basic(*auth)])]
    fields = {**token_form(code, **changes), **(form or {})}
    return post(house, "/token", fields, sent, peer=peer)


def document(answer: Response) -> dict[str, Any]:
    """Return the JSON object of an answer."""
    assert answer.headers.get("content-type") == "application/json", answer
    value: dict[str, Any] = json.loads(answer.body)
    return value


def tokens(house: House, browser: Browser, **changes: str | None) -> dict[str, Any]:
    """Return the token response of a whole flow of client r in a browser that is logged in."""
    answer = redeem(house, code_of(ask(browser, **changes)))
    assert answer.status == 200, answer.body
    return document(answer)


def refused(answer: Response, *statuses: int) -> str:
    """Return the error code of a refusal that carries no token."""
    assert answer.status in (statuses or (400, 401)), (answer.status, answer.body)
    said = document(answer)
    assert not {"access_token", "id_token", "refresh_token"} & said.keys()
    return str(said["error"])


def userinfo(house: House, token: str) -> Response:
    """Ask with an access token who it is."""
    return post(house, "/userinfo", "", [("authorization", f"Bearer {token}")], method="GET")
