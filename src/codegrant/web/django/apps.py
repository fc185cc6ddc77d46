"""The Django application. Layer: web."""

from __future__ import annotations

from django.apps import AppConfig

__all__ = ["CodegrantConfig"]


class CodegrantConfig(AppConfig):
    """`"codegrant.web.django"` in `INSTALLED_APPS`; to models and tables it is `codegrant`."""

    name: str = "codegrant.web.django"
    label: str = "codegrant"
