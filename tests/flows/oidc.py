"""What an application does with a `House`: it sends people there, redeems codes, asks who it is."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlencode

from codegrant.http import Headers, Request, Response
from codegrant.jose import KeySet, parse_jwt, verify_signature
from codegrant.server.effects import AddKey
from tests.flows.authorization_server import (
    CALLBACK,
    SECRET,
    VERIFIER,
    authorization_parameters,
    basic,
    document,
    first_keys,
)
from tests.flows.house import FORM_TYPE, Browser, House, Page, parameters_of

Claims = Mapping[str, Any]


@contextmanager
def open_house(**settings: Any) -> Iterator[House]:
    """Open a house that need not make its first keys."""
    house = House(**settings)
    try:
        for key in first_keys():
            house.perform(AddKey(key))
        yield house
    finally:
        house.close()


def is_page(page: Page, name: str) -> bool:
    """Return whether the browser stands at the page `login` or `consent`."""
    return page.status == 200 and page.url.partition("?")[0].endswith(f"/{name}")


def answer_of(page: Page) -> dict[str, str]:
    """Return what client a was answered; the browser must have gone back there."""
    assert page.status == 303, (page.status, page.text)
    assert page.url.startswith(CALLBACK), page.url
    return parameters_of(page)


def pass_pages(browser: Browser, page: Page, username: str = "alice") -> Page:
    """Log in and allow, each as far as it is asked; return what comes after."""
    if is_page(page, "login"):
        page = browser.log_in(page, username)
    if is_page(page, "consent"):
        page = browser.submit(page, "consent-allow")
    return page


def sign_in(browser: Browser, username: str = "alice", /, **changes: str | None) -> Page:
    """Go through an authorization request of client a to its end."""
    return pass_pages(browser, browser.start(**changes), username)


def way_of(browser: Browser, method: str, **changes: str | None) -> list[Response]:
    """Return every answer that the browser gets on its way, the last one included."""
    query = urlencode(authorization_parameters(**changes))
    if method == "POST":
        answers = [browser.send("POST", "/authorize", query)]
    else:
        answers = [browser.send("GET", f"/authorize?{query}")]
    issuer = browser.house.policy.issuer
    while (where := answers[-1].headers.get("location")).startswith(f"{issuer}/"):
        answers.append(browser.send("GET", where))
    return answers


def send(
    house: House,
    method: str,
    path: str,
    body: str = "",
    headers: tuple[tuple[str, str], ...] = (),
    query: str = "",
) -> Response:
    """Send a request as a program does, without a browser."""
    return house.respond(
        Request(
            method=method,
            url=f"{house.policy.issuer}{path}",
            path=path,
            query=query,
            headers=Headers(headers),
            body=body.encode(),
            peer="192.0.2.9",
        )
    )


def send_token(house: House, client_id: str = "a", **form: str) -> Response:
    """Send a token request of a confidential client."""
    return send(house, "POST", "/token", urlencode(form), (FORM_TYPE, basic(client_id, SECRET)))


def redeem(house: House, page: Page, client_id: str = "a") -> dict[str, Any]:
    """Return the token response for the code that a browser brought to the client."""
    redirect_uri, _, _ = page.url.partition("?")
    answer = send_token(
        house,
        client_id,
        grant_type="authorization_code",
        code=parameters_of(page)["code"],
        redirect_uri=redirect_uri,
        code_verifier=VERIFIER,
    )
    assert answer.status == 200, answer.body
    return document(answer)


def tokens_of(
    house: House, browser: Browser, username: str = "alice", /, **changes: str | None
) -> dict[str, Any]:
    """Return the tokens that a whole flow of client a gives."""
    return redeem(house, sign_in(browser, username, **changes))


def claims_in(house: House, token: str) -> Claims:
    """Return the claims of a JWT that the published keys verify."""
    keys = KeySet.parse(send(house, "GET", "/jwks").body)
    jwt = parse_jwt(token)
    return verify_signature(jwt, keys.find(jwt.kid, jwt.alg)).claims


def userinfo(house: House, token: str, method: str = "GET") -> Response:
    """Ask the userinfo endpoint."""
    return send(house, method, "/userinfo", headers=(("authorization", f"Bearer {token}"),))
