"""The effects of a token store as Lua scripts, each one atomic step in Valkey or Redis.

All keys of a store have one hash tag, so that a cluster keeps them together. Every key
expires by itself an hour after what it holds has ended: what is expired is judged by the
time that an effect brings, and machines' clocks differ. Layer: stores, no I/O.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias, cast

from codegrant.client.effects import (
    ClaimCallback,
    Claimed,
    DeleteSession,
    EndSessions,
    FindSession,
    FinishCallback,
    Finished,
    InProgress,
    ReleaseLease,
    SaveSession,
    StoredSession,
    TakeLease,
)
from codegrant.errors import StoreError, UsageError

__all__ = ["Command", "Keys", "answer_of", "command_of"]

Value: TypeAlias = str | bytes | int

_COMMON = """
local function expire(key, at) redis.call('EXPIREAT', key, at + 3600) end

local function claim(key, now, expires_at)
    local found = redis.call('HGET', key, 'expires_at')
    if found and tonumber(found) > now then return false end
    redis.call('DEL', key)
    redis.call('HSET', key, 'expires_at', expires_at)
    expire(key, expires_at)
    return true
end

-- Sessions by person and by session at the provider: the names of their keys, by expiry.
local function enter(index, session, expires_at)
    if index == '' then return end
    local now = tonumber(redis.call('TIME')[1])
    redis.call('ZREMRANGEBYSCORE', index, '-inf', now - 3600)
    redis.call('ZADD', index, expires_at, session)
    local latest = redis.call('ZREVRANGE', index, 0, 0, 'WITHSCORES')
    expire(index, tonumber(latest[2]))
end

local function delete(session)
    for _, index in ipairs(redis.call('HMGET', session, 'person', 'provider')) do
        if index and index ~= '' then redis.call('ZREM', index, session) end
    end
    return redis.call('DEL', session)
end
"""

_CLAIM = """
if claim(KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])) then return {1} end
local found = redis.call('HMGET', KEYS[1], 'answer', 'until')
if not found[2] then return {0} end
if tonumber(ARGV[1]) < tonumber(found[2]) then return {2, found[1]} end
return {2, ''}
"""

_FINISH = """
if redis.call('EXISTS', KEYS[1]) == 0 then return 0 end
redis.call('HSET', KEYS[1], 'answer', ARGV[1], 'until', ARGV[2])
if KEYS[2] then
    redis.call('HSET', KEYS[2], 'sealed', ARGV[3], 'expires_at', ARGV[4],
        'person', ARGV[5], 'provider', ARGV[6])
    expire(KEYS[2], tonumber(ARGV[4]))
    enter(ARGV[5], KEYS[2], ARGV[4])
    enter(ARGV[6], KEYS[2], ARGV[4])
end
return 1
"""

_SAVE = """
local found = redis.call('HMGET', KEYS[1], 'expires_at', 'sealed', 'person', 'provider')
if not found[1] or tonumber(found[1]) <= tonumber(ARGV[1]) then return 0 end
if ARGV[4] and ARGV[4] ~= found[2] then return 0 end
redis.call('HSET', KEYS[1], 'sealed', ARGV[2], 'expires_at', ARGV[3])
expire(KEYS[1], tonumber(ARGV[3]))
enter(found[3], KEYS[1], ARGV[3])
enter(found[4], KEYS[1], ARGV[3])
return 1
"""

_FIND = "return redis.call('HMGET', KEYS[1], 'sealed', 'expires_at', 'person', 'provider')"

_DELETE = "return delete(KEYS[1])"

_END = """
if not claim(KEYS[1], tonumber(ARGV[1]), tonumber(ARGV[2])) then return -1 end
local person, provider, ended = ARGV[3], ARGV[4], 0
local index = person
if person == '' then index = provider end
for _, session in ipairs(redis.call('ZRANGE', index, 0, -1)) do
    local its = redis.call('HGET', session, 'provider')
    if person == '' or provider == '' or its == provider or its == '' then
        ended = ended + delete(session)
    end
end
return ended
"""

_TAKE = """
local found = redis.call('HMGET', KEYS[1], 'owner', 'expires_at')
local now, duration = tonumber(ARGV[2]), tonumber(ARGV[3])
if found[1] and found[1] ~= ARGV[1] then
    local expires_at = tonumber(found[2])
    if now < expires_at and expires_at <= now + 2 * duration then return 0 end
end
redis.call('HSET', KEYS[1], 'owner', ARGV[1], 'expires_at', now + duration)
expire(KEYS[1], now + duration)
return 1
"""

_RELEASE = """
if redis.call('HGET', KEYS[1], 'owner') ~= ARGV[1] then return 0 end
return redis.call('DEL', KEYS[1])
"""


@dataclass(frozen=True, slots=True)
class Command:
    """A script to run, with its keys and arguments."""

    script: str
    keys: tuple[str, ...]
    arguments: tuple[Value, ...] = ()


@dataclass(frozen=True, slots=True)
class Keys:
    """The names of a store's keys.

    Attributes:
        prefix: that all of them begin with, in the braces of a hash tag.
    """

    prefix: str

    def of(self, kind: str, digest: bytes) -> str:
        """Return the key of one thing; an empty digest has none."""
        return f"{{{self.prefix}}}:{kind}:{digest.hex()}" if digest else ""


def command_of(effect: object, keys: Keys) -> Command:
    """Return what performs `effect`.

    Raises:
        UsageError: it is none of a token store's.
    """
    match effect:
        case ClaimCallback():
            key = keys.of("callback", effect.login_digest)
            return _command(_CLAIM, (key,), effect.now, effect.expires_at)
        case FinishCallback():
            return _finish(effect, keys)
        case SaveSession(session, now, replacing):
            key = keys.of("session", session.digest)
            expected = () if replacing is None else (replacing,)
            return _command(_SAVE, (key,), now, session.sealed, session.expires_at, *expected)
        case FindSession(digest):
            return Command(_FIND, (keys.of("session", digest),))
        case DeleteSession(digest):
            return _command(_DELETE, (keys.of("session", digest),))
        case EndSessions():
            key = keys.of("callback", effect.token_digest)
            named = _indexes(effect.person, effect.provider_session, keys)
            return _command(_END, (key,), effect.now, effect.remember_until, *named)
        case TakeLease():
            key = keys.of("lease", effect.key)
            return _command(_TAKE, (key,), effect.owner.hex(), effect.now, effect.duration)
        case ReleaseLease():
            return Command(_RELEASE, (keys.of("lease", effect.key),), (effect.owner.hex(),))
        case _:
            raise UsageError(f"{type(effect).__name__} is no effect of a token store")


def answer_of(effect: object, reply: object) -> object:
    """Return the answer to `effect`, of what its script replied.

    Raises:
        StoreError: a callback was finished that nobody had claimed.
    """
    match effect:
        case ClaimCallback():
            kind, *answer = cast("list[int | bytes]", reply)
            if kind == 2:
                return Finished(cast("bytes", answer[0]).decode())
            return Claimed() if kind == 1 else InProgress()
        case FinishCallback():
            if reply != 1:
                raise StoreError("a callback was finished that nobody had claimed", stage="store")
            return None
        case FindSession():
            return _session(effect, cast("list[bytes | None]", reply))
        case EndSessions():
            return None if reply == -1 else reply
        case _:
            return reply == 1


def _command(script: str, keys: tuple[str, ...], *arguments: Value) -> Command:
    return Command(_COMMON + script, keys, arguments)


def _finish(effect: FinishCallback, keys: Keys) -> Command:
    callback = keys.of("callback", effect.login_digest)
    answer = (effect.sealed_answer, effect.answer_until)
    session = effect.session
    if session is None:
        return _command(_FINISH, (callback,), *answer)
    return _command(
        _FINISH,
        (callback, keys.of("session", session.digest)),
        *answer,
        session.sealed,
        session.expires_at,
        *_indexes(session.person, session.provider_session, keys),
    )


def _indexes(person: bytes, provider_session: bytes, keys: Keys) -> tuple[str, str]:
    return keys.of("person", person), keys.of("provider-session", provider_session)


def _session(effect: FindSession, reply: list[bytes | None]) -> StoredSession | None:
    sealed, expires_at, person, provider_session = reply
    if sealed is None or expires_at is None or int(expires_at) <= effect.now:
        return None
    return StoredSession(
        digest=effect.digest,
        sealed=sealed.decode(),
        expires_at=int(expires_at),
        person=_digest(person),
        provider_session=_digest(provider_session),
    )


def _digest(key: bytes | None) -> bytes:
    """Return the digest that a key ends in."""
    return bytes.fromhex((key or b"").decode().rpartition(":")[2])
