from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from codegrant.messages.parameters import Parameters, build_query
from codegrant.messages.revocation import RevocationRequest
from codegrant.secret import Secret
from tests.unit.messages.samples import OPTIONAL, SECRETS

REVOCATIONS = st.builds(
    RevocationRequest, token=SECRETS, token_type_hint=OPTIONAL, client_id=OPTIONAL
)


@given(REVOCATIONS)
def test_a_revocation_that_was_built_parses_to_itself(request_: RevocationRequest) -> None:
    assert RevocationRequest.parse(Parameters.parse(build_query(request_.build()))) == request_


def test_a_revocation_does_not_show_its_token() -> None:
    assert "s3cret" not in repr(RevocationRequest(token=Secret("s3cret")))
