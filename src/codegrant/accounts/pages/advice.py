"""What an error page says to a person: a heading, and what they can do. Layer: accounts, no I/O."""

from __future__ import annotations

from typing import NamedTuple

from codegrant.errors import OAuthError
from codegrant.server.codes import transaction_ended

__all__ = ["Advice", "advice_for"]


class Advice(NamedTuple):
    """The two things of an error page that are not the error's own words."""

    heading: str
    text: str


_SIGN_IN = Advice(
    heading="This sign-in cannot continue",
    text=(
        "Nothing has happened to your account, and nothing was passed on. Go back to the "
        "application that you came from and start again. If this page comes back, tell the "
        "people who run the application what it says."
    ),
)
_ENDED = Advice(
    heading="This sign-in is over",
    text=(
        "If you have just signed in, all is well: go back to the application and carry on. If "
        "not, start again there; a sign-in waits only a few minutes."
    ),
)
_OUR_FAULT = Advice(
    heading="Something went wrong here",
    text=(
        "It is our fault, not yours. Try again in a moment; if it stays, tell the people who "
        "run this site when it happened."
    ),
)
_BY_STATUS = {
    403: Advice(
        heading="This form is out of date",
        text="Nothing was changed. Go back, reload the page and try once more.",
    ),
    404: Advice(
        heading="There is no such page",
        text=(
            "The address may be mistyped or out of date. Go back to the application that you "
            "want to use and start from there."
        ),
    ),
    405: Advice(
        heading="This page works differently",
        text="Go back to the application that you came from and start again.",
    ),
    413: Advice(
        heading="That was too long",
        text="Nothing was changed. Go back and try with less.",
    ),
    429: Advice(
        heading="Please wait a little",
        text=(
            "This protects accounts from being guessed. Nothing is locked for good: wait for "
            "the time above, then try again."
        ),
    ),
    503: Advice(
        heading="Very busy at the moment",
        text="Nothing was changed. Wait a few seconds, then reload the page.",
    ),
}


def advice_for(error: OAuthError) -> Advice:
    """Return the heading and the advice of the page for `error`."""
    if error.description == transaction_ended().description:
        return _ENDED
    return _BY_STATUS.get(error.status, _OUR_FAULT if error.status >= 500 else _SIGN_IN)
