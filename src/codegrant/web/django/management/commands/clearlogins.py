"""`manage.py clearlogins`: delete what has expired. Layer: web."""

from __future__ import annotations

import time
from typing import Any

from django.core.management.base import BaseCommand, CommandParser
from django.db import connections, router

from codegrant.web.django.models import Session
from codegrant.web.django.store import clear_expired

__all__ = ["Command"]


class Command(BaseCommand):
    """Deletes sessions, callbacks and leases that have expired.

    Every login deletes a few; so this is for sites on which people rarely log in.
    """

    help: str = "Deletes what codegrant keeps and nobody needs any more."

    def add_arguments(self, parser: CommandParser) -> None:
        """Take the name of a database."""
        parser.add_argument(
            "--database",
            choices=tuple(connections),
            help="alias; by default the one that the routers name for sessions",
        )

    def handle(self, *_: object, **options: Any) -> None:  # noqa: ANN401 - as Django asks
        """Delete, and say how many."""
        using = options["database"] or router.db_for_write(Session)
        gone = clear_expired(int(time.time()), using)
        self.stdout.write(f"deleted {gone} expired rows")
