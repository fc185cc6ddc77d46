"""The few answers of a web login that an application does not write itself. Layer: web.

Plain HTML without a template engine: every value is escaped here, and nothing but the
style element is allowed by the content security policy.
"""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Iterable, Sequence
from hashlib import sha256
from html import escape

from codegrant.http import Headers, Response

__all__ = [
    "NOT_KEPT",
    "build_page",
    "chooser_page",
    "failure_page",
    "logout_page",
    "not_allowed",
    "redirect",
]

# No cache keeps an answer of a login, and no referrer tells about it. RFC 9700 §4.2.4.
NOT_KEPT = (("cache-control", "no-store"), ("referrer-policy", "no-referrer"))

_STYLE = """\
:root{color-scheme:light dark;--ground:#f3f5f4;--card:#fff;--text:#17211f;--soft:#52605d;\
--line:#d5dcda;--accent:#0b6a5d;--on:#fff}
@media (prefers-color-scheme:dark){:root{--ground:#101514;--card:#181f1d;--text:#e8eeec;\
--soft:#a6b3af;--line:#2c3634;--accent:#5ccbb6;--on:#06211c}}
*{box-sizing:border-box}
body{margin:0;background:var(--ground);color:var(--text);\
font:1rem/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"Noto Sans",sans-serif}
main{max-width:27rem;margin:12vh auto 2rem;padding:2rem;background:var(--card);\
border:1px solid var(--line);border-radius:.9rem;overflow-wrap:anywhere}
h1{margin:0 0 .75rem;font-size:1.5rem;line-height:1.25}
p{margin:0 0 1rem}
.soft{margin:1.25rem 0 0;color:var(--soft);font-size:.9375rem}
.button{display:block;width:100%;margin:.75rem 0 0;padding:.75rem 1.25rem;border:0;\
border-radius:.5rem;background:var(--accent);color:var(--on);font:inherit;font-weight:600;\
text-align:center;text-decoration:none;cursor:pointer}
.button:focus-visible{outline:3px solid var(--text);outline-offset:2px}
@media (max-width:30rem){body{background:var(--card)}\
main{margin:0;padding:1.5rem 1.25rem;border:0}}
"""
_STYLE_HASH = b64encode(sha256(_STYLE.encode()).digest()).decode()

_HEADERS = (
    ("content-type", "text/html; charset=utf-8"),
    (
        "content-security-policy",
        (
            f"default-src 'none'; style-src 'sha256-{_STYLE_HASH}'; base-uri 'none'; "
            "frame-ancestors 'none'"
        ),
    ),
    ("x-frame-options", "DENY"),
    ("x-content-type-options", "nosniff"),
)


def redirect(location: str, fields: Iterable[tuple[str, str]] = ()) -> Response:
    """Return a 303 to `location`."""
    return Response(status=303, headers=Headers((("location", location), *NOT_KEPT, *fields)))


def not_allowed(methods: str) -> Response:
    """Return a 405 that names the methods that are allowed."""
    return Response(status=405, headers=Headers((("allow", methods), *NOT_KEPT)))


def build_page(
    title: str, body: str, *, status: int = 200, fields: Iterable[tuple[str, str]] = NOT_KEPT
) -> Response:
    """Return a page; `body` is markup whose values are escaped already."""
    text = (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n<h1>{escape(title)}</h1>\n{body}\n</main>\n</body>\n</html>\n"
    )
    return Response(status=status, headers=Headers((*_HEADERS, *fields)), body=text.encode())


def failure_page(
    *,
    title: str,
    advice: str,
    code: str,
    reference: str,
    retry: str,
    status: int,
) -> Response:
    """Return the page of a login that did not succeed.

    Args:
        code: stable, for the person who asks for help.
        reference: ties the page to a line of the log.
        retry: address that starts the login again.
    """
    return build_page(
        title,
        f'<p id="error-description">{escape(advice)}</p>\n'
        f'<a class="button" id="retry" href="{escape(retry)}">Try again</a>\n'
        f'<p class="soft">Error code: <code id="error-code">{escape(code)}</code><br>'
        f'Reference: <code id="reference">{escape(reference)}</code></p>',
        status=status,
    )


def logout_page(action: str) -> Response:
    """Return the page that asks before it signs somebody out."""
    return build_page(
        "Sign out?",
        "<p>You asked to be signed out of this application.</p>\n"
        f'<form method="post" action="{escape(action)}">'
        '<button class="button" id="logout-yes">Sign out</button></form>',
        # With no-referrer the form would not tell its origin, by which it is known for ours.
        fields=(("cache-control", "no-store"), ("referrer-policy", "same-origin")),
    )


def chooser_page(choices: Sequence[tuple[str, str]]) -> Response:
    """Return the page that offers several providers: pairs of name and address."""
    links = "\n".join(
        f'<a class="button" href="{escape(url)}">Continue with {escape(name)}</a>'
        for name, url in choices
    )
    return build_page("Sign in", links)
