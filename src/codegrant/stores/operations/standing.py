"""What the effect on the standing of an access token means. Layer: stores, no I/O."""

from __future__ import annotations

from codegrant.flow import Flow
from codegrant.server.effects import FindStanding, Standing
from codegrant.stores.statements import execute, load_statements
from codegrant.stores.translation import GRANT

_SQL = load_statements("standing")


def find_standing(effect: FindStanding) -> Flow[Standing]:
    """Return whether a token is denied, whether its client may act, and its grant."""
    rows = yield from execute(
        _SQL["find_standing"],
        jti=effect.jti,
        client_id=effect.client_id,
        grant_id=effect.grant_id,
        issued_at=effect.issued_at,
    )
    if not rows:
        return Standing(denied=False, client_enabled=False, grant=None)
    denied, client_enabled, *columns = rows[0]
    # Without a grant the outer join leaves all of its columns empty.
    grant = None if columns[0] is None else GRANT.record(columns)
    return Standing(bool(denied), bool(client_enabled), grant)
