"""`stores.operations.refresh_tokens`: one successor, the grace of a lost answer, and reuse."""

from __future__ import annotations

from typing import Any, NamedTuple

import pytest

from codegrant.flow import Effect
from codegrant.secret import digest_of
from codegrant.server.effects import (
    CodeRedeemed,
    CodeReplayed,
    FindAccessToken,
    FindGrant,
    RedeemCode,
    RevokeGrant,
    SaveAccessToken,
)
from codegrant.server.records import RefreshTokenRecord
from codegrant.server.refresh_effects import (
    FindFamily,
    FindRefreshToken,
    RefreshRefused,
    Retried,
    Reused,
    Rotated,
    RotateRefreshToken,
    Rotation,
)
from codegrant.stores.operations.refresh_tokens import rotate_refresh_token
from codegrant.stores.sqlite import SqliteStore
from codegrant.stores.statements import Execute
from codegrant.stores.translation import GRANT, REFRESH_TOKEN
from tests.unit.stores.examples import (
    AUDIENCE,
    NOW,
    Issued,
    access_token,
    issued,
    new_refresh_token,
)

BORN = NOW + 1
IDLE, ABSOLUTE, GRACE = 1000, 5000, 30


class Family(NamedTuple):
    """A grant with the first of its refresh tokens, `"<name>/0"`, born at `BORN`."""

    store: SqliteStore
    name: str
    one: Issued

    def token(self, generation: int) -> str:
        return f"{self.name}/{generation}"

    def rotate(self, generation: int, now: int, **changes: Any) -> Rotation:
        """Present the token of a generation; its successor is the next one's."""
        successor = new_refresh_token(self.token(generation + 1), self.name, now)
        fields: dict[str, Any] = {
            "digest": digest_of(self.token(generation)),
            "family": digest_of(self.name),
            "client_id": "web",
            "scope": (),
            "resource": None,
            "successor": successor,
            "sealed_successor": f"sealed {generation + 1}",
            "grace": GRACE,
            "now": now,
        }
        return self.store.perform(RotateRefreshToken(**(fields | changes)))

    def find(self, generation: int, now: int) -> RefreshTokenRecord | None:
        return self.store.perform(FindRefreshToken(digest_of(self.token(generation)), now))

    def is_alive(self) -> bool:
        grant = self.store.perform(FindGrant(self.one.grant.grant_id))
        return grant is not None and grant.revoked_at is None


def begin(store: SqliteStore, name: str = "family") -> Family:
    one = issued(offline=True)
    store.perform(one.save())
    first = new_refresh_token(f"{name}/0", name, BORN, idle=IDLE, absolute=ABSOLUTE)
    assert isinstance(store.perform(one.redeem(BORN, first)), CodeRedeemed)
    return Family(store, name, one)


@pytest.fixture
def family(store: SqliteStore) -> Family:
    return begin(store)


def test_a_refresh_token_comes_with_the_one_success_of_its_code(store: SqliteStore) -> None:
    one = issued(offline=True)
    store.perform(one.save())
    first, second = (new_refresh_token(text, text) for text in ("first", "second"))
    wrong = RedeemCode(one.code.digest, "web", None, "d" * 43, BORN, refresh_token=second)
    store.perform(wrong)
    store.perform(one.redeem(BORN, first))
    assert store.perform(FindRefreshToken(first.digest, BORN)) == RefreshTokenRecord(
        digest=first.digest,
        grant_id=one.grant.grant_id,
        client_id="web",
        created_at=BORN,
        expires_at=BORN + IDLE,
        ends_at=BORN + ABSOLUTE,
        cnf="thumbprint",
    )
    assert store.perform(FindFamily(first.family, BORN)) == one.grant
    assert isinstance(store.perform(one.redeem(BORN, second)), CodeReplayed)
    for effect in (FindRefreshToken(first.digest, BORN), FindRefreshToken(second.digest, BORN)):
        assert store.perform(effect) is None
    assert store.perform(FindFamily(first.family, BORN)) is None


@pytest.mark.parametrize("offline", [True, False])
def test_only_an_offline_code_leaves_a_refresh_token(store: SqliteStore, offline: bool) -> None:
    one, first = issued(offline=offline), new_refresh_token("first", "family")
    store.perform(one.save())
    assert store.perform(one.redeem(BORN, first)) == CodeRedeemed(one.code, one.grant)
    assert (store.perform(FindRefreshToken(first.digest, BORN)) is not None) == offline
    assert (store.perform(FindFamily(first.family, BORN)) is not None) == offline


def test_an_offline_code_without_a_token_leaves_none(store: SqliteStore) -> None:
    one = issued(offline=True)
    store.perform(one.save())
    assert store.perform(one.redeem()) == CodeRedeemed(one.code, one.grant)


def test_a_family_never_outlives_its_end(store: SqliteStore) -> None:
    one = issued(offline=True)
    store.perform(one.save())
    first = new_refresh_token("first", "family", BORN, idle=100, absolute=60)
    store.perform(one.redeem(BORN, first))
    found = store.perform(FindRefreshToken(first.digest, BORN))
    assert found is not None
    assert (found.expires_at, found.ends_at) == (BORN + 60, BORN + 60)


def test_a_token_becomes_its_successor(family: Family) -> None:
    assert family.rotate(0, NOW + 100) == Rotated(family.one.grant)
    assert family.find(1, NOW + 100) == RefreshTokenRecord(
        digest=digest_of(family.token(1)),
        grant_id=family.one.grant.grant_id,
        client_id="web",
        created_at=NOW + 100,
        expires_at=NOW + 100 + IDLE,
        ends_at=BORN + ABSOLUTE,
        cnf="thumbprint",
    )
    old = family.find(0, NOW + 100)
    assert old is not None
    assert old.rotated_at == NOW + 100
    assert family.rotate(1, NOW + 200) == Rotated(family.one.grant)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        pytest.param({"client_id": "other"}, "wrong_client", id="client"),
        pytest.param({"scope": ("openid", "phone")}, "wrong_scope", id="scope"),
        pytest.param({"resource": "https://other.example/"}, "wrong_resource", id="resource"),
        pytest.param({"resource": AUDIENCE + "x"}, "wrong_resource", id="longer resource"),
        pytest.param({"digest": digest_of("?"), "family": digest_of("?")}, "unknown", id="token"),
    ],
)
@pytest.mark.parametrize("rotated", [False, True], ids=["newest", "inside its grace"])
def test_a_wrong_request_costs_nothing(
    family: Family, changes: dict[str, Any], reason: str, rotated: bool
) -> None:
    good = {"scope": ("email",), "resource": AUDIENCE}
    if rotated:
        family.rotate(0, NOW + 10)
    assert family.rotate(0, NOW + 10, **(good | changes)) == RefreshRefused(reason)  # type: ignore[arg-type]
    again = family.rotate(0, NOW + 11, **good)
    expected = Retried(family.one.grant, "sealed 1") if rotated else Rotated(family.one.grant)
    assert again == expected


@pytest.mark.parametrize(
    ("grace", "later", "retried"),
    [
        pytest.param(30, 0, True, id="at once"),
        pytest.param(30, 29, True, id="the last second"),
        pytest.param(30, 30, False, id="one second late"),
        pytest.param(60, 59, True, id="longest, the last second"),
        pytest.param(60, 60, False, id="longest, one second late"),
        pytest.param(1, 0, True, id="shortest, at once"),
        pytest.param(1, 1, False, id="shortest, one second late"),
        pytest.param(30, -5, True, id="a clock that is behind"),
        pytest.param(0, 0, False, id="none, at once"),
        pytest.param(0, -1, False, id="none, a clock that is behind"),
        pytest.param(30, IDLE - 50, False, id="after the idle limit of the old one"),
    ],
)
def test_the_grace_of_a_lost_answer(family: Family, grace: int, later: int, retried: bool) -> None:
    at = NOW + 100
    opaque = access_token(family.one.grant)
    family.store.perform(SaveAccessToken(opaque))
    assert family.rotate(0, at, grace=grace) == Rotated(family.one.grant)
    again = family.rotate(0, at + later, grace=grace)
    assert isinstance(again, Retried if retried else Reused)
    assert family.is_alive() == retried
    alive = family.store.perform(FindAccessToken(opaque.digest, at)) is not None
    assert alive == retried
    newest = family.rotate(1, at + max(later, 1), grace=grace)
    assert newest == (Rotated(family.one.grant) if retried else RefreshRefused("revoked"))


def test_an_answer_that_is_lost_twice_is_the_same_each_time(family: Family) -> None:
    family.rotate(0, NOW + 100)
    for later in (0, 10, 29):
        retried = family.rotate(0, NOW + 100 + later, sealed_successor="another")
        assert retried == Retried(family.one.grant, "sealed 1")
        assert "sealed 1" not in repr(retried)
    assert family.rotate(1, NOW + 130) == Rotated(family.one.grant)


def test_once_the_successor_is_used_the_old_one_is_refused_without_harm(family: Family) -> None:
    family.rotate(0, NOW + 100)
    family.rotate(1, NOW + 101)
    assert family.rotate(0, NOW + 102) == RefreshRefused("superseded")
    assert family.is_alive()
    assert family.rotate(1, NOW + 102) == Retried(family.one.grant, "sealed 2")
    assert family.rotate(2, NOW + 103) == Rotated(family.one.grant)
    # The grace of the first one ends, and with it the forbearance.
    assert isinstance(family.rotate(0, NOW + 130), Reused)
    assert not family.is_alive()
    assert family.rotate(3, NOW + 131) == RefreshRefused("revoked")


@pytest.mark.parametrize("long_ago", [30, 900], ids=["row there", "row gone"])
def test_reuse_by_another_client_revokes_nothing(family: Family, long_ago: int) -> None:
    family.rotate(0, NOW + 100)
    family.rotate(1, NOW + 100 + long_ago - 20)
    at = NOW + 100 + long_ago
    for _ in range(2):
        assert family.rotate(0, at, client_id="other") == RefreshRefused("wrong_client")
    assert family.is_alive()
    assert isinstance(family.rotate(0, at), Reused)
    assert family.rotate(0, at) == RefreshRefused("revoked")


def test_every_generation_is_known_as_long_as_the_family_lives(family: Family) -> None:
    other = begin(family.store, "another family")
    at = NOW
    for generation in range(20):
        at += 200
        assert family.rotate(generation, at) == Rotated(family.one.grant)
    assert [family.find(old, at) for old in range(19)] == [None] * 19
    reused = family.rotate(3, at)
    assert isinstance(reused, Reused)
    assert reused.grant.grant_id == family.one.grant.grant_id
    assert (family.is_alive(), other.is_alive()) == (False, True)


def test_a_token_that_just_expired_is_no_reuse(family: Family) -> None:
    """Neither while its row is there, nor when it has been pruned."""
    family.rotate(0, NOW + 100)
    end = NOW + 100 + IDLE
    for at in (end, end + 59, end + 60, end + 3000):
        refused = family.rotate(1, at)
        assert refused in {RefreshRefused("expired"), RefreshRefused("unknown")}
        assert family.is_alive()
    assert family.rotate(1, end + 3000) == RefreshRefused("unknown")


def test_a_family_ends_by_inactivity_and_by_age(store: SqliteStore) -> None:
    early, late = begin(store, "early"), begin(store, "late")
    assert early.rotate(0, BORN + IDLE - 1) == Rotated(early.one.grant)
    assert late.rotate(0, BORN + IDLE) == RefreshRefused("expired")
    # Each use begins the idle time anew, until the family is too old.
    at = BORN + IDLE - 1
    for generation in range(1, 5):
        at += IDLE - 1
        assert early.rotate(generation, at) == Rotated(early.one.grant)
    newest = early.find(5, at)
    assert newest is not None
    assert newest.expires_at == BORN + ABSOLUTE
    assert early.find(5, BORN + ABSOLUTE - 1) == newest
    assert early.find(5, BORN + ABSOLUTE) is None
    assert early.rotate(5, BORN + ABSOLUTE - 1) == Rotated(early.one.grant)
    # No grace lasts longer than the family.
    assert early.rotate(5, BORN + ABSOLUTE) == RefreshRefused("expired")
    assert early.rotate(6, BORN + ABSOLUTE) == RefreshRefused("expired")
    assert early.is_alive()


def test_an_answer_lost_in_the_last_second_of_a_token_can_be_asked_for_again(
    family: Family,
) -> None:
    last = BORN + IDLE - 1
    assert family.rotate(0, last) == Rotated(family.one.grant)
    assert family.rotate(0, last + GRACE - 1) == Retried(family.one.grant, "sealed 1")
    assert family.rotate(1, last + GRACE) == Rotated(family.one.grant)


def test_nothing_comes_from_a_grant_that_was_revoked(family: Family) -> None:
    other = begin(family.store, "another family")
    family.rotate(0, NOW + 100)
    assert family.store.perform(RevokeGrant(family.one.grant.grant_id, NOW + 101))
    for generation in (0, 1, 2):
        for at in (NOW + 101, NOW + 200):
            assert family.rotate(generation, at) == RefreshRefused("revoked")
        assert family.find(generation, NOW + 101) is None
    assert family.store.perform(FindFamily(digest_of("family"), NOW + 101)) is None
    assert other.rotate(0, NOW + 101) == Rotated(other.one.grant)


def test_a_family_is_found_by_any_of_its_tokens_while_one_lives(family: Family) -> None:
    find = FindFamily(digest_of("family"), BORN + IDLE - 1)
    assert family.store.perform(find) == family.one.grant
    assert family.store.perform(FindFamily(digest_of("family"), BORN + IDLE)) is None
    assert family.store.perform(FindFamily(digest_of("family/0"), BORN)) is None


def test_whoever_comes_second_between_two_statements_is_judged_anew() -> None:
    """In SQLite writers stand in line; another database may let one in between."""
    one = issued()
    old = RefreshTokenRecord(
        digest=digest_of("old"),
        grant_id=one.grant.grant_id,
        client_id="web",
        created_at=NOW,
        expires_at=NOW + 1000,
        ends_at=NOW + 1000,
    )
    successor = new_refresh_token("new", "family")
    effect = RotateRefreshToken(
        old.digest, digest_of("family"), "web", (), None, successor, "mine", GRACE, NOW + 1
    )
    grant = GRANT.parameters(one.grant).values()
    flow = rotate_refresh_token(effect)
    assert name_of(next(flow)) == "find_rotation"
    fresh = (0, "", *REFRESH_TOKEN.parameters(old).values(), *grant)
    assert name_of(flow.send([fresh])) == "rotate_refresh_token"
    assert name_of(flow.send([])) == "find_rotation"
    rotated = REFRESH_TOKEN.parameters(old) | {"rotated_at": NOW + 1}
    with pytest.raises(StopIteration) as stopped:
        flow.send([(0, "theirs", *rotated.values(), *grant)])
    assert stopped.value.value == Retried(one.grant, "theirs")


def name_of(effect: Effect[Any]) -> str:
    assert isinstance(effect, Execute)
    return effect.statement.name
