"""Where parameters may come from. Layer: server, no I/O."""

from __future__ import annotations

from codegrant.errors import OAuthError
from codegrant.http import Request
from codegrant.messages.parameters import Parameters

__all__ = ["check_repeated", "parse_form", "parse_query"]

_FORM = "application/x-www-form-urlencoded"
_FORM_TYPES = frozenset({_FORM, f"{_FORM};charset=utf-8", f'{_FORM};charset="utf-8"'})


def parse_form(request: Request, *, max_bytes: int) -> Parameters:
    """Return the parameters of a form body.

    Raises:
        OAuthError: `invalid_request`: not a form, or parameters in the query as well,
            where secrets would end in logs.
        MessageError: the body is malformed or too large.

    RFC 6749 §2.3.1, §3.2, Appendix B.
    """
    if request.query:
        raise OAuthError("invalid_request", "parameters in the query are not allowed here")
    types = request.headers.get_all("content-type")
    if len(types) != 1 or types[0].replace(" ", "").lower() not in _FORM_TYPES:
        raise OAuthError("invalid_request", f"the body must be {_FORM} in UTF-8")
    return Parameters.parse(request.body, max_bytes=max_bytes)


def check_repeated(form: Parameters) -> None:
    """Check that no parameter but `resource` is repeated. RFC 6749 §3.2."""
    repeated = form.find_repeated()
    if repeated is not None:
        raise OAuthError("invalid_request", "a parameter is repeated", reason="repeated_parameter")


def parse_query(request: Request, *, max_bytes: int) -> Parameters:
    """Return the parameters of the query.

    Raises:
        MessageError: the query is malformed or too long.
    """
    return Parameters.parse(request.query, max_bytes=max_bytes)
