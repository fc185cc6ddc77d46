"""What the tests ask of a foreign library in the role of the client."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from tests.support.node import Node
from tests.support.relying_party import RelyingParty

# As the library gives them, with the claims of an ID token under `claims`, verified.
Tokens: TypeAlias = Mapping[str, Any]


class ForeignRefusal(Exception):
    """The server refused, or the library itself.

    Args:
        error: the OAuth error code; empty for none.
        what: more, for whoever reads of it.
    """

    def __init__(self, error: str, what: object = "") -> None:
        super().__init__(error, what)
        self.error = error


class ForeignClient(Protocol):
    """One registered client in one library, which has discovered the server.

    `start` returns the authorization URL of a login; `finish` judges its callback, redeems the
    code and verifies the ID token. Every method raises `ForeignRefusal` for what the library
    takes for a refusal.
    """

    party: RelyingParty

    def start(self, scope: str, **parameters: str) -> str: ...

    def finish(self, callback_url: str) -> Tokens: ...

    def userinfo(self, access_token: str, sub: str, method: str = "GET") -> Mapping[str, Any]: ...

    def refresh(self, refresh_token: str) -> Tokens: ...

    def revoke(self, token: str, hint: str) -> None: ...

    def introspect(self, token: str) -> Mapping[str, Any]: ...

    def client_credentials(self, scope: str, resource: str) -> Tokens: ...

    def close(self) -> None: ...


class NodeClient:
    """A client in a script for Node.js: openid-client or oauth4webapi."""

    def __init__(self, node: Node, party: RelyingParty) -> None:
        self.party = party
        self._node = node
        self.login = ""

    def start(self, scope: str, **parameters: str) -> str:
        answer = self.ask(
            "start",
            issuer=self.party.issuer,
            client_id=self.party.client_id,
            client_secret=self.party.secret,
            method=self.party.method,
            redirect_uri=self.party.redirect_uri,
            scope=scope,
            **parameters,
        )
        self.login = answer["login"]
        return str(answer["url"])

    def finish(self, callback_url: str) -> Tokens:
        return self.ask("finish", login=self.login, callback_url=callback_url)

    def userinfo(self, access_token: str, sub: str, method: str = "GET") -> Mapping[str, Any]:
        asked = {"access_token": access_token, "sub": sub, "http_method": method}
        return self.ask("userinfo", login=self.login, **asked)

    def refresh(self, refresh_token: str) -> Tokens:
        return self.ask("refresh", login=self._ready(), refresh_token=refresh_token)

    def revoke(self, token: str, hint: str) -> None:
        self.ask("revoke", login=self._ready(), token=token, token_type_hint=hint)

    def introspect(self, token: str) -> Mapping[str, Any]:
        return self.ask("introspect", login=self._ready(), token=token)

    def client_credentials(self, scope: str, resource: str) -> Tokens:
        parameters = {"scope": scope, "resource": resource}
        return self.ask("client_credentials", login=self._ready(), parameters=parameters)

    def ask(self, action: str, **question: object) -> dict[str, Any]:
        answer = self._node.ask({"action": action, **question})
        if "refused" in answer:
            raise ForeignRefusal(answer.get("error", ""), answer)
        return answer

    def _ready(self) -> str:
        """Return a login, which is where the script keeps what it has discovered."""
        if not self.login:
            self.start("openid")
        return self.login

    def close(self) -> None:
        """Do nothing: the script is shared."""


def open_node(node: str, library: str) -> Node:
    """Return the script of a library, running."""
    return Node(node, Path(__file__).with_name(f"{library.replace('-', '_')}.mjs"))
