"""What the logins of a web application ask for, and how its links say so. Layer: web, no I/O.

A link names one of the sets of options that the program has; the browser's own query adds
nothing to them. What is different for each person stands in the link sealed.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import NamedTuple, TypeAlias

from codegrant.client.login import LoginOptions, LoginRequest
from codegrant.client.state import MAX_ASKED
from codegrant.errors import ConfigurationError, MessageError, SealBroken, UsageError
from codegrant.http import Request
from codegrant.messages.parameters import Parameters
from codegrant.sealing import KeyRing

__all__ = ["Asked", "LoginAsk", "LoginAsks"]

LoginAsk: TypeAlias = LoginOptions | Mapping[str, LoginOptions] | None

_NAME = re.compile(rf"[a-z0-9-]{{1,{MAX_ASKED}}}")
_HINT_PURPOSE = "codegrant web login hint 1"
_MOST_HINT = 254


class Asked(NamedTuple):
    """What one login asks for.

    Attributes:
        name: of the set of options; empty for the usual one.
        request: the options.
        query: what a link to the same login has in its query.
    """

    name: str
    request: LoginRequest
    query: dict[str, str]


class LoginAsks:
    """The sets of options of one application.

    Args:
        ask: what every login asks for, or several sets by name. The one named `default` is
            for links that name none.
        key_ring: called on first use.

    Raises:
        UsageError: an option is not allowed.
        ConfigurationError: a name has other characters than an address should.
    """

    def __init__(self, ask: LoginAsk, key_ring: Callable[[], KeyRing]) -> None:
        named = ask if isinstance(ask, Mapping) else {"default": ask or LoginOptions()}
        for name in named:
            if not _NAME.fullmatch(name):
                raise ConfigurationError(
                    f"ask: {name!r} is no name of options; it stands in addresses: 1 to "
                    f"{MAX_ASKED} lower-case letters, digits, -"
                )
        requests = {name: options.request() for name, options in named.items()}
        self._requests = {"": requests.pop("default", LoginRequest()), **requests}
        self._key_ring = key_ring

    def find(self, request: Request) -> Asked:
        """Return what a request for the login's address asks for.

        An unknown name and a hint that was not sealed here count as absent.
        """
        try:
            query = Parameters.parse(request.query)
            name, sealed = query.single("ask") or "", query.single("hint") or ""
        except MessageError:
            name, sealed = "", ""
        name = name if name in self._requests else ""
        found, kept = self._requests[name], self.query_of(name)
        if sealed:
            try:
                hint = self._key_ring().open(_HINT_PURPOSE, sealed).decode()
            except SealBroken:
                return Asked(name, found, kept)
            return Asked(name, replace(found, login_hint=hint), {**kept, "hint": sealed})
        return Asked(name, found, kept)

    def named(self, name: str) -> LoginRequest | None:
        """Return the options that a login was started with; None when they are gone."""
        return self._requests.get(name)

    def query_of(self, name: str) -> dict[str, str]:
        """Return what a link to a login with the options of this name has in its query."""
        return {"ask": name} if name and name in self._requests else {}

    def query(self, ask: str | None, login_hint: str | None) -> dict[str, str]:
        """Return what a link has in its query to ask for a set of options.

        Raises:
            UsageError: there is no set of that name, or the hint is too long.
        """
        if ask is not None and ask not in {"default", *self._requests} - {""}:
            raise UsageError(
                f"ask: {ask!r} is none of {', '.join(sorted({*self._requests, 'default'} - {''}))}",
                code="unknown_options",
            )
        query = {} if ask in {None, "default"} else {"ask": ask or ""}
        if login_hint:
            if len(login_hint.encode()) > _MOST_HINT:
                raise UsageError(f"login_hint: longer than {_MOST_HINT} bytes", code="bad_hint")
            query["hint"] = self._key_ring().seal(_HINT_PURPOSE, login_hint.encode())
        return query
