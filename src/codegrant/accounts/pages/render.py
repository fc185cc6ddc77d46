"""`Pages`: from plain values to a page, with the headers that every page carries.

Whatever a template shows is escaped. Layer: accounts, no I/O but reading templates.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from codegrant.accounts.credentials import MIN_PASSWORD_LENGTH
from codegrant.accounts.pages.advice import advice_for
from codegrant.accounts.pages.words import moment_of
from codegrant.accounts.records import Access, Account, Session
from codegrant.errors import ConfigurationError, OAuthError
from codegrant.http import Headers, Request, Response
from codegrant.rules.scope import describe_scope
from codegrant.server.policy import Policy

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["PAGE_HEADERS", "AccountView", "Form", "Pages"]

_OWN_TEMPLATES = Path(__file__).parent / "templates"
_MOST_PLACES = 3

# No form-action: Chromium applies it to every redirect after the form, and so to the way
# back to the client. No Cross-Origin-Opener-Policy: it would cut a client that opened this
# page in a popup off from it.
_CSP = (
    "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; "
    "frame-ancestors 'none'"
)
PAGE_HEADERS = (
    ("content-type", "text/html; charset=utf-8"),
    ("content-security-policy", _CSP),
    ("x-frame-options", "DENY"),
    ("referrer-policy", "no-referrer"),
    ("x-content-type-options", "nosniff"),
    ("cache-control", "no-store"),
    ("pragma", "no-cache"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Form:
    """What a page's forms send back, whatever the person types.

    Attributes:
        transaction: the id of the authorization request; empty where there is none.
        csrf: ties the form to this browser, this page and who sees it.
    """

    csrf: str
    transaction: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class AccountView:
    """What the account page shows.

    Attributes:
        sid: of the session of this very browser.
        sessions: where the person is logged in.
        access: what applications may do for the person.
        more_sessions: whether there are more than are shown.
        more_access: whether there are more than are shown.
        now: epoch seconds.
        notice: what has just been done; empty for nothing.
        error: why the password was not changed; empty for no attempt.
        retry_after: seconds until another attempt at it is taken.
    """

    account: Account
    sid: str
    sessions: Sequence[Session]
    access: Sequence[Access]
    more_sessions: bool = False
    more_access: bool = False
    now: int
    notice: str = ""
    error: str = ""
    retry_after: int | None = None


class Pages:
    """The pages of one issuer.

    Args:
        policy: whose issuer gives the addresses.
        template_folder: a folder whose files stand in for ours of the same name
            (`base.html`, `login.html`, `consent.html`, `account.html`, `logout.html`,
            `error.html`, `style.css`); any of them may be absent.

    Raises:
        ConfigurationError: the folder does not exist, or Jinja2 is not installed.
    """

    def __init__(self, policy: Policy, template_folder: str | Path | None = None) -> None:
        folders = [_OWN_TEMPLATES]
        if template_folder is not None:
            folders.insert(0, _existing_folder(Path(template_folder)))
        self._path = policy.path
        self._host = urlsplit(policy.issuer).netloc
        self._style = _first_file(folders, "style.css").read_bytes()
        self._style_tag = sha256(self._style).hexdigest()[:16]
        self._environment = _environment(folders)

    def login(
        self,
        form: Form,
        *,
        client_name: str = "",
        username: str = "",
        error: str = "",
        again: bool = False,
        status: int = 200,
        retry_after: int | None = None,
        cookies: Sequence[str] = (),
    ) -> Response:
        """Return the page that asks for username and password.

        Args:
            client_name: where it leads; empty for the account page.
            username: to start with: a hint of the client, or what was typed before.
            error: what was wrong with the attempt before; empty for the first.
            again: somebody is logged in already, and the client wants it done anew.
            retry_after: seconds until another attempt is taken.
            cookies: `Set-Cookie` values.
        """
        return self._render(
            "login.html",
            status,
            cookies=cookies,
            retry_after=retry_after,
            action=f"{self._path}/login",
            transaction=form.transaction,
            csrf=form.csrf,
            client_name=client_name,
            username=username,
            error=error,
            again=again,
        )

    def consent(
        self,
        form: Form,
        *,
        client_name: str,
        person: str,
        scope: Sequence[str],
        redirect_uri: str,
        resource: str = "",
        remembered: bool = True,
        cookies: Sequence[str] = (),
    ) -> Response:
        """Return the page that asks whether the client may have what it wants.

        Args:
            person: the name of who is logged in.
            scope: what the client would get.
            redirect_uri: where the browser goes afterwards.
            resource: the API that the access is for; empty for the issuer itself.
            remembered: whether the answer is kept for the next time.
            cookies: `Set-Cookie` values.
        """
        return self._render(
            "consent.html",
            cookies=cookies,
            action=f"{self._path}/consent",
            transaction=form.transaction,
            csrf=form.csrf,
            client_name=client_name,
            person=person,
            scopes=_scopes_shown(scope),
            redirect_host=_place_of(redirect_uri),
            resource=resource,
            remembered=remembered,
        )

    def account(self, form: Form, view: AccountView) -> Response:
        """Return the page of one's own account; 400, or 429 with a wait, when it shows an error."""
        status = 200 if not view.error else 400 if view.retry_after is None else 429
        here = [session for session in view.sessions if session.sid == view.sid]
        others = [session for session in view.sessions if session.sid != view.sid]
        return self._render(
            "account.html",
            status,
            retry_after=view.retry_after,
            action=f"{self._path}/account",
            logout=f"{self._path}/logout",
            csrf=form.csrf,
            account=view.account,
            sessions=[_session_shown(session, view) for session in (*here, *others)],
            applications=[_access_shown(access, view.now) for access in view.access],
            more_sessions=view.more_sessions,
            more_applications=view.more_access,
            notice=view.notice,
            error=view.error,
            least_length=MIN_PASSWORD_LENGTH,
        )

    def logout(self, form: Form, account: Account | None) -> Response:
        """Return the page that asks whether to log out, or says that nobody is logged in."""
        return self._render(
            "logout.html", action=f"{self._path}/logout", csrf=form.csrf, account=account
        )

    def error(self, error: OAuthError, request: Request) -> Response:  # noqa: ARG002
        """Return the page for an error that is for the person alone. A `Host.error_page`."""
        advice = advice_for(error)
        return self._render(
            "error.html",
            error.status,
            retry_after=error.facts.get("retry_after"),
            code=error.error,
            description=error.description,
            heading=advice.heading,
            advice=advice.text,
        )

    def stylesheet(self, request: Request) -> Response:
        """Return the stylesheet; browsers keep it for as long as its digest is in the address."""
        tag = f'"{self._style_tag}"'
        known = request.query == self._style_tag
        keep = "public, max-age=31536000, immutable" if known else "no-cache"
        headers = [("etag", tag), ("cache-control", keep), ("x-content-type-options", "nosniff")]
        if request.headers.get("if-none-match") == tag:
            return Response(status=304, headers=Headers(headers))
        headers.append(("content-type", "text/css; charset=utf-8"))
        body = b"" if request.method == "HEAD" else self._style
        return Response(status=200, headers=Headers(headers), body=body)

    def _render(
        self,
        template: str,
        status: int = 200,
        *,
        cookies: Sequence[str] = (),
        retry_after: int | str | None = None,
        **values: object,
    ) -> Response:
        """Return a page with all of its headers."""
        headers = [*PAGE_HEADERS, *(("set-cookie", cookie) for cookie in cookies)]
        if retry_after is not None:
            headers.append(("retry-after", str(retry_after)))
        text = self._environment.get_template(template).render(
            stylesheet=f"{self._path}/style.css?{self._style_tag}", host=self._host, **values
        )
        return Response(status=status, headers=Headers(headers), body=text.encode())


def _environment(folders: Sequence[Path]) -> Environment:
    """Return a Jinja2 environment that escapes everything and forgives no unknown name."""
    try:
        from jinja2 import Environment, FileSystemLoader, StrictUndefined
    except ImportError:
        raise ConfigurationError(
            "the pages need Jinja2: pip install 'codegrant[server]'", code="extra_missing"
        ) from None
    return Environment(
        loader=FileSystemLoader(folders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,
    )


def _existing_folder(folder: Path) -> Path:
    if not folder.is_dir():
        raise ConfigurationError(f"template_folder: {str(folder)!r} is not a folder")
    return folder


def _first_file(folders: Sequence[Path], name: str) -> Path:
    return next(folder / name for folder in folders if (folder / name).is_file())


def _scopes_shown(scope: Sequence[str]) -> list[dict[str, str]]:
    """Return scope tokens as a template shows them."""
    return [{"token": token, "words": describe_scope(token)} for token in scope]


def _session_shown(session: Session, view: AccountView) -> dict[str, object]:
    """Return a session as a template shows it."""
    return {
        "sid": session.sid,
        "here": session.sid == view.sid,
        "browser": session.browser,
        "since": moment_of(session.created_at, view.now),
        "seen": moment_of(session.seen_at, view.now),
    }


def _access_shown(access: Access, now: int) -> dict[str, object]:
    """Return what an application may do as a template shows it."""
    places = tuple(dict.fromkeys(map(_place_of, access.redirect_uris)))
    return {
        "client_id": access.client_id,
        "name": access.client_name or access.client_id,
        "places": places[:_MOST_PLACES],
        "scopes": _scopes_shown(sorted(access.scope, key="openid".__ne__)),
        "since": moment_of(access.created_at, now),
        "granted": moment_of(access.granted_at, now),
    }


def _place_of(uri: str) -> str:
    """Return the part of a redirect URI that tells a person where it leads."""
    parts = urlsplit(uri)
    return parts.netloc.rpartition("@")[2] or f"an application on this device ({parts.scheme}:)"
