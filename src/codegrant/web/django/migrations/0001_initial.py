"""Accounts, sessions, callbacks and leases. Layer: web."""

from __future__ import annotations

from collections.abc import Sequence
from typing import ClassVar

from django.conf import settings
from django.db import migrations, models
from django.db.migrations.operations.base import Operation

__all__ = ["Migration"]


class Migration(migrations.Migration):
    """Makes the tables."""

    initial: ClassVar[bool | None] = True

    dependencies: ClassVar[Sequence[tuple[str, str]]] = [
        migrations.swappable_dependency(settings.AUTH_USER_MODEL)
    ]

    operations: ClassVar[Sequence[Operation]] = [
        migrations.CreateModel(
            name="Account",
            fields=[
                ("id", models.BigAutoField(primary_key=True, serialize=False)),
                ("issuer", models.CharField(max_length=255)),
                ("subject", models.CharField(max_length=255)),
                (
                    "user",
                    models.ForeignKey(
                        on_delete=models.CASCADE,
                        related_name="codegrant_accounts",
                        to=settings.AUTH_USER_MODEL,
                    ),
                ),
            ],
            options={
                "db_table": "codegrant_account",
                "constraints": [
                    models.UniqueConstraint(
                        fields=("issuer", "subject"), name="codegrant_account_key"
                    )
                ],
            },
        ),
        migrations.CreateModel(
            name="Session",
            fields=[
                ("digest", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("sealed", models.TextField()),
                ("expires_at", models.BigIntegerField(db_index=True)),
                ("person", models.CharField(blank=True, db_index=True, default="", max_length=64)),
                (
                    "provider_session",
                    models.CharField(blank=True, db_index=True, default="", max_length=64),
                ),
            ],
            options={"db_table": "codegrant_session"},
        ),
        migrations.CreateModel(
            name="Callback",
            fields=[
                ("digest", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("expires_at", models.BigIntegerField(db_index=True)),
                ("finished", models.BooleanField(default=False)),
                ("sealed_answer", models.TextField(blank=True, default="")),
                ("answer_until", models.BigIntegerField(default=0)),
            ],
            options={"db_table": "codegrant_callback"},
        ),
        migrations.CreateModel(
            name="Lease",
            fields=[
                ("key", models.CharField(max_length=64, primary_key=True, serialize=False)),
                ("owner", models.CharField(max_length=32)),
                ("expires_at", models.BigIntegerField(db_index=True)),
            ],
            options={"db_table": "codegrant_lease"},
        ),
    ]
