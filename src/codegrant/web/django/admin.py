"""Accounts and sessions in Django's admin; nothing that is sealed is shown. Layer: web."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, TypeAlias

from django.contrib import admin
from django.http import HttpRequest

from codegrant.web.django.models import Account, Session

if TYPE_CHECKING:
    _AccountAdmin: TypeAlias = admin.ModelAdmin[Account]
    _SessionAdmin: TypeAlias = admin.ModelAdmin[Session]
else:  # at run time it takes no argument
    _AccountAdmin = _SessionAdmin = admin.ModelAdmin

__all__: list[str] = []


@admin.register(Account)
class _Accounts(_AccountAdmin):
    """Which user a person is. One may be added by hand, before the person's first login."""

    list_display = ("subject", "issuer", "user")
    list_filter = ("issuer",)
    list_select_related = ("user",)
    raw_id_fields = ("user",)
    search_fields = ("subject",)


@admin.register(Session)
class _Sessions(_SessionAdmin):
    """The sessions that are there; deleting one signs its person out."""

    list_display = ("__str__", "ends")
    fields = ("digest", "ends")
    readonly_fields = ("digest", "ends")
    ordering = ("-expires_at",)

    @admin.display(ordering="expires_at")
    def ends(self, session: Session) -> datetime:
        """Return when a session ends."""
        return datetime.fromtimestamp(session.expires_at, UTC)

    def has_add_permission(self, request: HttpRequest) -> bool:
        """Nobody makes a session but a login."""
        del request
        return False

    def has_change_permission(self, request: HttpRequest, obj: Session | None = None) -> bool:
        """Nobody changes a session."""
        del request, obj
        return False
