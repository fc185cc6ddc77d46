"""A process of its own that calls an API with tokens that several processes share.

    python -m tests.support.refreshing JSON

It says `ready`, then answers every line `N` with what N calls at once came to: the status of each
or the name of its error. On the way it says `waits` when another process has the lease.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from codegrant import AsyncClient, Client, CodegrantError, KeyRing, Tokens
from codegrant.client import LeasedTokens
from codegrant.client.configuration import ClientConfig
from codegrant.client.effects import ClaimCallback, FinishCallback
from codegrant.flow import Effect, Flow, run
from codegrant.secret import digest_of
from codegrant.stores.sqlite import SqliteStore
from codegrant.stores.token_file import TokenFile
from codegrant.web.login_sessions import LoginSessions
from codegrant.web.login_tokens import SessionTokens

RING = KeyRing(["r" * 32])
SESSION_ID = "the id of a session"


class Files:
    """A file of tokens, as each call of a script opens it."""

    def __init__(self, folder: Path, config: ClientConfig, clock: Callable[[], float]) -> None:
        del config, clock
        self._path = folder / "login"

    def begin(self, tokens: Tokens) -> None:
        TokenFile(self._path, key_ring=RING).save(tokens)

    def open(self) -> LeasedTokens:
        return TokenFile(self._path, key_ring=RING)


class Sessions:
    """A session of a web application with SQLite, as each of its requests finds it."""

    def __init__(self, folder: Path, config: ClientConfig, clock: Callable[[], float]) -> None:
        self._perform = self.open_store(folder)
        self._sessions = LoginSessions({"default": config}, lambda: RING, lifetime=86_400)
        self._clock = clock

    def open_store(self, folder: Path) -> Callable[[Effect[Any]], Any]:
        return SqliteStore(folder / "codegrant.db").perform

    def begin(self, tokens: Tokens) -> None:
        now = int(self._clock())
        login_id = digest_of("a login")
        begun = self._sessions.begin(
            SESSION_ID, provider="default", tokens=tokens, login_id=login_id, now=now
        )
        self._perform(ClaimCallback(login_digest=login_id, now=now, expires_at=now + 600))
        self._perform(
            FinishCallback(
                login_digest=login_id,
                sealed_answer="",
                answer_until=now,
                session=self._sessions.seal(begun),
            )
        )

    def open(self) -> LeasedTokens:
        def drive(flow: Flow[Any]) -> Any:
            return run(flow, self._perform)

        signed_in = drive(self._sessions.find(SESSION_ID, int(self._clock())))
        assert signed_in is not None, "the session has ended"
        return SessionTokens(
            self._sessions,
            signed_in,
            drive=drive,
            clock=lambda: int(self._clock()),
            tell=lambda _: None,
        )


class DjangoSessions(Sessions):
    """A session of a Django site; `django.json` in the folder says in which database."""

    def open_store(self, folder: Path) -> Callable[[Effect[Any]], Any]:
        from codegrant.web.django.store import DjangoTokenStore, leaving_no_connection
        from tests.support import django_project

        settings = {"NAME": str(folder / "django.db")}
        if (folder / "django.json").exists():
            settings = json.loads((folder / "django.json").read_text())
        elif not (folder / "django.db").exists():
            django_project.copy_database(folder / "django.db")
        store = DjangoTokenStore(django_project.add_database(settings["NAME"], settings))

        def perform(effect: Effect[Any]) -> Any:
            with leaving_no_connection():
                return store.perform(effect)

        return perform


class SharedSessions(Sessions):
    """A session in a store that machines share; `store.txt` in the folder says in which."""

    def open_store(self, folder: Path) -> Callable[[Effect[Any]], Any]:
        from tests.support.token_stores import open_store

        perform: Callable[[Effect[Any]], Any]
        perform = open_store((folder / "store.txt").read_text(encoding="utf-8")).perform
        return perform


PLACES: dict[str, type[Files | Sessions]] = {
    "PostgreSQL": SharedSessions,
    "Valkey": SharedSessions,
    "SQLite": Sessions,
    "file": Files,
    "Django": DjangoSessions,
    "Django on PostgreSQL": DjangoSessions,
}


@dataclass(frozen=True, kw_only=True)
class Task:
    """What such a process is to do.

    Attributes:
        place: of `PLACES`.
        colour: `sync` or `async`.
        ahead: how many seconds the clock is.
        dies: whether it is killed, by itself, once it has new tokens and before it saves them.
        stops: whether it is stopped, by itself, once it has the lease and has read the tokens.
    """

    place: str
    colour: str
    folder: str
    issuer: str
    client_id: str
    client_secret: str | None
    url: str
    ahead: int
    timeout: float = 20.0
    dies: bool = False
    stops: bool = False

    def make_client(self) -> Client | AsyncClient:
        kind = AsyncClient if self.colour == "async" else Client
        return kind(
            self.issuer,
            client_id=self.client_id,
            client_secret=self.client_secret,
            timeout=self.timeout,
            clock=self.clock,
        )

    def clock(self) -> float:
        return time.time() + self.ahead

    def to_json(self) -> str:
        return json.dumps(asdict(self))


class Watched:
    """A place of tokens that says when it has to wait, and dies or stops where it is told to."""

    said = threading.Event()

    def __init__(self, place: LeasedTokens, *, dies: bool, stops: bool) -> None:
        self._place = place
        self._dies = dies
        self._stops = stops
        self._is_leased = False
        self.delete, self.release_lease = place.delete, place.release_lease

    def load(self) -> Tokens | None:
        found = self._place.load()
        if self._stops and self._is_leased:
            self._stops = False
            say("stops")
            os.kill(os.getpid(), signal.SIGSTOP)
        return found

    def take_lease(self, owner: bytes, now: int, duration: int) -> bool:
        taken = self._is_leased = self._place.take_lease(owner, now, duration)
        if not taken and not self.said.is_set():
            self.said.set()
            say("waits")
        return taken

    def save(self, tokens: Tokens, *, replacing: Tokens | None = None) -> bool:
        if self._dies:
            os.kill(os.getpid(), signal.SIGKILL)
        return self._place.save(tokens, replacing=replacing)


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    task = Task(**json.loads(sys.argv[1]))
    client = task.make_client()
    place = PLACES[task.place](Path(task.folder), client.flows.config, task.clock)

    def open_place() -> Watched:
        return Watched(place.open(), dies=task.dies, stops=task.stops)

    def call(client: Client) -> str:
        try:
            return str(client.api(open_place()).get(task.url).status_code)
        except CodegrantError as error:
            return type(error).__name__

    async def call_async(client: AsyncClient) -> str:
        try:
            place = await asyncio.to_thread(open_place)
            return str((await client.api(place).get(task.url)).status_code)
        except CodegrantError as error:
            return type(error).__name__

    async def call_many(client: AsyncClient, times: int) -> list[str]:
        return list(await asyncio.gather(*(call_async(client) for _ in range(times))))

    def go(times: int) -> list[str]:
        if isinstance(client, AsyncClient):
            return asyncio.run(call_many(client, times))
        if times == 1:
            return [call(client)]  # in the main thread, which an interruption reaches
        with ThreadPoolExecutor(times) as pool:
            return list(pool.map(call, [client] * times))

    say("ready")
    for line in sys.stdin:
        try:
            say(" ".join(go(int(line))))
        except KeyboardInterrupt:
            say("interrupted")


if __name__ == "__main__":
    main()
