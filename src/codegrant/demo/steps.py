"""The six steps of the tutorial, and which of the recorded exchanges belong to each.

Layer: demo, no I/O.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from codegrant.demo.masking import Message, mask_json
from codegrant.demo.recording import Exchange, Party
from codegrant.messages.json import JsonValue

__all__ = ["Arrow", "Setup", "Step", "draw", "tell"]

_LANES = tuple(Party)
# The last of them: a page may be reloaded, and the API's path is that of the page.
_MAIN = {3: "GET /authorize", 4: "GET /callback", 5: "POST /token", 6: "GET /profile"}


class Setup(NamedTuple):
    """What was there before anybody logged in.

    Attributes:
        versions: of what is installed, by name.
        client: as registered at the authorization server, by the names of RFC 7591.
        issuer: the authorization server.
        api_url: the address of the profile at the API.
        username: of the person who may log in.
        password: theirs; everybody who sees the demo may know it.
    """

    versions: Mapping[str, str]
    client: Mapping[str, JsonValue]
    issuer: str
    api_url: str
    username: str
    password: str


class Step(NamedTuple):
    """One step.

    Attributes:
        number: 1 to 6.
        title: as in the tutorial.
        words: what happens, in a sentence or two.
        code: what the developer of the application writes for it.
        facts: of the steps without traffic.
        exchanges: the step's requests and answers, in order.
    """

    number: int
    title: str
    words: str
    code: str
    facts: str = ""
    exchanges: tuple[Exchange, ...] = ()

    @property
    def heading(self) -> str:
        """The title as a heading."""
        return self.title[:1].upper() + self.title[1:]

    @property
    def main(self) -> Exchange | None:
        """The exchange that the step is about."""
        found = [one for one in self.exchanges if one.request.title == _MAIN.get(self.number)]
        return found[-1] if found else None


class Arrow(NamedTuple):
    """One message in the sequence picture.

    Attributes:
        start, end: lanes, 0 to 3 from the left.
        message: what is said.
        asked_at: names the exchange.
    """

    step: int
    start: int
    end: int
    sender: Party
    receiver: Party
    message: Message
    asked_at: int
    is_answer: bool

    @property
    def lanes(self) -> str:
        """The lanes from left to right, for example `12`."""
        return f"{min(self.start, self.end)}{max(self.start, self.end)}"


def tell(setup: Setup, exchanges: Sequence[Exchange]) -> tuple[Step, ...]:
    """Return the six steps of a login, each with what was said in it."""
    of = {number: tuple(one for one in exchanges if one.step == number) for number in range(3, 7)}
    client_id = setup.client["client_id"]
    registered = mask_json(dict(setup.client))
    return (
        Step(
            1,
            "install",
            "One package for all three parties.",
            "pip install 'codegrant[flask]'",
            facts="\n".join(f"{name} {version}" for name, version in setup.versions.items()),
        ),
        Step(
            2,
            "set up client credentials",
            "The application is registered at the authorization server: an id, a secret, and "
            "the one address that people may be sent back to.",
            f'client = Client("{setup.issuer}", client_id="{client_id}", client_secret=secret)\n'
            "login = Login(app, client)",
            facts=json.dumps(registered, indent=2, ensure_ascii=False),
        ),
        Step(
            3,
            "redirect to the authorization endpoint",
            "The application sends the browser to the authorization server, with a fresh state, "
            "nonce and PKCE challenge. There the person logs in and allows the access.",
            "@login.required",
            exchanges=of[3],
        ),
        Step(
            4,
            "handle the callback",
            "The browser comes back with a code. State and issuer must be those of a login that "
            "this very browser started.",
            "# Login answers /callback",
            exchanges=of[4],
        ),
        Step(
            5,
            "exchange the code for an access token",
            "Meanwhile the application redeems the code at the token endpoint, with its secret "
            "and the PKCE verifier, and checks the signature of the ID token.",
            "# Login does it, and keeps the tokens encrypted",
            exchanges=of[5],
        ),
        Step(
            6,
            "call the protected API",
            "The application calls the API with the access token; the API verifies it with the "
            "keys of the authorization server.",
            f'profile = login.api.get("{setup.api_url}").json()',
            exchanges=of[6],
        ),
    )


def draw(exchanges: Sequence[Exchange]) -> tuple[Arrow, ...]:
    """Return the messages in the order in which they were sent."""
    arrows = sorted((place, arrow) for one in exchanges for place, arrow in _arrows(one))
    return tuple(arrow for _, arrow in arrows)


def _arrows(exchange: Exchange) -> Iterator[tuple[int, Arrow]]:
    """Yield request and answer, each with its place among all messages."""
    asker, asked = exchange.sender, exchange.receiver
    start, end = _LANES.index(asker), _LANES.index(asked)
    step, at = exchange.step, exchange.asked_at
    yield at, Arrow(step, start, end, asker, asked, exchange.request, at, is_answer=False)
    if exchange.answer is not None:
        answer = Arrow(step, end, start, asked, asker, exchange.answer, at, is_answer=True)
        yield exchange.answered_at, answer
