from __future__ import annotations

import pytest

from codegrant.errors import TransportError
from codegrant.http import Headers, Response
from codegrant.remote.fetch import STALE_MAXIMUM, Copy, fresh_until, get_document
from tests.support.scripted import Script

NOW = 1_800_000_000
URL = "https://as.example/jwks"


@pytest.mark.parametrize("status", [200, 204, 301, 400, 404, 418])
def test_a_document_is_what_came_whatever_the_status(status: int) -> None:
    script = Script({URL: Response(status=status)})
    answer = script.run(get_document(URL, stage="keys", guarded=True))
    assert answer.status == status
    (sent,) = script.sent
    assert (sent.request.method, sent.guarded) == ("GET", True)


@pytest.mark.parametrize("status", [429, 500, 502, 503, 599])
def test_a_server_that_cannot_answer_now_is_out_of_reach(status: int) -> None:
    script = Script({URL: Response(status=status)})
    with pytest.raises(TransportError) as failed:
        script.run(get_document(URL, stage="keys", guarded=False))
    error = failed.value
    assert (error.code, error.stage) == ("server_unavailable", "keys")
    assert error.facts == {"endpoint": URL, "status": status}


@pytest.mark.parametrize(
    ("cache_control", "seconds"),
    [
        ("", 3600),
        ("no-store", 3600),
        ("max-age=900", 900),
        ("public, MAX-AGE=900, must-revalidate", 900),
        ('max-age="900"', 900),
        ("max-age=0", 300),
        ("max-age=99999999", 86_400),
        ("max-age=-1", 3600),
        ("max-age=9999999999", 3600),
        ("max-age=1e9", 3600),
        ("s-maxage=900", 3600),
        ("x-max-age=900", 3600),
    ],
)
def test_a_document_is_fresh_as_long_as_its_server_says_within_bounds(
    cache_control: str, seconds: int
) -> None:
    answer = Response(status=200, headers=Headers([("cache-control", cache_control)]))
    assert fresh_until(answer, NOW) == NOW + seconds


def test_an_old_copy_does_not_serve_for_ever() -> None:
    copy = Copy("x", NOW, NOW + 300)
    assert copy.serves(NOW + STALE_MAXIMUM - 1)
    assert not copy.serves(NOW + STALE_MAXIMUM)
