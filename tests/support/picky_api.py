"""A real API over HTTP that takes the tokens of a mock provider, but for those a test names."""

from __future__ import annotations

from tests.support.mock_provider import Answer, Listener, MockProvider, Received, redirect

INVALID = [("www-authenticate", 'Bearer realm="api", error="invalid_token"')]


class PickyApi(Listener):
    """Takes the access tokens that a provider has not `refused`."""

    def __init__(self, provider: MockProvider) -> None:
        super().__init__()
        self.provider = provider
        self.refused: set[str] = set()
        self.challenge = INVALID
        self.routes["/me"] = self.me
        self.routes["/old"] = lambda _: redirect("/me", 302)

    @property
    def url(self) -> str:
        return f"{self.origin}/me"

    def me(self, request: Received) -> Answer:
        token = request.headers.get("authorization", "").removeprefix("Bearer ")
        if token in self.refused or token not in self.provider.access_tokens:
            return Answer(401, b"no", self.challenge)
        return Answer(200, request.body)

    def tokens(self) -> list[str]:
        return [r.headers.get("authorization", "").removeprefix("Bearer ") for r in self.received]
