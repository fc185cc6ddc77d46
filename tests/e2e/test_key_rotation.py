"""Signing keys rotate while people log in: no token is refused anywhere, at any moment."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from codegrant.jose import parse_compact
from codegrant.resource.facade import ResourceServer
from tests.e2e.conftest import Start
from tests.support.relying_party import RelyingParty, register

AUDIENCE = "https://api.example"
# Longer than the five seconds after which every process knows of a new key.
ACTIVATE_AFTER = 6
PATIENCE = 40
THREADS = 3


class Traffic:
    """Logs in again and again and has every token judged, until it is told to stop."""

    def __init__(self, party: RelyingParty, ca_file: str) -> None:
        self.party = party
        self.api = ResourceServer(party.issuer, AUDIENCE, ca_file=ca_file)
        self.over = threading.Event()
        self.kids: list[str] = []
        self.refused: list[str] = []

    def run(self) -> None:
        browser = self.party.new_browser()
        self.party.authorize(browser)
        kept: list[str] = []
        while not self.over.is_set():
            answer = self.party.log_in(browser)
            access_token = answer.json["access_token"]
            kept.append(access_token)
            self.kids.append(str(parse_compact(access_token).kid))
            # The newest, and one from before: its key may have been retired meanwhile.
            for token in (kept[-1], kept[0]):
                self._judge(token)

    def _judge(self, token: str) -> None:
        try:
            self.api.verify(token)
        except Exception as error:  # noqa: BLE001 - whatever it is, it must not be
            self.refused.append(repr(error))
        if self.party.userinfo(token) != 200:
            self.refused.append("userinfo")


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    tick = threading.Event()
    while not what():
        assert time.monotonic() < deadline
        tick.wait(0.05)


@pytest.mark.timeout(120)
def test_no_token_is_refused_while_the_keys_rotate(start: Start, ca_file: str) -> None:
    environment = {"CODEGRANT_KEYS_ACTIVATE_AFTER": str(ACTIVATE_AFTER)}
    server = start("--workers", "2", environment=environment)
    server.add_user()
    server.run("resources", "add", AUDIENCE, "--id", "api", "--scope", "read")
    scope = ("--scope", "openid read", "--audience", AUDIENCE)
    party = register(server, "app", "--skip-consent", *scope, scope="openid read")
    traffic = Traffic(party, ca_file)
    with ThreadPoolExecutor(THREADS) as pool:
        done = [pool.submit(traffic.run) for _ in range(THREADS)]
        try:
            wait_for(lambda: len(traffic.kids) > THREADS)
            (first,) = set(traffic.kids)
            server.run("keys", "rotate")
            wait_for(lambda: traffic.kids[-1] != first)
            # Both workers sign with the new key before long, and go on doing so.
            settled = len(traffic.kids) + 30
            wait_for(lambda: len(traffic.kids) > settled)
        finally:
            traffic.over.set()
        for each in done:
            each.result()
    traffic.api.close()
    assert traffic.refused == []
    assert len(set(traffic.kids)) == 2
    assert set(traffic.kids[-THREADS:]) == set(traffic.kids) - {first}
    assert '"status":5' not in server.log
    assert "request_failed" not in server.log
