"""Codes, refresh tokens and revocations that meet, in servers of several processes.

The requests of a volley are complete but for one byte before any of them can be answered, so
that nothing but the server decides who is first.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import Any, NamedTuple, Self

import pytest

from codegrant.secret import digest_of
from codegrant.server.effects import (
    FindGrant,
    RevokeGrant,
)
from codegrant.server.refresh_effects import (
    FindFamily,
)
from codegrant.stores.sqlite import SqliteStore
from tests.support.browser import Browser
from tests.support.relying_party import (
    Answer,
    RelyingParty,
    administer,
    read_claims,
    register,
    send_form,
)
from tests.support.serving import Serving
from tests.support.volley import fire, form_request
from tests.unit.stores.examples import NOW, Issued, issued, new_refresh_token

RACERS = 50
ROUNDS = 5
OFFLINE = "openid offline_access"
Tokens = Mapping[str, Any]


class World(NamedTuple):
    """A server of three processes, an application, and a browser in which alice agreed."""

    server: Serving
    app: RelyingParty
    browser: Browser
    store: SqliteStore
    access_format: str
    grace: int

    def log_in(self) -> Tokens:
        tokens: Tokens = self.app.log_in(self.browser).json
        return tokens

    def fire(self, forms: Sequence[tuple[str, Sequence[tuple[str, str]]]]) -> list[Tokens]:
        """Send forms to endpoints at once; return the JSON answers, each with its status."""
        authentication = self.app.authentication()
        requests = [
            form_request(f"{self.app.issuer}/{endpoint}", fields, authentication)
            for endpoint, fields in forms
        ]
        return [
            {"status": answer.status, **json.loads(answer.body or b"{}")}
            for answer in fire(self.app.origin, requests)
        ]

    def refreshes(self, token: str, times: int) -> list[tuple[str, list[tuple[str, str]]]]:
        form = [("grant_type", "refresh_token"), ("refresh_token", token)]
        return [("token", form)] * times

    def is_alive(self, tokens: Tokens) -> bool:
        """Return whether anything of a token response still works."""
        if self.app.userinfo(tokens["access_token"]) != 401:
            return True
        answer = self.app.refresh(tokens["refresh_token"])
        assert answer.status in {200, 400}, answer
        return answer.status == 200


@pytest.fixture(
    scope="module",
    params=[("jwt", 0), ("opaque", 30)],
    ids=["JWT without grace", "opaque with grace"],
)
def world(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[World]:
    access_format, grace = request.param
    environment = {
        "CODEGRANT_TOKENS_ACCESS_FORMAT": access_format,
        "CODEGRANT_REFRESH_GRACE_SECONDS": str(grace),
    }
    folder = tmp_path_factory.mktemp("server")
    with Serving(folder, "--workers", "3", environment=environment) as server:
        server.add_user()
        app = register(server, "app", "--skip-consent", scope=OFFLINE)
        browser = app.new_browser()
        app.authorize(browser)
        with SqliteStore.open(folder / "codegrant.db") as store:
            yield World(server, app, browser, store, access_format, grace)


def split(answers: Sequence[Tokens]) -> tuple[list[Tokens], list[Tokens]]:
    """Return those that succeeded and those that were refused as they must be."""
    won = [one for one in answers if one["status"] == 200]
    lost = [one for one in answers if one["status"] != 200]
    assert {(one["status"], one["error"]) for one in lost} <= {(400, "invalid_grant")}
    return won, lost


@pytest.mark.requirement("AS-CODE-03", "AS-CODE-05")
def test_of_fifty_redemptions_one_succeeds_and_the_replays_end_its_tokens(world: World) -> None:
    neighbour = world.log_in()
    for _ in range(ROUNDS):
        form = world.app.token_request(world.app.authorize(world.browser)["code"])
        won, lost = split(world.fire([("token", form)] * RACERS))
        # An opaque token is not even handed out once a replay has ended its grant.
        assert len(won) == 1 or (not won and world.access_format == "opaque")
        assert len(won) + len(lost) == RACERS
        assert not any(world.is_alive(one) for one in won)
    assert world.is_alive(neighbour)


@pytest.mark.requirement("AS-CODE-04", "AS-CODE-05")
def test_replays_that_are_wrong_themselves_do_not_end_the_one_that_is_right(world: World) -> None:
    for _ in range(ROUNDS):
        right = world.app.token_request(world.app.authorize(world.browser)["code"])
        wrong = [
            (name, "https://app.example/other" if name == "redirect_uri" else value)
            for name, value in right
        ]
        forms = [wrong] * (RACERS // 2) + [right] + [wrong] * (RACERS // 2)
        won, _ = split(world.fire([("token", form) for form in forms]))
        (tokens,) = won
        assert world.is_alive(tokens)


@pytest.mark.requirement("AS-RT-06")
def test_fifty_uses_of_one_refresh_token_give_one_successor(world: World) -> None:
    neighbour = world.log_in()
    for _ in range(ROUNDS):
        tokens = world.log_in()
        won, lost = split(world.fire(world.refreshes(tokens["refresh_token"], RACERS)))
        if world.grace:
            assert (len(won), lost) == (RACERS, [])
            assert len({one["refresh_token"] for one in won}) == 1
            assert len({one["access_token"] for one in won}) == RACERS
            assert {world.app.userinfo(one["access_token"]) for one in won} == {200}
            assert world.app.refresh(won[0]["refresh_token"]).status == 200
        else:
            # All but one were reuse, and reuse ends the family.
            assert (len(won), len(lost)) == (1, RACERS - 1)
            assert not world.is_alive(won[0])
            assert not world.is_alive(tokens)
    assert world.is_alive(neighbour)


@pytest.mark.requirement("AS-RT-06")
def test_token_and_successor_that_come_together_leave_one_chain(world: World) -> None:
    """What a client with two threads might send: whoever is late finds no second chain."""
    for _ in range(ROUNDS):
        first = world.log_in()["refresh_token"]
        second = world.app.refresh(first).json["refresh_token"]
        answers = world.fire(world.refreshes(first, 10) + world.refreshes(second, 10))
        won, _ = split(answers)
        successors = {one["refresh_token"] for one in won} - {second}
        if world.grace:
            assert len(successors) == 1
            assert world.app.refresh(successors.pop()).status == 200
        else:
            assert len(successors) <= 1
            assert not any(world.is_alive(one) for one in won)


def by_the_client(world: World, tokens: Tokens) -> None:
    form = [("token", tokens["refresh_token"])]
    answer = send_form(f"{world.app.issuer}/revoke", form, world.app.authentication())
    assert answer.status == 200


def by_another_process(world: World, tokens: Tokens) -> None:
    family = digest_of(tokens["refresh_token"][:24])
    grant = world.store.perform(FindFamily(family, read_claims(tokens["id_token"])["iat"]))
    assert grant is not None
    assert world.store.perform(RevokeGrant(grant.grant_id, NOW))


def by_disabling_the_person(world: World, tokens: Tokens) -> None:
    del tokens
    administer(world.server, "users", "disable", "alice")
    administer(world.server, "users", "enable", "alice")


REVOCATIONS = pytest.mark.parametrize(
    "revoke", [by_the_client, by_another_process, by_disabling_the_person]
)


@pytest.mark.requirement("AS-RT-08")
@REVOCATIONS
def test_a_revocation_during_a_chain_of_refreshes_leaves_no_live_token(
    world: World, revoke: Callable[[World, Tokens], None]
) -> None:
    """One client refreshes as fast as it can until it is refused."""
    for start_after in range(1, ROUNDS + 1):
        first = world.log_in()
        answers: list[Answer] = []
        going = Event()

        def refresh_on(tokens: Tokens, answers: list[Answer], going: Event, enough: int) -> None:
            newest = tokens["refresh_token"]
            while True:
                answer = world.app.refresh(newest)
                answers.append(answer)
                if len(answers) >= enough or answer.status != 200:
                    going.set()
                if answer.status != 200:
                    return
                newest = answer.json["refresh_token"]

        with ThreadPoolExecutor(1) as pool:
            chain = pool.submit(refresh_on, first, answers, going, start_after)
            assert going.wait(20)
            revoke(world, first)
            chain.result(20)
        *received, last = answers
        assert received
        assert (last.status, last.error) == (400, "invalid_grant")
        assert not any(world.is_alive(one) for one in (first, *(each.json for each in received)))


def test_a_revocation_amid_a_volley_of_refreshes_leaves_no_live_token(world: World) -> None:
    counted = Counter[int]()
    for round_ in range(ROUNDS * 2):
        tokens = world.log_in()
        forms = world.refreshes(tokens["refresh_token"], 20)
        forms.insert(round_ * 2, ("revoke", [("token", tokens["refresh_token"])]))
        answers = world.fire(forms)
        (revoked,) = [answers.pop(round_ * 2)]
        assert revoked["status"] == 200
        won, _ = split(answers)
        counted[len(won)] += 1
        assert not any(world.is_alive(one) for one in (tokens, *won))
    assert counted.total() == ROUNDS * 2


def test_of_a_code_and_a_revocation_nothing_stays_alive(world: World) -> None:
    """Disabling the person meets the first redemption, and the tokens it just gave."""
    for _ in range(ROUNDS):
        codes = [world.app.authorize()["code"] for _ in range(2)]
        forms = [world.app.token_request(code) for code in codes]
        with ThreadPoolExecutor(1) as pool:
            disabled = pool.submit(administer, world.server, "users", "disable", "alice")
            won, _ = split(world.fire([("token", form) for form in forms * 5]))
            disabled.result(20)
        administer(world.server, "users", "enable", "alice")
        assert not any(world.is_alive(one) for one in won)


class Rotators:
    """Processes with threads of their own on one database, without any server."""

    def __init__(self, path: Path, processes: int, threads: int) -> None:
        self.store = SqliteStore.open(path)
        self.processes = [
            subprocess.Popen(
                [sys.executable, "-m", "tests.support.rotating", str(path), str(threads)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                text=True,
            )
            for _ in range(processes)
        ]
        for process in self.processes:
            assert process.stdout is not None
            assert process.stdout.readline() == "ready\n"

    def begin(self, name: str) -> Issued:
        one = issued(offline=True)
        self.store.perform(one.save())
        self.store.perform(one.redeem(NOW, new_refresh_token(f"{name}/0", name, NOW)))
        return one

    def tell(self, lines: Sequence[str]) -> list[list[str]]:
        """Give every process its line, then take every answer."""
        for process, line in zip(self.processes, lines, strict=True):
            assert process.stdin is not None
            process.stdin.write(f"{line}\n")
            process.stdin.flush()
        answers: list[list[str]] = []
        for process in self.processes:
            assert process.stdout is not None
            answers.append(process.stdout.readline().rstrip("\n").split(","))
        return answers

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        for process in self.processes:
            process.communicate(timeout=20)
        self.store.close()


@pytest.fixture(scope="module")
def rotators(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Rotators]:
    with ExitStack() as stack:
        path = tmp_path_factory.mktemp("rotators") / "codegrant.db"
        yield stack.enter_context(Rotators(path, processes=5, threads=10))


@pytest.mark.requirement("AS-RT-06")
@pytest.mark.parametrize("grace", [30, 0])
def test_five_processes_with_ten_threads_each_make_one_successor(
    rotators: Rotators, grace: int
) -> None:
    for round_ in range(20):
        name = f"family-{grace}-{round_}"
        one = rotators.begin(name)
        # The clocks of two machines never agree.
        lines = [f"{one.grant.grant_id} {name} 0 {grace} {NOW + n % 2}" for n in range(5)]
        answers = Counter(each for one in rotators.tell(lines) for each in one)
        assert answers.total() == RACERS
        assert answers.pop("Rotated") == 1
        grant = rotators.store.perform(FindGrant(one.grant.grant_id))
        assert grant is not None
        if grace:
            ((retried, times),) = answers.items()
            assert retried.startswith("Retried ")
            assert times == RACERS - 1
            assert grant.revoked_at is None
        else:
            assert answers == {"Reused": 1, "revoked": RACERS - 2}
            assert grant.revoked_at is not None


def test_a_revocation_by_one_process_holds_for_what_the_others_rotate(rotators: Rotators) -> None:
    for round_ in range(20):
        name = f"revoked-{round_}"
        one = rotators.begin(name)
        rotate = f"{one.grant.grant_id} {name} 0 30 {NOW}"
        revoke = f"{one.grant.grant_id} - 0 0 {NOW}"
        lines = [rotate] * 5
        lines[round_ % 5] = revoke
        answers = rotators.tell(lines)
        assert answers.pop(round_ % 5) == ["True"]
        kinds = {each.split(" ")[0] for one in answers for each in one}
        assert kinds <= {"Rotated", "Retried", "revoked"}
        after = rotators.tell([rotate] * 5)
        assert {each for one in after for each in one} == {"revoked"}
        assert rotators.store.perform(FindFamily(digest_of(name), NOW)) is None
