"""Watches the whole suite, at DEBUG, for secrets where none may be.

Every text that was ever a `Secret`, whatever was drawn that can become a token or a code, and
what a server in another process gave to a test's browser or relying party, is searched in all
that may be kept or shown: every log record, what servers wrote to stderr, pages, the text of
every error, database files and their journals. The search runs at the end of each module; a
finding fails the last test of it.
"""

from __future__ import annotations

import logging
import os
import re
import sys
import traceback
from base64 import urlsafe_b64encode
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from codegrant.errors import CodegrantError
from codegrant.secret import Secret
from tests.support.leaks import spellings

__all__ = ["WATCH", "Watch"]

# Shorter ones occur by chance.
_SHORTEST = 16
# `aaaa…` and the like are lengths, not secrets.
_FEWEST = 6
# Who draws codes, tokens and session ids; a client's `state` is shown to everybody.
_DRAWERS = {"codegrant.web.performer", "codegrant.web.flask"}
# What an answer of a server has that must not be seen elsewhere.
_SECRET_MEMBERS = {"access_token", "refresh_token", "id_token", "client_secret"}
_USUAL = vars(logging.makeLogRecord({})).keys() | {"message", "asctime"}
_HIDDEN = re.compile(rb'<input type="hidden"[^>]*>')


class Watch(logging.Handler):
    """What was secret, and what was shown, since the last look."""

    def __init__(self) -> None:
        super().__init__(logging.NOTSET)
        self._secrets: set[str] = set()
        self._shown: list[tuple[str, bytes]] = []
        self._errors: list[CodegrantError] = []

    def keep(self, secret: str) -> None:
        """Remember a secret."""
        if len(secret) >= _SHORTEST and len(set(secret)) >= _FEWEST:
            self._secrets.add(secret)

    def keep_answer(self, members: object) -> None:
        """Remember the secrets of a JSON answer: another process drew them."""
        if isinstance(members, dict):
            for name in _SECRET_MEMBERS & members.keys():
                self.keep(str(members[name]))

    def keep_way(self, location: str, cookies: Iterable[str]) -> None:
        """Remember the code of a redirect, and the values of `Set-Cookie` fields."""
        for name, value in parse_qsl(urlsplit(location).query):
            if name == "code":
                self.keep(value)
        for cookie in cookies:
            self.keep(cookie.partition(";")[0].partition("=")[2])

    def show(self, where: str, what: str | bytes) -> None:
        """Remember something that anybody may see."""
        self._shown.append((where, what.encode() if isinstance(what, str) else what))

    def show_page(self, path: str, body: bytes) -> None:
        """Remember a page, but for what its own forms send back."""
        self.show(f"the page {path}", _HIDDEN.sub(b"", body))

    def show_database(self, file: Path) -> None:
        """Remember what a database file and its journal hold now."""
        for path in (file, file.with_name(f"{file.name}-wal"), file.with_name(f"{file.name}-shm")):
            if path.is_file():
                self.show(f"the file {path.name}", path.read_bytes())

    def emit(self, record: logging.LogRecord) -> None:
        """Remember a log record, with whatever was handed to it."""
        text = record.getMessage()
        extra = {name: vars(record)[name] for name in vars(record).keys() - _USUAL}
        # No frames: the lines of a test may spell its secrets.
        errors = [record.exc_info[1]] if record.exc_info and record.exc_info[1] else []
        for error in errors:
            text += "".join(traceback.format_exception_only(error))
            errors += [e for e in (error.__cause__, error.__context__) if e and e not in errors]
        self.show(f"the log of {record.name}", f"{text} {extra}")

    def see_error(self, error: CodegrantError) -> None:
        """Remember an error; what it says is asked for in the end."""
        self._errors.append(error)

    def search(self) -> list[str]:
        """Return where a secret was found, and forget everything."""
        for error in self._errors:
            self.show(f"the error {type(error).__name__}", f"{error} {error!r} {vars(error)}")
        secrets, shown = self._secrets, self._shown
        self._secrets, self._shown, self._errors = set(), [], []
        wanted: dict[bytes, list[bytes]] = {}
        for secret in secrets:
            for form in spellings(secret):
                if len(form) >= _SHORTEST:
                    wanted.setdefault(form[:_SHORTEST], []).append(form)
        return list(
            dict.fromkeys(found for where, text in shown for found in _find(where, text, wanted))
        )


def _find(where: str, text: bytes, wanted: dict[bytes, list[bytes]]) -> Iterator[str]:
    for start in range(len(text) - _SHORTEST + 1):
        for form in wanted.get(text[start : start + _SHORTEST], ()):
            if text.startswith(form, start):
                around = text[max(0, start - 60) : start + len(form) + 20]
                yield f"{where}: {form[:60]!r} in {around!r}"


WATCH = Watch()


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Begin to watch."""
    make_secret, make_error, draw = Secret.__init__, CodegrantError.__init__, os.urandom

    def watched_secret(self: Secret, text: str) -> None:
        make_secret(self, text)
        WATCH.keep(text)

    def watched_error(self: CodegrantError, *args: Any, **kwargs: Any) -> None:
        make_error(self, *args, **kwargs)
        WATCH.see_error(self)

    def watched_draw(size: int, /) -> bytes:
        drawn = draw(size)
        if size >= 32 and sys._getframe(1).f_globals["__name__"] in _DRAWERS:
            WATCH.keep(urlsafe_b64encode(drawn[:32]).rstrip(b"=").decode())
        return drawn

    Secret.__init__ = watched_secret  # type: ignore[method-assign]
    CodegrantError.__init__ = watched_error  # type: ignore[method-assign]
    os.urandom = watched_draw
    root = logging.getLogger()
    root.addHandler(WATCH)
    root.setLevel(logging.DEBUG)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    """Search, once the last test of a module has given back everything."""
    yield
    if nextitem is None or nextitem.path != item.path:
        found = WATCH.search()
        if item.get_closest_marker("not_watched"):
            return
        assert not found, "a secret was shown:\n" + "\n".join(found[:10])
