"""The Django application. Layer: web."""

from __future__ import annotations

from django.apps import AppConfig
from django.contrib.auth.signals import user_logged_out
from django.core.checks import Tags, register

__all__ = ["CodegrantConfig"]


class CodegrantConfig(AppConfig):
    """`"codegrant.web.django"` in `INSTALLED_APPS`; to models and tables it is `codegrant`."""

    name: str = "codegrant.web.django"
    label: str = "codegrant"

    def ready(self) -> None:
        """Register the checks, and let Django's own logout end our session as well."""
        from codegrant.web.django import checks
        from codegrant.web.django.site import end_with_user

        register(checks.check_middleware, Tags.security)
        register(checks.check_login, Tags.security)
        register(checks.check_addresses, Tags.urls)
        register(checks.check_deployment, Tags.security, deploy=True)
        user_logged_out.connect(end_with_user, dispatch_uid="codegrant")
