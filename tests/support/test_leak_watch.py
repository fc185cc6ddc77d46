"""That the watch finds what is planted, wherever it is and however it is spelled."""

from __future__ import annotations

import logging
import secrets
from base64 import b64encode
from collections.abc import Callable
from pathlib import Path
from urllib.parse import quote

import pytest

from codegrant.errors import TransportError
from tests.support.leak_watch import Watch


def record(message: str = "x", error: BaseException | None = None) -> logging.LogRecord:
    exc_info = None if error is None else (type(error), error, None)
    return logging.LogRecord("some.library", logging.DEBUG, __file__, 1, message, (), exc_info)


def caused(secret: str) -> Exception:
    outer = RuntimeError("it failed")
    outer.__cause__ = ValueError(secret)
    outer.__cause__.__context__ = outer  # a circle does not hang
    return outer


def with_extra(secret: str) -> logging.LogRecord:
    made = record()
    made.token = {"of": secret}
    return made


def error(secret: str) -> TransportError:
    return TransportError("no answer", code="timeout", facts={"endpoint": secret})


def write(watch: Watch, file: Path, content: str) -> None:
    file.write_bytes(b"\0\1" + content.encode() + b"\0")
    watch.show_database(file.with_name("x.db"))


PLACES = [
    pytest.param(lambda w, s, _: w.emit(record(f"got {s}")), id="a log line"),
    pytest.param(lambda w, s, _: w.emit(with_extra(s)), id="an extra of a log line"),
    pytest.param(lambda w, s, _: w.emit(record("x", ValueError(s))), id="a logged exception"),
    pytest.param(lambda w, s, _: w.emit(record("x", caused(s))), id="its cause"),
    pytest.param(lambda w, s, _: w.see_error(TransportError(s, code="x")), id="an error"),
    pytest.param(lambda w, s, _: w.see_error(error(s)), id="the facts of an error"),
    pytest.param(lambda w, s, _: w.show_page("/", f"<p>{s}</p>".encode()), id="a page"),
    pytest.param(lambda w, s, p: write(w, p / "x.db", s), id="a database"),
    pytest.param(lambda w, s, p: write(w, p / "x.db-wal", s), id="its journal"),
]
SPELLINGS = [
    pytest.param(str, id="as it is"),
    pytest.param(lambda s: s.encode().hex(), id="hex"),
    pytest.param(lambda s: b64encode(f"id:{s}".encode()).decode(), id="base64 within something"),
    pytest.param(lambda s: quote(s, safe=""), id="percent-encoded"),
]


@pytest.mark.parametrize("spell", SPELLINGS)
@pytest.mark.parametrize("plant", PLACES)
def test_what_is_planted_is_found_once(
    tmp_path: Path, plant: Callable[[Watch, str, Path], None], spell: Callable[[str], str]
) -> None:
    (tmp_path / "x.db").touch()
    watch, secret = Watch(), f"{secrets.token_urlsafe(24)}+/"
    plant(watch, spell(secret), tmp_path)
    assert watch.search() == []  # it is not known to be one
    watch.keep(secret)
    plant(watch, spell(secrets.token_urlsafe(24)), tmp_path)
    assert watch.search() == []
    watch.keep(secret)
    plant(watch, spell(secret), tmp_path)
    assert watch.search() != []
    assert watch.search() == []  # everything is forgotten


def test_what_a_form_of_the_page_sends_back_is_no_finding() -> None:
    watch, secret = Watch(), secrets.token_urlsafe(24)
    watch.keep(secret)
    watch.show_page("/", f'<input type="hidden" name="t" value="{secret}">'.encode())
    assert watch.search() == []


@pytest.mark.parametrize(
    "keep",
    [
        pytest.param(lambda w, s: w.keep_answer({"access_token": s}), id="access token"),
        pytest.param(lambda w, s: w.keep_answer({"refresh_token": s}), id="refresh token"),
        pytest.param(lambda w, s: w.keep_answer({"client_secret": s}), id="client secret"),
        pytest.param(lambda w, s: w.keep_way(f"https://a/?state=x&code={s}", []), id="code"),
        pytest.param(lambda w, s: w.keep_way("", [f"cg={s}; Path=/"]), id="cookie"),
    ],
)
def test_what_another_process_gave_is_watched(keep: Callable[[Watch, str], None]) -> None:
    watch, secret = Watch(), secrets.token_urlsafe(24)
    keep(watch, secret)
    watch.show("the log of a server", f"line with {secret} in it")
    assert len(watch.search()) == 1


def test_what_everybody_may_know_is_not() -> None:
    watch, public = Watch(), secrets.token_urlsafe(24)
    watch.keep_answer({"token_type": public, "scope": public, "sub": public})
    watch.keep_answer([public])
    watch.keep_way(f"https://a/?state={public}&iss={public}", [])
    watch.show("the log of a server", public)
    assert watch.search() == []
