"""Names and attributes of the cookies that an issuer sets (D20). Layer: server, no I/O.

Browsers ignore ports and `Path=/` is forced by `__Host-`, so each name carries six
characters of the issuer's digest: two servers on one host never collide.
"""

from __future__ import annotations

from codegrant.http import Headers
from codegrant.server.policy import Policy

__all__ = ["build_cookie", "clear_cookie", "cookie_name", "find_cookie_names"]


def cookie_name(policy: Policy, role: str, suffix: str = "") -> str:
    """Return the name of this issuer's cookie for `role`, for example `session`."""
    prefix = "__Host-" if policy.is_https else ""
    tail = f"-{suffix}" if suffix else ""
    return f"{prefix}cg-{role}-{policy.cookie_mark}{tail}"


def build_cookie(policy: Policy, name: str, value: str, *, max_age: int) -> str:
    """Return the `Set-Cookie` value: HttpOnly, SameSite=Lax, host only. RFC 6265 §4.1."""
    secure = "; Secure" if policy.is_https else ""
    return f"{name}={value}; Max-Age={max_age}; Path=/; HttpOnly; SameSite=Lax{secure}"


def clear_cookie(policy: Policy, name: str) -> str:
    """Return the `Set-Cookie` value that makes the browser drop `name`."""
    return build_cookie(policy, name, "", max_age=0)


def find_cookie_names(headers: Headers, prefix: str) -> tuple[str, ...]:
    """Return the cookie names that start with `prefix`, oldest first.

    Browsers send cookies of one path in the order of their creation. RFC 6265 §5.4.
    """
    names = (
        part.partition("=")[0].strip()
        for line in headers.get_all("cookie")
        for part in line.split(";")
    )
    return tuple(dict.fromkeys(name for name in names if name.startswith(prefix)))
