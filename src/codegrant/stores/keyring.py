"""`KeyringTokens`: tokens in a file whose key is in the user's keyring. Layer: stores.

The keyrings of the operating systems hold a password, and no more: some have no room for a
JWT, and none replaces a value only if it is still the one that was read. So the key is there,
and the tokens, sealed with it, are in a `TokenFile`.
"""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from codegrant.client.tokens import Tokens
from codegrant.errors import ConfigurationError, StoreError
from codegrant.sealing import KeyRing
from codegrant.stores.token_file import TokenFile

try:
    import keyring
    from keyring import errors
except ImportError as _error:  # pragma: no cover - seen in the test of the bare wheel
    raise ConfigurationError(
        "codegrant.stores.keyring needs keyring: pip install 'codegrant[keyring]'"
    ) from _error

__all__ = ["KeyringTokens"]


class KeyringTokens:
    """Keeps the tokens of one login as `LeasedTokens` wants them kept; `Client.api` takes it.

    As a `TokenFile`, but for its key: who has the file alone cannot read it. Only the first
    login makes a key; the keyring may ask its user to unlock it.

    Args:
        path: of the file, one for each login.
        service: the name that the key has in the keyring, together with the path.
    """

    def __init__(self, path: str | os.PathLike[str], *, service: str = "codegrant") -> None:
        self._path = Path(path).expanduser().absolute()
        self._service = service
        self._file = TokenFile(self._path, key_ring=self._keys)

    def load(self) -> Tokens | None:
        """Return the tokens; `None` when there is no file: nobody is logged in.

        Raises:
            StoreError: `store_no_keyring`, `store_locked`, `store_key`; or as
                `TokenFile.load`.
        """
        return self._file.load()

    def save(self, tokens: Tokens, *, replacing: Tokens | None = None) -> bool:
        """Keep `tokens` from now on; see `TokenFile.save`. Raises as `load` does."""
        return self._file.save(tokens, replacing=replacing)

    def delete(self, tokens: Tokens | None = None) -> bool:
        """Remove the file; see `TokenFile.delete`. The key stays, for the next login."""
        return self._file.delete(tokens)

    def take_lease(self, owner: bytes, now: int, duration: int) -> bool:
        """Take the lease; see `LeasedTokens.take_lease`."""
        return self._file.take_lease(owner, now, duration)

    def release_lease(self, owner: bytes) -> bool:
        """Give the lease back; see `LeasedTokens.release_lease`."""
        return self._file.release_lease(owner)

    def _keys(self) -> KeyRing:
        """Return the keys in the keyring; made when there are none."""
        name = str(self._path)
        try:
            text = keyring.get_password(self._service, name)
            if text is None:
                keyring.set_password(self._service, name, secrets.token_urlsafe(32))
                text = keyring.get_password(self._service, name)
        except errors.NoKeyringError:
            raise _no_keyring("there is no keyring on this system") from None
        except errors.KeyringLocked:
            raise StoreError(
                "the keyring is locked",
                code="store_locked",
                stage="store",
                hint="unlock it and try again",
            ) from None
        except Exception as error:  # noqa: BLE001 - each backend fails in its own way
            raise StoreError(
                f"the keyring failed ({type(error).__name__})", stage="store"
            ) from None
        if text is None:
            raise _no_keyring("the keyring of this system keeps nothing")
        try:
            return KeyRing.parse(text)
        except ConfigurationError:
            raise StoreError(
                f"the keyring holds no key for {name}",
                code="store_key",
                stage="store",
                hint="remove its entry, delete() the tokens, and log in again",
            ) from None

    def __repr__(self) -> str:
        return f"KeyringTokens({str(self._path)!r})"


def _no_keyring(what: str) -> StoreError:
    return StoreError(
        what,
        code="store_no_keyring",
        stage="store",
        hint="install a backend of the keyring package, or use TokenFile",
    )
