"""Key sets as they are published. Layer: keys and signatures."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from codegrant.errors import MessageError, MetadataRejected
from codegrant.jose.keys import PublicKey, parse_public_keys
from codegrant.messages.json import build_json, parse_object

__all__ = ["KeySet"]

MAXIMUM_KEYS = 100

# A hundred RSA keys, each with its certificate chain.
_MAXIMUM_BYTES = 1 << 20


class KeySet:
    """The public keys of one issuer. It does not change.

    Args:
        keys: in the order in which they are published.
        dropped: why further keys of the document are not among them, one line each.

    Attributes:
        kids: the names of the keys that have one.
    """

    __slots__ = ("_by_algorithm", "_by_name", "dropped", "keys", "kids")

    def __init__(self, keys: Iterable[PublicKey] = (), dropped: Iterable[str] = ()) -> None:
        self.keys: Final = tuple(keys)
        self.dropped: Final = tuple(dropped)
        self.kids: Final = frozenset(key.kid for key in self.keys if key.kid)
        by_algorithm: dict[str, tuple[PublicKey, ...]] = {}
        by_name: dict[tuple[str, str], tuple[PublicKey, ...]] = {}
        for key in self.keys:
            by_algorithm[key.alg] = (*by_algorithm.get(key.alg, ()), key)
            if key.kid:
                by_name[key.kid, key.alg] = (*by_name.get((key.kid, key.alg), ()), key)
        self._by_algorithm: Final = by_algorithm
        self._by_name: Final = by_name

    @classmethod
    def parse(cls, text: bytes) -> KeySet:
        """Return the usable keys of a JWK set; a key that we refuse is left out.

        Args:
            text: the document, at most 1 MiB and 100 keys.

        Raises:
            MetadataRejected: `too_large`, `too_many_keys`, or the code of `parse_json`
                for what is no JWK set at all.

        RFC 7517 §5.
        """
        try:
            entries = parse_object(text, max_bytes=_MAXIMUM_BYTES).get("keys")
        except MessageError as error:
            raise MetadataRejected(f"key set: {error.message}", code=error.code) from None
        if not isinstance(entries, list):
            raise MetadataRejected("key set: keys is no list", code="malformed_json")
        if len(entries) > MAXIMUM_KEYS:
            raise MetadataRejected(f"key set: more than {MAXIMUM_KEYS} keys", code="too_many_keys")
        keys: list[PublicKey] = []
        dropped: list[str] = []
        for index, entry in enumerate(entries):
            try:
                keys += parse_public_keys(entry if isinstance(entry, dict) else {})
            except MetadataRejected as error:
                dropped.append(f"keys[{index}]: {error.message}")
        return cls(keys, dropped)

    def find(self, kid: str | None, alg: str) -> tuple[PublicKey, ...]:
        """Return the keys that a token with this header may be signed with.

        Args:
            kid: the name in its header; with None every key of `alg` is a candidate, with
                a name only keys of that name are.
            alg: one of `ALGORITHMS`.
        """
        if kid is None:
            return self._by_algorithm.get(alg, ())
        return self._by_name.get((kid, alg), ())

    def to_json(self) -> bytes:
        """Return the JWK set to publish. RFC 7517 §5."""
        return build_json({"keys": [key.to_jwk() for key in self.keys]})

    def __eq__(self, other: object) -> bool:
        return isinstance(other, KeySet) and self.keys == other.keys

    def __hash__(self) -> int:
        return hash(self.keys)

    def __repr__(self) -> str:
        return f"KeySet({len(self.keys)} keys, {len(self.dropped)} dropped)"
