"""The pages' forms: how long one may be, what ties one to a session. Layer: accounts, no I/O."""

from __future__ import annotations

import hmac
from hashlib import sha256

from codegrant.accounts.records import Session
from codegrant.errors import OAuthError
from codegrant.http import Request
from codegrant.jose import base64url
from codegrant.messages.parameters import Parameters
from codegrant.secret import same_secret
from codegrant.server.forms import parse_form, parse_query
from codegrant.server.server import AuthorizationServer

__all__ = ["check_csrf", "csrf_of", "foreign_form", "read_form", "read_query", "tag_of"]

MAX_QUERY_BYTES = 1024
MAX_FORM_BYTES = 16_384
_PURPOSE = "account forms"


def read_form(request: Request) -> Parameters:
    """Return the fields of a page's form.

    Raises:
        OAuthError, MessageError: it is none, or too long.
    """
    return parse_form(request, max_bytes=MAX_FORM_BYTES)


def read_query(request: Request) -> Parameters:
    """Return the parameters of a page's address.

    Raises:
        MessageError: the query is malformed or too long.
    """
    return parse_query(request, max_bytes=MAX_QUERY_BYTES)


def csrf_of(server: AuthorizationServer, session: Session) -> str:
    """Return what ties a form to one session: the value of its hidden field `csrf`."""
    return tag_of(server, session, "form")


def check_csrf(server: AuthorizationServer, session: Session, form: Parameters) -> None:
    """Check that a posted form is a page's that this session was shown.

    Raises:
        OAuthError: its `csrf` is absent or another's; status 403.

    RFC 6749 §10.12.
    """
    if not same_secret(form.single("csrf") or "", csrf_of(server, session)):
        raise foreign_form()


def tag_of(server: AuthorizationServer, session: Session, name: str) -> str:
    """Return what nobody but this issuer can say to this session, about `name`."""
    key = server.key_ring.derive(_PURPOSE)
    return base64url.encode(hmac.digest(key, session.digest + name.encode(), sha256))


def foreign_form() -> OAuthError:
    """Return the error for a form that no page of ours gave to this browser."""
    return OAuthError(
        "access_denied",
        "this form does not belong to your browser's page",
        reason="csrf token missing or wrong",
        status=403,
        redirectable=False,
    )
