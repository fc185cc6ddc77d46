"""A provider for the grants beside the code, and an application whose waiting a test watches."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from codegrant.flow import Effect
from codegrant.remote.effects import Pause
from tests.support.application import Application, Clock
from tests.support.mock_provider import (
    CLIENT_ID,
    Answer,
    Grant,
    Lie,
    MockProvider,
    Received,
    as_json,
)

PREFIX = "urn:ietf:params:oauth:grant-type:"
DEVICE, EXCHANGE = f"{PREFIX}device_code", f"{PREFIX}token-exchange"


class GrantsProvider(MockProvider):
    """Answers a device with `decisions`, in turn, and then with tokens.

    Bend its `device`, `client_token` and `exchanged` answers.
    """

    def __init__(self) -> None:
        super().__init__()
        self.device, self.client_token, self.exchanged = Lie(), Lie(), Lie()
        self.decisions: list[str | Answer] = []
        self.devices: dict[str, str] = {}
        self.metadata = Lie({"device_authorization_endpoint": f"{self.issuer}/device"})
        self.routes["/device"] = self.device_endpoint

    def device_endpoint(self, request: Received) -> Answer:
        if self._credentials(request)[0] != CLIENT_ID:
            return as_json({"error": "invalid_client"}, 401)
        code = self._mint()
        self.devices[code] = request.form.get("scope", "")
        return as_json(
            self.device(
                {
                    "device_code": code,
                    "user_code": "WDJB-MJHT",
                    "verification_uri": f"{self.issuer}/enter",
                    "verification_uri_complete": f"{self.issuer}/enter?user_code=WDJB-MJHT",
                    "expires_in": 600,
                    "interval": 5,
                }
            )
        )

    def token_endpoint(self, request: Received) -> Answer:
        form = request.form
        kind = form.get("grant_type")
        if kind not in {DEVICE, EXCHANGE, "client_credentials"}:
            return super().token_endpoint(request)
        if self._credentials(request)[0] != CLIENT_ID:
            return as_json({"error": "invalid_client"}, 401)
        if kind == DEVICE:
            return self._device_token(form)
        if kind == EXCHANGE and form.get("subject_token") not in self.access_tokens:
            return as_json({"error": "invalid_request", "error_description": "no such token"}, 400)
        grant = Grant(CLIENT_ID, "", form.get("scope", ""), None, "")
        answer = self.issue(grant, Lie())
        del answer["refresh_token"]
        if kind == EXCHANGE:
            answer["issued_token_type"] = "urn:ietf:params:oauth:token-type:access_token"
            return as_json(self.exchanged(answer))
        return as_json(self.client_token(answer))

    def _device_token(self, form: dict[str, str]) -> Answer:
        code = form.get("device_code", "")
        if code not in self.devices:
            return as_json({"error": "invalid_grant"}, 400)
        if self.decisions:
            decision = self.decisions.pop(0)
            return as_json({"error": decision}, 400) if isinstance(decision, str) else decision
        grant = Grant(CLIENT_ID, "", self.devices.pop(code), None, "")
        return as_json(self.token(self.issue(grant, self.claims)))


def watch_pauses(app: Application, clock: Clock, seconds: list[float]) -> None:
    """Let the application's pauses pass at once, on its own clock; note how long they were."""
    driver: Any = app.client._driver
    perform: Callable[[Effect[Any]], Any] = driver.perform

    def pass_on(effect: Effect[Any]) -> bool:
        if not isinstance(effect, Pause):
            return False
        seconds.append(effect.seconds)
        clock.ahead += int(effect.seconds + 0.5)
        return True

    async def perform_async(effect: Effect[Any]) -> Any:
        return None if pass_on(effect) else await perform(effect)

    def perform_sync(effect: Effect[Any]) -> Any:
        return None if pass_on(effect) else perform(effect)

    driver.perform = perform_async if app.colour.is_async else perform_sync
