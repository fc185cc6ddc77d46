"""The access token on its way to an API, as an httpx2 auth object. Layer: client.

For those who bring an httpx2 client of their own; `Client.api` puts it to use.
"""

from __future__ import annotations

from collections.abc import Collection, Generator

import httpx2

from codegrant.errors import UsageError
from codegrant.http import is_loopback_host
from codegrant.secret import Secret

__all__ = ["BearerAuth"]


class BearerAuth(httpx2.Auth):
    """Sends an access token to https and loopback origins, and to no origin but those named.

    Args:
        access_token: goes into the `Authorization` header. RFC 6750 §2.1.
        origins: where it may go, e.g. `{"https://api.example"}`; empty means to every
            https or loopback origin that a call names.
        follow_redirects: follow redirects here, with the token within one origin and
            without it to any other. The client's own setting stays off then.
    """

    def __init__(
        self,
        access_token: Secret,
        *,
        origins: Collection[str] = frozenset(),
        follow_redirects: bool = False,
    ) -> None:
        self._access_token = access_token
        self._origins = frozenset(origins)
        self._follow_redirects = follow_redirects
        self._judged: set[tuple[str, bytes, int | None]] = set()

    def auth_flow(
        self, request: httpx2.Request
    ) -> Generator[httpx2.Request, httpx2.Response, None]:
        """Send `request` with the token.

        Raises:
            UsageError: the token may not go to this origin; nothing was sent.
        """
        url = request.url
        origin = (url.scheme, url.raw_host, url.port)
        if origin not in self._judged:
            self._judge(url)
            self._judged.add(origin)
        request.headers["authorization"] = f"Bearer {self._access_token.reveal()}"
        response = yield request
        if self._follow_redirects:
            while (following := response.next_request) is not None:
                step = following.url
                if (step.scheme, step.raw_host, step.port) != origin:
                    following.headers.pop("authorization", None)
                response = yield following

    def _judge(self, url: httpx2.URL) -> None:
        if not url.host:
            raise UsageError(
                "api: a path alone names no API",
                code="relative_api_url",
                stage="api",
                hint="give the whole address, or base_url to api(...)",
            )
        if url.scheme != "https" and not (url.scheme == "http" and is_loopback_host(url.host)):
            raise UsageError(
                f"api: an access token goes to https or loopback addresses only, not to {url.scheme}://{url.host}",
                code="insecure_api_url",
                stage="api",
            )
        if self._origins and _origin(url) not in self._origins:
            raise UsageError(
                f"api: {_origin(url)} is not among the configured api_origins",
                code="foreign_api_origin",
                stage="api",
                hint="add the origin to api_origins if this API may have the token",
            )

    def __repr__(self) -> str:
        return f"BearerAuth(***, origins={sorted(self._origins)})"


def _origin(url: httpx2.URL) -> str:
    name = url.raw_host.decode("ascii")  # `url.host` shows an internationalised name decoded
    host = f"[{name}]" if ":" in name else name
    return f"{url.scheme}://{host}" + ("" if url.port is None else f":{url.port}")
