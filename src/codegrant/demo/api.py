"""The API of the demo: it knows people's profiles and asks for an access token. Layer: demo."""

from __future__ import annotations

from collections.abc import Mapping

from flask import Flask

from codegrant.demo.running import QuietFlask
from codegrant.messages.json import JsonValue
from codegrant.resource import ResourceServer
from codegrant.web.flask import Protect

__all__ = ["PROFILE_PATH", "build_api"]

PROFILE_PATH = "/profile"


def build_api(
    resource_server: ResourceServer, profiles: Mapping[str, Mapping[str, JsonValue]]
) -> Flask:
    """Return the API.

    Args:
        resource_server: says which access tokens are good here.
        profiles: what is known of each person, by subject.
    """
    app = QuietFlask("codegrant.demo.api", static_folder=None)
    api = Protect(resource_server)

    @api.require("profile", "email")
    def profile() -> dict[str, JsonValue]:
        return dict(profiles.get(api.token.subject, {}))

    app.add_url_rule(PROFILE_PATH, view_func=profile)
    return app
