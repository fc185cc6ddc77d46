"""The addresses of a web login, as browsers see them. Layer: web, no I/O.

Redirects name paths only: what a request says about its own host decides nothing but the
redirect URI of an application without `public_url`, and the provider knows that one.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from urllib.parse import quote, unquote, urlencode

from codegrant.client.configuration import ClientConfig
from codegrant.errors import CodegrantError, ConfigurationError, MessageError, UsageError
from codegrant.http import Request
from codegrant.messages.parameters import Parameters
from codegrant.rules.return_to import safe_return_to
from codegrant.rules.uri import check_https_or_loopback, origin_of, parse_uri, short
from codegrant.web.login_cookies import LoginCookies

__all__ = ["LoginAddresses"]

_NAME = re.compile(r"[A-Za-z0-9._~-]{1,40}")
# What may stand in a path as it is: pchar and "/". RFC 3986 §3.3.
_PATH = "/:@!$&'()*+,;=-._~"


class LoginAddresses:
    """Where a login starts, where its callback arrives, and where people go afterwards.

    Args:
        configs: of each provider's client, by the provider's name.
        public_url, login_path, callback_path, logout_path, home: see `WebLogin`.

    Raises:
        UsageError: a provider's name has other characters than an address should.
        ConfigurationError: `public_url` is neither https nor loopback or has a query, or a
            client's own `redirect_uri` leads somewhere else.
    """

    def __init__(
        self,
        configs: Mapping[str, ClientConfig],
        *,
        public_url: str | None,
        login_path: str,
        callback_path: str,
        logout_path: str,
        home: str,
    ) -> None:
        if public_url is not None:
            check_https_or_loopback(public_url, name="public_url", error=ConfigurationError)
            if "?" in public_url:
                raise ConfigurationError(f"public_url: {short(public_url)} has a query")
        self._configs = configs
        self._public_url = None if public_url is None else public_url.rstrip("/")
        self._home = home
        several = len(configs) > 1
        names = {name: f"/{name}" if several else "" for name in configs}
        self.starts: dict[str, str] = {login_path + end: name for name, end in names.items()}
        self.callbacks: dict[str, str] = {callback_path + end: name for name, end in names.items()}
        self.login_path: str = login_path
        self.logout_path: str = logout_path
        self.logged_out_path: str = f"{logout_path}/done"
        self.backchannels: dict[str, str] = {
            f"{logout_path}/backchannel{end}": name for name, end in names.items()
        }
        self._check()

    def routes(self) -> Iterator[tuple[str, str]]:
        """Yield a name and the path of each address, e.g. `login.google` and `/login/google`."""
        named = {
            "login": self.login_path,
            "logout": self.logout_path,
            "logout.done": self.logged_out_path,
        }
        for kind, paths in (
            ("login", self.starts),
            ("callback", self.callbacks),
            ("logout.backchannel", self.backchannels),
        ):
            for path, name in paths.items():
                named[kind if len(paths) == 1 else f"{kind}.{name}"] = path
        yield from named.items()

    def origin(self, request: Request) -> str:
        """Return where the application lives, e.g. `https://app.example`."""
        return _origin(self._base(request))

    def seen_origin(self, request: Request) -> str:
        """Return what this very request was sent to; with `public_url` it may be another."""
        return _origin(request.url)

    def below(self, request: Request, path: str) -> str:
        """Return a path below the application's root as a path of its origin."""
        base = self._base(request)
        return base.removeprefix(_authority(base)) + path

    def home(self, request: Request) -> str:
        """Return the path where people go unless asked otherwise."""
        return self.below(request, self._home)

    def here(self, request: Request) -> str:
        """Return the path that `request` asked for, with its query."""
        path = self.below(request, quote(request.path, safe=_PATH))
        return f"{path}?{request.query}" if request.query else path

    def login_url(
        self,
        request: Request,
        return_to: str | None = None,
        more: Mapping[str, str] = MappingProxyType({}),
    ) -> str:
        """Return the path that starts a login and leads to `return_to` in the end."""
        url = self.below(request, self.login_path)
        safe = None if return_to is None else safe_return_to(return_to)
        query = {**({} if safe is None else {"return_to": safe}), **more}
        return f"{url}?{urlencode(query)}" if query else url

    def consent_url(
        self, request: Request, name: str, return_to: str, more: Mapping[str, str]
    ) -> str:
        """Return the path that starts a login in which a provider asks for consent again."""
        return self.restart_url(request, name, return_to, {"consent": "1", **more})

    def restart_url(
        self, request: Request, name: str, return_to: str | None, more: Mapping[str, str]
    ) -> str:
        """Return the path that starts a login at a provider once more.

        Args:
            request: of the login before.
            name: of the provider.
            return_to: where that login should have led.
            more: what else belongs in the query, see `LoginAsks.query`.
        """
        path = self.below(request, next(path for path, n in self.starts.items() if n == name))
        query = {**more, **({} if return_to is None else {"return_to": return_to})}
        return f"{path}?{urlencode(query)}" if query else path

    def asks_for_consent(self, request: Request) -> bool:
        """Return whether a login is started by `consent_url`."""
        try:
            return Parameters.parse(request.query).single("consent") == "1"
        except MessageError:
            return False

    def return_to(self, request: Request) -> str | None:
        """Return the safe path of the parameter `return_to`, if there is one.

        One of the login's own addresses is none: it would go round for ever.
        """
        try:
            text = Parameters.parse(request.query).single("return_to")
        except MessageError:
            return None
        safe = None if text is None else safe_return_to(text)
        own = {self.below(request, path) for _, path in self.routes()}
        if safe is None or re.split(r"[?#]", safe, maxsplit=1)[0] in own:
            return None
        return safe

    def redirect_uri(self, request: Request, name: str) -> str:
        """Return the redirect URI of a provider.

        Raises:
            UsageError: it would be plain http to another machine, where no cookie is safe.
        """
        configured = self._configs[name].redirect_uri
        if configured is not None:
            return configured
        path = next(path for path, n in self.callbacks.items() if n == name)
        url = self._base(request) + path
        check_https_or_loopback(url, name="redirect_uri", error=_no_public_url)
        return url

    def logged_out_uri(self, request: Request) -> str:
        """Return where a provider's logout leads back to."""
        return self._base(request) + self.logged_out_path

    def cookies(self, request: Request) -> LoginCookies:
        """Return the application's cookies."""
        return self._cookies_at(self._base(request))

    def session_cookie(self) -> str | None:
        """Return the name of the session's cookie; without `public_url` each request decides."""
        return None if self._public_url is None else self._cookies_at(self._public_url).session

    def _cookies_at(self, base: str) -> LoginCookies:
        root = _origin(base) + base.removeprefix(_authority(base))
        return LoginCookies(root, [config.client_id for config in self._configs.values()])

    def _base(self, request: Request) -> str:
        """Return the URL of the application's root as browsers see it, without a slash."""
        if self._public_url is not None:
            return self._public_url
        authority = _authority(request.url)
        whole = unquote(request.url.removeprefix(authority))
        if not whole.endswith(request.path):
            return authority
        return authority + quote(whole.removesuffix(request.path).rstrip("/"), safe=_PATH)

    def _check(self) -> None:
        for name, config in self._configs.items():
            if not _NAME.fullmatch(name):
                raise UsageError(
                    f"client: {name!r} is no name of a provider; it stands in addresses: 1 to 40 "
                    "letters, digits, - . _ ~"
                )
            if config.redirect_uri is None:
                continue
            path = next(path for path, n in self.callbacks.items() if n == name)
            try:
                configured = unquote(parse_uri(config.redirect_uri).path)
            except MessageError:
                configured = ""
            if not configured.endswith(path):
                raise ConfigurationError(
                    f"redirect_uri: {config.redirect_uri!r} does not lead to {path}",
                    hint="set callback_path to its path, or leave redirect_uri out of the client",
                )


def _no_public_url(message: str) -> CodegrantError:
    return UsageError(
        message,
        code="no_public_url",
        hint="set public_url to the https address under which browsers reach the application, or "
        "let the framework trust the headers of the proxy in front of it",
    )


def _origin(url: str) -> str:
    """Return the origin of `url`; of one that is none, whatever stands in its place."""
    try:
        return origin_of(_authority(url))
    except UsageError:
        return _authority(url)


def _authority(url: str) -> str:
    scheme, _, rest = url.partition("://")
    return f"{scheme}://{rest.partition('/')[0]}"
