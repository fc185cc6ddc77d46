"""The client application of the demo: it logs people in and shows their profile. Layer: demo.

The login is the two lines with `Login` and `login.required`, the API call the one with
`login.api`; the rest makes pages.
"""

from __future__ import annotations

from urllib.parse import urlsplit

import flask
from flask import Flask
from werkzeug.wrappers import Response

from codegrant.client.facade import Client
from codegrant.demo.recording import Party, Recorder
from codegrant.demo.running import QuietFlask
from codegrant.demo.steps import Setup, draw, tell
from codegrant.sealing import KeyRing
from codegrant.web.flask import Login, TokenStore

__all__ = ["RECORDED_PATHS", "build_application"]

PROFILE_PATH = "/profile"
RECORDED_PATHS = frozenset({"/login", "/callback", PROFILE_PATH})

_HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; style-src 'self'; img-src 'self' data:; base-uri 'none'; "
        "form-action 'self'; frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}


def build_application(
    client: Client,
    setup: Setup,
    recorder: Recorder,
    *,
    public_url: str,
    store: TokenStore,
    key_ring: KeyRing,
) -> Flask:
    """Return the application.

    Args:
        client: registered at the authorization server.
        setup: what the page says about the first two steps.
        recorder: knows what the parties said.
        public_url: the one address that the application goes by.
        store: where sessions and tokens are kept.
        key_ring: seals cookies and tokens.
    """
    app = QuietFlask("codegrant.demo.application")
    login = Login(app, client, public_url=public_url, store=store, key_ring=key_ring)

    def start() -> str:
        return flask.render_template(
            "start.html",
            signed_in=login.current is not None,
            sign_in=login.url(PROFILE_PATH),
            application=public_url,
            setup=setup,
        )

    @login.required
    def profile() -> str:
        profile = login.api.get(setup.api_url).raise_for_status().json()
        said = recorder.find(login.tokens.access_token.reveal())
        return flask.render_template(
            "profile.html",
            profile=profile,
            parties=list(Party),
            arrows=draw(said),
            steps=tell(setup, said),
            api_url=setup.api_url,
            sign_in=login.url(PROFILE_PATH),
        )

    def send_home() -> Response | None:
        """Send whoever comes by another name, localhost say, to where the cookies work."""
        if flask.request.host == urlsplit(public_url).netloc:
            return None
        return flask.redirect(public_url + flask.request.path, 303)

    def add_headers(response: Response) -> Response:
        for name, value in _HEADERS.items():
            response.headers.setdefault(name, value)
        if flask.request.endpoint != "static":
            response.headers.setdefault("Cache-Control", "no-store")
        return response

    app.add_url_rule("/", view_func=start)
    app.add_url_rule(PROFILE_PATH, view_func=profile)
    app.before_request(send_home)
    app.after_request(add_headers)
    return app
