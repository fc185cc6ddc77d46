"""The signing keys of one issuer: made on first need, sealed at rest, parsed once.

RS256 and ES256 exist from the first start, PS256 and EdDSA from when somebody first needs
them (D14). The first key of an algorithm signs at once; a later one is published
`keys_activate_after` seconds before, and each stays published until the last token it
signed has expired. Every process reads the list again after five seconds, and at once when
it publishes it or is shown a token of a key that it does not know: another process may have
made that key a moment ago. Layer: server, no I/O.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from codegrant.errors import StoreError, TokenRejected
from codegrant.flow import Flow, ask
from codegrant.jose import KeySet, PrivateKey, VerifiedJwt, parse_jwt, verify_signature
from codegrant.sealing import KeyRing, SealBroken
from codegrant.secret import digest_of
from codegrant.server.effects import AddKey, Emit, LoadKeys
from codegrant.server.events import Event
from codegrant.server.policy import Policy, SigningAlgorithm
from codegrant.server.records import KeyRecord

__all__ = [
    "FIRST_ALGORITHMS",
    "RELOAD_AFTER",
    "SIGNING_ALGORITHMS",
    "PublishedKeys",
    "SigningKeys",
    "make_key",
    "open_key",
    "rotate_key",
]

SIGNING_ALGORITHMS: tuple[SigningAlgorithm, ...] = ("RS256", "ES256", "PS256", "EdDSA")
FIRST_ALGORITHMS: tuple[SigningAlgorithm, ...] = ("RS256", "ES256")
RELOAD_AFTER = 5
_MOST_VERIFIED = 1000
_PURPOSE = "signing key"


@dataclass(frozen=True, slots=True)
class PublishedKeys:
    """What the issuer publishes at one moment.

    A signature that holds does so as long as its key is published, so it is verified once
    and remembered by the digest of its token; whatever may end a token is not in here.

    Attributes:
        document: the JWK Set as JSON.
        key_set: the same keys, to verify what we signed.
        records: oldest first.
    """

    document: bytes
    key_set: KeySet
    records: tuple[KeyRecord, ...]
    _verified: dict[bytes, VerifiedJwt] = field(
        default_factory=dict[bytes, VerifiedJwt], init=False, repr=False, compare=False
    )

    def verify(self, raw_token: str, *, max_bytes: int = 8192) -> VerifiedJwt:
        """Return a JWT that one of these keys signed; what it claims is yet to be judged.

        Raises:
            TokenRejected: malformed, signed by nobody here, or a signature that does not hold.
        """
        digest = digest_of(raw_token)
        known = self._verified.get(digest)
        if known is not None:
            return known
        jwt = parse_jwt(raw_token, max_bytes=max_bytes)
        verified = verify_signature(jwt, self.key_set.find(jwt.kid, jwt.alg))
        if len(self._verified) >= _MOST_VERIFIED:
            self._verified.clear()
        self._verified[digest] = verified
        return verified

    def find_signer(self, alg: str, now: int) -> KeyRecord | None:
        """Return the newest key of `alg` that signs at `now`.

        When none does yet (the first key was made by a process whose clock is ahead), it is
        the one that will be next.
        """
        newest: KeyRecord | None = None
        next_one: KeyRecord | None = None
        for record in self.records:
            if record.alg != alg or (record.retires_at is not None and record.retires_at <= now):
                continue
            if record.activates_at > now:
                if next_one is None or record.activates_at < next_one.activates_at:
                    next_one = record
            elif newest is None or record.activates_at >= newest.activates_at:
                newest = record
        return newest or next_one


class SigningKeys:
    """The keys of one issuer as this process knows them."""

    def __init__(self, policy: Policy, key_ring: KeyRing) -> None:
        self._policy = policy
        self._key_ring = key_ring
        self._parsed: dict[str, PrivateKey] = {}
        self._published: PublishedKeys | None = None
        self._loaded_at = 0

    def published(self, now: int) -> Flow[PublishedKeys]:
        """Return the published keys, at most five seconds old.

        Raises:
            StoreError: `store_key` when the key ring does not open them.
        """
        published = self._published
        if published is not None and 0 <= now - self._loaded_at < RELOAD_AFTER:
            return published
        return (yield from self.current(now))

    def current(self, now: int) -> Flow[PublishedKeys]:
        """Return the published keys as the store has them at this moment.

        Raises:
            StoreError: `store_key` when the key ring does not open them.
        """
        records = yield from ask(LoadKeys(now))
        for alg in FIRST_ALGORITHMS:
            if all(record.alg != alg for record in records):
                records = yield from self._add_first(alg, now)
        return self._take(records, now)

    def verify(self, raw_token: str, now: int) -> Flow[VerifiedJwt]:
        """Return a JWT that one of the keys signed; what it claims is yet to be judged.

        Raises:
            TokenRejected: as `PublishedKeys.verify`.
            StoreError: `store_key` when the key ring does not open the keys.
        """
        published = yield from self.published(now)
        try:
            return published.verify(raw_token)
        except TokenRejected as error:
            if error.code != "unknown_key":
                raise
        return (yield from self.current(now)).verify(raw_token)

    def signer(self, alg: SigningAlgorithm, now: int) -> Flow[PrivateKey]:
        """Return the key that signs with `alg` at `now`; it is made when there is none."""
        published = yield from self.published(now)
        record = published.find_signer(alg, now)
        if record is None:
            records = yield from self._add_first(alg, now)
            record = self._take(records, now).find_signer(alg, now)
        if record is None:
            raise StoreError(f"no active key for {alg}", stage="store")
        return self._parsed[record.kid]

    def _add_first(self, alg: SigningAlgorithm, now: int) -> Flow[tuple[KeyRecord, ...]]:
        """Make the first key of `alg`, unless another process was faster."""
        record = make_key(self._key_ring, alg, now)
        records = yield from ask(AddKey(record))
        if any(stored.kid == record.kid for stored in records):
            facts = {"kid": record.kid, "alg": alg}
            yield from ask(Emit(Event("key_created", now, facts)))
        return records

    def _take(self, records: tuple[KeyRecord, ...], now: int) -> PublishedKeys:
        """Remember these records, parsing only what is new."""
        if self._published is None or self._published.records != records:
            self._parsed = {
                record.kid: self._parsed.get(record.kid) or open_key(self._key_ring, record)
                for record in records
            }
            self._published = _publish(records, self._parsed)
        self._loaded_at = now
        return self._published


def _publish(records: tuple[KeyRecord, ...], keys: Mapping[str, PrivateKey]) -> PublishedKeys:
    """Return the JWK Set of these keys. RFC 7517 §5."""
    key_set = KeySet(keys[record.kid].public for record in records)
    return PublishedKeys(key_set.to_json(), key_set, records)


def make_key(
    key_ring: KeyRing, alg: SigningAlgorithm, now: int, *, activates_at: int | None = None
) -> KeyRecord:
    """Return a new signing key, its private half sealed; it signs at once by default."""
    key = PrivateKey.generate(alg)
    return KeyRecord(
        kid=key.kid,
        alg=alg,
        sealed_private_key=key_ring.seal(_PURPOSE, key.to_pem()),
        created_at=now,
        activates_at=now if activates_at is None else activates_at,
    )


def open_key(key_ring: KeyRing, record: KeyRecord) -> PrivateKey:
    """Return the private key of a record.

    Raises:
        StoreError: `store_key`: the key ring does not open it.
    """
    try:
        pem = key_ring.open(_PURPOSE, record.sealed_private_key)
    except SealBroken as error:
        raise StoreError(
            f"the signing key {record.kid} does not open with this key ring",
            code="store_key",
            stage="store",
            hint="start with the key ring that the database was made with",
            facts={"cause": error.code},
        ) from None
    return PrivateKey.from_pem(pem, record.alg, record.kid, trusted=True)


def rotate_key(
    policy: Policy,
    key_ring: KeyRing,
    alg: SigningAlgorithm,
    now: int,
    *,
    immediately: bool = False,
) -> Flow[tuple[KeyRecord, ...]]:
    """Add a successor for the key of `alg`, and return all keys.

    The successor is published now and signs after `policy.keys_activate_after` seconds, or
    at once when `immediately`. Its predecessors stop signing then, and stay published until
    the last token they signed has expired in every process.

    OIDC Core §10.1.1.
    """
    activates_at = now if immediately else now + policy.keys_activate_after
    record = make_key(key_ring, alg, now, activates_at=activates_at)
    # A process that has not read the list again still signs with the old key.
    last_signature = activates_at + RELOAD_AFTER
    records = yield from ask(
        AddKey(
            record,
            only_if_first=False,
            retire_others_at=activates_at,
            remove_others_at=last_signature + policy.longest_token_lifetime + 60,
        )
    )
    facts = {"kid": record.kid, "alg": alg}
    yield from ask(Emit(Event("key_created", now, facts)))
    return records
