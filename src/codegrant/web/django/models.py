"""What a login keeps in Django's database: digests and sealed text, no token. Layer: web.

Times are epoch seconds. Digests are 64 hexadecimal digits.
"""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models

__all__ = ["Account", "Callback", "Lease", "Session"]


class Account(models.Model):
    """A person as a provider knows them, and the user that they are here.

    One user may have several: one at each provider.
    """

    id: models.BigAutoField[int, int] = models.BigAutoField(primary_key=True)
    user: models.ForeignKey[Any, Any] = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.CASCADE, related_name="codegrant_accounts"
    )
    issuer: models.CharField[str, str] = models.CharField(max_length=255)
    subject: models.CharField[str, str] = models.CharField(max_length=255)

    objects: ClassVar[models.Manager[Account]] = models.Manager()

    class Meta:  # noqa: D106 - Django's word
        db_table: str = "codegrant_account"
        # What a person is called is the provider's to change, and no key. OIDC Core §5.7.
        constraints: ClassVar[list[models.BaseConstraint]] = [
            models.UniqueConstraint(fields=["issuer", "subject"], name="codegrant_account_key")
        ]

    def __str__(self) -> str:
        return f"{self.subject} at {self.issuer}"


class Session(models.Model):
    """A finished login; see `StoredSession`."""

    digest: models.CharField[str, str] = models.CharField(max_length=64, primary_key=True)
    sealed: models.TextField[str, str] = models.TextField()
    expires_at: models.BigIntegerField[int, int] = models.BigIntegerField(db_index=True)
    person: models.CharField[str, str] = models.CharField(
        max_length=64, default="", blank=True, db_index=True
    )
    provider_session: models.CharField[str, str] = models.CharField(
        max_length=64, default="", blank=True, db_index=True
    )

    objects: ClassVar[models.Manager[Session]] = models.Manager()

    class Meta:  # noqa: D106 - Django's word
        db_table: str = "codegrant_session"

    def __str__(self) -> str:
        return self.digest[:8]


class Callback(models.Model):
    """A callback that somebody exchanges or has exchanged; see `ClaimCallback`."""

    digest: models.CharField[str, str] = models.CharField(max_length=64, primary_key=True)
    expires_at: models.BigIntegerField[int, int] = models.BigIntegerField(db_index=True)
    finished: models.BooleanField[bool, bool] = models.BooleanField(default=False)
    sealed_answer: models.TextField[str, str] = models.TextField(default="", blank=True)
    answer_until: models.BigIntegerField[int, int] = models.BigIntegerField(default=0)

    objects: ClassVar[models.Manager[Callback]] = models.Manager()

    class Meta:  # noqa: D106 - Django's word
        db_table: str = "codegrant_callback"

    def __str__(self) -> str:
        return self.digest[:8]


class Lease(models.Model):
    """Who refreshes the tokens of a session, for a few seconds; see `TakeLease`."""

    key: models.CharField[str, str] = models.CharField(max_length=64, primary_key=True)
    owner: models.CharField[str, str] = models.CharField(max_length=32)
    expires_at: models.BigIntegerField[int, int] = models.BigIntegerField(db_index=True)

    objects: ClassVar[models.Manager[Lease]] = models.Manager()

    class Meta:  # noqa: D106 - Django's word
        db_table: str = "codegrant_lease"

    def __str__(self) -> str:
        return self.key[:8]
