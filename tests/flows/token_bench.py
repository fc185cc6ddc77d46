"""The token endpoint on the real store, and what a client does with what it was given."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any
from urllib.parse import urlencode

from codegrant.flow import Effect
from codegrant.http import Response
from codegrant.jose import parse_jwt
from codegrant.server.administration import AddClient, AddResource, UpdateClient
from codegrant.server.effects import FindClient
from codegrant.server.records import ResourceRecord
from codegrant.stores.sqlite import SqliteStore
from tests.flows.authorization_server import (
    CLIENTS,
    SECRET,
    VERIFIER,
    Bench,
    answered,
    document,
)

API = "https://api.test"
OFFLINE = "openid profile offline_access"
NATIVE_CALLBACK = "http://127.0.0.1/cb"


class TokenBench(Bench):
    """A `Bench` whose effects a SQLite store performs; events stay in `self.store`."""

    def __init__(self, sqlite: SqliteStore, **settings: Any) -> None:
        super().__init__(**settings)
        memory = self.store

        def perform(effect: Effect[Any]) -> Any:
            return (sqlite if sqlite.performs(effect) else memory).perform(effect)

        self.perform = perform
        for client in CLIENTS:
            assert perform(AddClient(client))
        self.change_client("p", skip_consent=True)

    def add_resource(self, audience: str = API, scope: tuple[str, ...] = ()) -> None:
        record = ResourceRecord(audience=audience, resource_id=audience, scope=scope)
        assert self.perform(AddResource(record))

    def change_client(self, client_id: str, **changes: Any) -> None:
        """Change a registered client as an operator would."""
        client = self.perform(FindClient(client_id))
        assert self.perform(UpdateClient(replace(client, **changes)))

    def log_in(self, scope: str = OFFLINE, **changes: str | None) -> dict[str, Any]:
        """Return the tokens of a fresh login at client a."""
        answer = self.token(self.code(scope=scope, **changes))
        assert answer.status == 200, answer.body
        return document(answer)

    def log_in_native(self, scope: str = OFFLINE) -> dict[str, Any]:
        """Return the tokens of a fresh login at the public client."""
        self.agree("p")
        page = self.authorize(client_id="p", redirect_uri=NATIVE_CALLBACK, scope=scope)
        code = answered(page, at=NATIVE_CALLBACK)["code"]
        form = {"grant_type": "authorization_code", "code": code, "code_verifier": VERIFIER}
        return document(self.token_raw(urlencode(form | {"client_id": "p"}), auth=None))

    def refresh(
        self,
        token: str | None,
        *,
        auth: tuple[str, str] | None = ("a", SECRET),
        form: Mapping[str, str | None] | None = None,
        **changes: str | None,
    ) -> Response:
        """Send the refresh request of client a; None leaves a parameter out."""
        good: dict[str, str | None] = {"grant_type": "refresh_token", "refresh_token": token}
        sent = good | changes | dict(form or {})
        pairs = [(name, value) for name, value in sent.items() if value is not None]
        return self.token_raw(urlencode(pairs), auth=auth)

    def refreshed(self, token: str, **changes: str | None) -> dict[str, Any]:
        """Return the tokens of a refresh, which must succeed."""
        answer = self.refresh(token, form=changes)
        assert answer.status == 200, answer.body
        return document(answer)

    def refuses(
        self,
        token: str,
        error: str = "invalid_grant",
        *,
        auth: tuple[str, str] | None = ("a", SECRET),
        **changes: str | None,
    ) -> bool:
        """Return whether a refresh is refused with this error."""
        answer = self.refresh(token, auth=auth, form=changes)
        assert answer.headers.get("cache-control") == "no-store"
        return (answer.status, document(answer).get("error")) == (400, error)

    def status(self, token: str) -> int:
        """Return the status that an access token gets at the userinfo endpoint."""
        headers = [("authorization", f"Bearer {token}")]
        return self.send("GET", "/userinfo", headers=headers).status

    def facts(self, name: str) -> Mapping[str, str | int]:
        """Return the facts of the newest event of this name."""
        return next(event.facts for event in reversed(self.store.events) if event.name == name)


@contextmanager
def open_bench(**settings: Any) -> Iterator[TokenBench]:
    """Open a bench on a database of its own."""
    with SqliteStore.open(":memory:") as sqlite:
        yield TokenBench(sqlite, **settings)


def claims_of(token: str) -> Mapping[str, Any]:
    """Return the claims of a JWT, its signature unchecked."""
    return parse_jwt(token).claimed
