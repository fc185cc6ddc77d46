"""The HTML pages a person sees: Jinja2 templates and one stylesheet, no JavaScript."""

from codegrant.accounts.pages.render import Pages

__all__ = ["Pages"]
