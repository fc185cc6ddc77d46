"""The keys that seal what a site keeps. Layer: web."""

from __future__ import annotations

from django.conf import settings

from codegrant.sealing import KeyRing
from codegrant.web.login_setup import find_configured_keys

__all__ = ["find_keys"]


def find_keys() -> KeyRing:
    """Return the keys of `CODEGRANT_SECRET`, else those of Django's own secret.

    Raises:
        ConfigurationError: a key has under 32 characters.
        django.core.exceptions.ImproperlyConfigured: `SECRET_KEY` is empty.
    """
    secrets: list[str | bytes] = [settings.SECRET_KEY, *settings.SECRET_KEY_FALLBACKS]
    found = find_configured_keys(secrets)
    assert found is not None  # noqa: S101 - there is a secret, or Django has refused
    return found
