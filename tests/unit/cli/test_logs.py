"""`cli.logs`: one line per record, in ASCII, with nothing but what stands on a list."""

from __future__ import annotations

import asyncio
import io
import logging
import sys
from collections.abc import Mapping

import pytest

from codegrant.cli.logs import EventLines, LineFormatter
from codegrant.server.events import Event
from codegrant.web.performer import log_event


def line(message: str, *arguments: object, name: str = "codegrant.events", **more: object) -> str:
    record = logging.LogRecord(name, logging.INFO, "/a/module.py", 7, message, arguments, None)
    record.created = 0.0
    for key, value in more.items():
        setattr(record, key, value)
    return LineFormatter().format(record)


def facts(values: Mapping[str, object]) -> str:
    return line("m", facts=values).removeprefix("1970-01-01T00:00:00Z INFO codegrant.events m")


def test_a_record_is_time_level_logger_and_message() -> None:
    assert line("worker_died") == "1970-01-01T00:00:00Z INFO codegrant.events worker_died"


def test_only_known_facts_are_written() -> None:
    shown = facts({"worker": 7, "client_id": "app", "password": "s3cret", "access_token": "s3cret"})
    assert shown == " worker=7 client_id=app"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        pytest.param("app", "app", id="a word"),
        pytest.param("", '""', id="nothing"),
        pytest.param("two words", '"two words"', id="two words"),
        pytest.param('a"b', '"a\\"b"', id="quote"),
        pytest.param("a\nb level=ERROR", '"a\\nb level=ERROR"', id="a line of its own"),
        pytest.param("a=b", '"a=b"', id="a fact of its own"),
        pytest.param("\x1b[2J", '"\\x1b[2J"', id="escape"),
        pytest.param("ä\u2028", '"\\xe4\\u2028"', id="beyond ASCII"),
        pytest.param("a\\n", '"a\\\\n"', id="backslash"),
    ],
)
def test_a_fact_can_neither_end_the_line_nor_add_another(value: str, shown: str) -> None:
    assert facts({"client_id": value}) == f" client_id={shown}"


def test_a_message_cannot_end_the_line() -> None:
    assert line("a %s", "b\nc", name="uvicorn.error").endswith(" uvicorn.error a b\\nc")


def test_of_others_only_the_place_is_written() -> None:
    assert line("the token is %s", "s3cret", name="asyncio").endswith(" asyncio module:7")
    assert line("s3cret", name="codegrantish").endswith(" codegrantish module:7")


def test_of_an_exception_only_type_and_place_are_written() -> None:
    with pytest.raises(ValueError, match="s3cret") as raised:
        int("s3cret")
    error = raised.value
    shown = line("unexpected_error", exc_info=(type(error), error, error.__traceback__))
    assert "s3cret" not in shown
    assert "ValueError" in shown
    assert "\n" not in shown


@pytest.mark.parametrize(
    "event",
    [
        pytest.param(Event("key_created", 0), id="no facts"),
        pytest.param(Event("code_redeemed", 0, {"client_id": "app", "scope": "a b"}), id="info"),
        pytest.param(
            Event("login_failed", 0, {"source": "::1", "reason": "no\none"}), id="warning"
        ),
        pytest.param(Event("request_failed", 0, {"status": 503, "reason": ""}), id="a number"),
    ],
)
def test_an_event_is_written_as_its_log_record_would_be(
    event: Event, capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "codegrant.events")
    log_event(event)
    (record,) = caplog.records
    EventLines()(event)
    written = capsys.readouterr().err
    assert without_time(written) == without_time(LineFormatter().format(record)) + "\n"
    assert written.count("\n") == 1


def test_an_event_below_the_level_of_its_logger_is_not_written(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.WARNING, "codegrant.events")
    events = EventLines()
    events(Event("code_redeemed", 0))
    events(Event("code_replayed", 0))
    written = capsys.readouterr().err
    assert without_time(written) == "WARNING codegrant.events code_replayed\n"


def test_the_events_of_one_turn_of_a_loop_are_written_together(
    capsys: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "codegrant.events")
    events = EventLines()

    async def serve() -> list[str]:
        events(Event("code_redeemed", 0))
        events(Event("code_replayed", 0))
        seen = [capsys.readouterr().err]
        await asyncio.sleep(0)
        seen.append(capsys.readouterr().err)
        events(Event("key_created", 0))
        return seen

    before, after = asyncio.run(serve())
    assert before == ""
    assert [without_time(line) for line in after.splitlines()] == [
        "INFO codegrant.events code_redeemed",
        "WARNING codegrant.events code_replayed",
    ]
    # What comes when the loop is no more waits for nothing.
    capsys.readouterr()
    events(Event("logout", 0))
    written = capsys.readouterr().err
    assert without_time(written.splitlines()[-1]) == "INFO codegrant.events logout"
    events.write()
    assert capsys.readouterr().err == ""


def test_what_is_written_at_once_goes_whole_into_a_pipe(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "codegrant.events")
    written: list[str] = []
    monkeypatch.setattr(sys.stderr, "write", written.append)
    events = EventLines()
    names = [f"grant-{number}" for number in range(100)]

    async def serve() -> None:
        for name in names:
            events(Event("code_redeemed", 0, {"grant_id": name, "scope": "x" * 150}))
        events(Event("page_refused", 0, {"reason": "y" * 9000}))

    asyncio.run(serve())
    assert 1 < len(written) < len(names)
    assert all(text.endswith("\n") for text in written)
    assert all(len(text) <= 4096 for text in written[:-1])
    *short, long = "".join(written).splitlines()
    assert [line.split("grant_id=")[1].split(" ")[0] for line in short] == names
    assert len(long) > 9000


def test_a_log_that_is_closed_fails_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    closed = io.StringIO()
    closed.close()
    for stderr in (closed, None):
        monkeypatch.setattr(sys, "stderr", stderr)
        EventLines()(Event("code_replayed", 0))


def without_time(text: str) -> str:
    """Return a line without its first word, which the clock decides."""
    return text.partition(" ")[2]
