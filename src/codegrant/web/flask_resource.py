"""`Protect`: Flask in front of the resource server.

    server = ResourceServer("https://issuer.example", audience="https://api.example")
    api = Protect(server)

    @app.get("/profile")
    @api.require("profile")
    def profile():
        return {"subject": api.token.subject}

It translates requests and responses and decides nothing. Layer: web.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import wraps
from typing import ParamSpec, cast

from codegrant.errors import ConfigurationError, OAuthError, UsageError
from codegrant.resource import AccessToken, ResourceServer
from codegrant.rules.access_token import check_wanted_scope

try:
    import flask
    from flask.typing import ResponseReturnValue
except ImportError as _error:  # pragma: no cover - seen in the test of the bare wheel
    raise ConfigurationError(
        "codegrant.web.flask_resource needs Flask: pip install 'codegrant[flask]'"
    ) from _error

from codegrant.web.flask_http import Guarded, View, from_flask, keep_out_of_caches, to_flask

__all__ = ["Protect"]

P = ParamSpec("P")


class Protect:
    """Lets only requests with a good access token reach a view.

    Args:
        resource_server: whose tokens count, and for which audience.
    """

    def __init__(self, resource_server: ResourceServer) -> None:
        self._resource_server = resource_server
        self._kept_as = f"codegrant.access_token.{id(self)}"

    def require(self, *scope: str, person: bool = False) -> Callable[[View[P]], Guarded[P]]:
        """Return a decorator that guards a view; it stands below `@app.get(...)`.

        Args:
            scope: scope tokens that the token must have, all of them.
            person: a token that a client got for itself will not do.

        Raises:
            UsageError: one of `scope` is no scope token.
        """
        check_wanted_scope(scope)

        def decorate(view: View[P]) -> Guarded[P]:
            @wraps(view)
            def guarded(*args: P.args, **kwargs: P.kwargs) -> ResponseReturnValue:
                try:
                    token = self._resource_server.verify_request(from_flask(), scope, person=person)
                except OAuthError as error:
                    return to_flask(self._resource_server.refuse(error))
                # Not in `flask.g`, which may outlive the request where a test pushes a
                # context; by this guard, since another one's token is for another audience.
                flask.request.environ[self._kept_as] = token
                flask.after_this_request(keep_out_of_caches)
                answer = flask.current_app.ensure_sync(view)(*args, **kwargs)
                return cast("ResponseReturnValue", answer)

            return guarded

        return decorate

    @property
    def token(self) -> AccessToken:
        """The verified access token of this request.

        Raises:
            UsageError: the view is not protected, or by another `Protect`.
        """
        token: AccessToken | None = flask.request.environ.get(self._kept_as)
        if token is None:
            raise UsageError("token: this view is not under @require of this Protect")
        return token
