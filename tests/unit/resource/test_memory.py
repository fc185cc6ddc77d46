from __future__ import annotations

import threading

from codegrant.jose import KeySet
from codegrant.resource.memory import RefusedTokens, VerifiedTokens
from codegrant.rules.access_token import AccessToken

NOW = 1_800_000_000
KEYS = KeySet()


def token(jti: str) -> AccessToken:
    return AccessToken(
        issuer="https://issuer.example",
        subject="person-1",
        client_id="app",
        audience=("https://api.example",),
        scope=frozenset(),
        jti=jti,
        expires_at=NOW + 300,
        issued_at=NOW,
    )


def digest(n: int) -> bytes:
    return n.to_bytes(32)


def remember(memory: VerifiedTokens, n: int, good_until: int = NOW + 300) -> AccessToken:
    kept = token(str(n))
    memory.keep(digest(n), kept, keys=KEYS, good_until=good_until)
    return kept


def test_a_token_is_found_with_its_keys_until_its_time() -> None:
    memory = VerifiedTokens()
    kept = remember(memory, 1)
    assert memory.find(digest(1), NOW + 299) == (kept, KEYS)
    assert memory.find(digest(2), NOW) is None
    assert memory.find(digest(1), NOW + 300) is None
    assert len(memory) == 0, "it is not kept for nothing"


def test_a_token_that_is_kept_again_has_its_new_time() -> None:
    memory = VerifiedTokens()
    remember(memory, 1, NOW + 10)
    remember(memory, 1, NOW + 20)
    assert len(memory) == 1
    assert memory.find(digest(1), NOW + 19) is not None


def test_a_forgotten_token_is_gone() -> None:
    memory = VerifiedTokens()
    remember(memory, 1)
    for _ in range(2):
        memory.forget(digest(1))
        assert memory.find(digest(1), NOW) is None


def test_the_least_recently_used_token_goes_first() -> None:
    memory = VerifiedTokens(limit=3)
    for n in (1, 2, 3):
        remember(memory, n)
    assert memory.find(digest(1), NOW) is not None
    remember(memory, 2)
    remember(memory, 4)
    assert [n for n in (1, 2, 3, 4) if memory.find(digest(n), NOW)] == [1, 2, 4]


def test_ten_thousand_tokens_are_kept_and_no_more() -> None:
    memory = VerifiedTokens()
    for n in range(10_500):
        remember(memory, n)
    assert len(memory) == 10_000
    assert memory.find(digest(499), NOW) is None
    assert memory.find(digest(500), NOW) is not None


def test_threads_may_share_it() -> None:
    memory = VerifiedTokens(limit=5)
    failures: list[BaseException] = []

    def work(seed: int) -> None:
        try:
            for step in range(3000):
                n = (seed * 7 + step * 3) % 11
                found = memory.find(digest(n), NOW)
                assert found is None or found[0].jti == str(n)
                remember(memory, n)
                if step % 5 == seed:
                    memory.forget(digest(n))
        except BaseException as error:  # noqa: BLE001 - shown by the test's own thread
            failures.append(error)

    threads = [threading.Thread(target=work, args=(seed,)) for seed in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []
    assert len(memory) <= 5


def test_a_refusal_is_found_until_its_time() -> None:
    memory = RefusedTokens()
    memory.keep(digest(1), "token_inactive", "no", until=NOW + 5)
    assert memory.find(digest(1), NOW + 4) == ("token_inactive", "no")
    assert memory.find(digest(2), NOW) is None
    assert memory.find(digest(1), NOW + 5) is None
    assert len(memory) == 0


def test_of_refusals_the_oldest_goes_first() -> None:
    memory = RefusedTokens(limit=3)
    for n in (1, 2, 3, 1, 4):
        memory.keep(digest(n), "token_inactive", "no", until=NOW + 5)
    assert [n for n in (1, 2, 3, 4) if memory.find(digest(n), NOW)] == [1, 3, 4]
    for n in range(2000):
        memory.keep(digest(n), "token_inactive", "no", until=NOW + 5)
    assert len(memory) == 3
