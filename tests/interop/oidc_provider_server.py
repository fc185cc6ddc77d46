"""oidc-provider (npm), in a script for Node.js."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from codegrant.client import DeviceLogin
from tests.interop.foreign_server import API_ID, API_SECRET, AUDIENCE, AWKWARD_SECRET, METHODS
from tests.support.application import REDIRECT_URI
from tests.support.browser import Browser
from tests.support.node import Node


@dataclass
class DevVisitor:
    """Somebody at the pages that it has for development, each time in a fresh browser."""

    issuer: str
    denies: bool = False

    def authorize(self, url: str) -> str:
        browser = Browser(self.issuer, ours=False)
        page = browser.get(url)
        while page.status == 200:
            if self.denies:
                page = browser.get(f"{page.url}/abort")
            else:
                asked = {name for name, _ in page.form.fields}
                typed = {"login": "alice", "password": "any"} if "login" in asked else {}
                page = browser.submit(page, typed)
        assert page.location.startswith(REDIRECT_URI), (page.status, page.text)
        return page.location


def enter(issuer: str, login: DeviceLogin, *, denies: bool = False) -> str:
    """Play the person on the other device; return what the last page says."""
    browser = Browser(issuer, ours=False)
    typed = {"user_code": login.user_code, "login": "alice", "password": "any"}
    page = browser.get(login.verification_uri)
    while page.forms:
        form = page.form  # the buttons of these pages stand outside
        fields = [(name, typed.get(name, value)) for name, value in form.fields]
        if denies and ("confirm", "yes") in fields:
            return browser.post(form.action, [*fields, ("abort", "yes")]).text
        page = browser.post(form.action, fields)
    return page.text


def describe_client(client_id: str, method: str, alg: str = "RS256") -> dict[str, object]:
    """Return a client as oidc-provider registers it. OpenID Connect Registration §2."""
    described: dict[str, object] = {
        "client_id": client_id,
        "redirect_uris": [REDIRECT_URI],
        "response_types": ["code"],
        "grant_types": ["authorization_code", "refresh_token"],
        "token_endpoint_auth_method": method,
        "id_token_signed_response_alg": alg,
    }
    return described if method == "none" else {**described, "client_secret": AWKWARD_SECRET}


def open_provider(
    node: str,
    clients: Sequence[dict[str, object]],
    algorithms: Sequence[str],
    of_clients: Sequence[str] | None = None,
) -> Node:
    """Return the script, with clients, and the algorithms that may sign.

    Those of ID tokens, and those of what clients sign, if not all.
    """
    asked = json.dumps({"clients": clients, "algorithms": algorithms, "ofClients": of_clients})
    return Node(node, Path(__file__).with_name("oidc_provider.mjs"), asked)


class OidcProvider:
    """See `ForeignServer`. Refresh tokens rotate."""

    secret = AWKWARD_SECRET
    resource = AUDIENCE
    audience = AUDIENCE
    spent = "invalid_grant"
    tells_kinds = True

    def __init__(self, node: str) -> None:
        api: dict[str, object] = {
            "client_id": API_ID,
            "client_secret": API_SECRET,
            "redirect_uris": [],
            "response_types": [],
            "grant_types": [],
        }
        clients = [describe_client(method, method) for method in METHODS]
        self._node = open_provider(node, [*clients, api], ["RS256"]).__enter__()
        self.issuer = str(self._node.ready["issuer"])

    def visitor(self, *, denies: bool = False) -> DevVisitor:
        return DevVisitor(self.issuer, denies)

    def rotate_keys(self) -> None:
        self._node.ask({"action": "rotate"})

    def close(self) -> None:
        self._node.close()
