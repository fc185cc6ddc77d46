"""A process of its own that rotates refresh tokens on a database, told what to do line by line.

    python -m tests.support.rotating DATABASE THREADS

It says `ready`, then answers every line `grant name generation grace now` with what each of its
threads got for the token `name/generation`: a comma between two. `-` as name revokes the grant.
"""

from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

from codegrant.secret import digest_of
from codegrant.server.effects import (
    RevokeGrant,
)
from codegrant.server.refresh_effects import (
    NewRefreshToken,
    RefreshRefused,
    Retried,
    RotateRefreshToken,
)
from codegrant.stores.sqlite import SqliteStore


def say(line: str) -> None:
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def main() -> None:
    path, threads = sys.argv[1], int(sys.argv[2])
    with SqliteStore.open(path) as store, ThreadPoolExecutor(threads) as pool:

        def rotate(thread: int, name: str, generation: int, grace: int, now: int) -> str:
            own = f"{name}/{generation + 1}/{path}/{id(store)}/{thread}"
            successor = NewRefreshToken(digest_of(own), digest_of(name), now + 1000, now + 1000)
            answer = store.perform(
                RotateRefreshToken(
                    digest_of(f"{name}/{generation}"),
                    digest_of(name),
                    "web",
                    (),
                    None,
                    successor,
                    own,
                    grace,
                    now,
                )
            )
            if isinstance(answer, RefreshRefused):
                return answer.reason
            kind = type(answer).__name__
            return f"{kind} {answer.sealed_successor}" if isinstance(answer, Retried) else kind

        say("ready")
        for line in sys.stdin:
            grant_id, name, *numbers = line.split()
            generation, grace, now = map(int, numbers)
            if name == "-":
                say(str(store.perform(RevokeGrant(grant_id, now))))
                continue
            tried = [
                pool.submit(rotate, thread, name, generation, grace, now)
                for thread in range(threads)
            ]
            say(",".join(one.result() for one in tried))


if __name__ == "__main__":
    main()
