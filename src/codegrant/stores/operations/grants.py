"""What the effects on grants, codes and access tokens mean. Layer: stores, no I/O."""

from __future__ import annotations

from codegrant.flow import Flow
from codegrant.secret import same_secret
from codegrant.server.effects import (
    CodeRedeemed,
    CodeRefused,
    CodeReplayed,
    DeleteAccessToken,
    DenyToken,
    FindAccessToken,
    FindGrant,
    RedeemCode,
    Redemption,
    RevokeGrant,
    SaveAccessToken,
    SaveCode,
)
from codegrant.server.records import (
    AccessTokenRecord,
    CodeRecord,
    GrantRecord,
    RefreshTokenRecord,
)
from codegrant.stores.operations.transactions import end_transaction
from codegrant.stores.statements import execute, load_statements, matched
from codegrant.stores.translation import ACCESS_TOKEN, CODE, GRANT, REFRESH_TOKEN

_SQL = load_statements("grants")

# A JWT access token has no row, so a grant stays as long as one from its code may live:
# RFC 6750 §5.3 and `Policy.access_token_lifetime` say an hour at most.
LONGEST_ACCESS_TOKEN = 3600
_CODE_COLUMNS = len(CODE.columns)


def save_code(effect: SaveCode) -> Flow[bool]:
    """Insert grant and code, and end the transaction they come from."""
    grant, code = effect.grant, effect.code
    if (yield from matched(_SQL["find_ended_session"], subject=grant.subject, sid=grant.sid)):
        return False
    if effect.end is not None and not (yield from end_transaction(effect.end, code.created_at)):
        return False
    keep_until = code.expires_at + LONGEST_ACCESS_TOKEN
    yield from execute(_SQL["save_grant"], **GRANT.parameters(grant), keep_until=keep_until)
    yield from execute(_SQL["save_code"], **CODE.parameters(code))
    return True


def redeem_code(effect: RedeemCode) -> Flow[Redemption]:
    """Judge and consume a code; the checks stand in the order that `RedeemCode` states."""
    found = yield from execute(_SQL["find_code"], digest=effect.digest)
    if not found:
        return CodeRefused("unknown")
    failures, consumed_at, *columns = found[0]
    code = CODE.record(columns[:_CODE_COLUMNS])
    grant = GRANT.record(columns[_CODE_COLUMNS:])

    refused = _judge_binding(code, effect)
    if refused is not None:
        return refused
    if not isinstance(failures, int) or failures >= effect.max_failures:
        return CodeRefused("too_many_verifiers")
    if not same_secret(effect.presented_challenge or "", code.code_challenge):
        yield from execute(
            _SQL["count_wrong_verifier"], digest=effect.digest, max_failures=effect.max_failures
        )
        return CodeRefused("wrong_verifier")
    if code.expires_at <= effect.now:
        return CodeRefused("expired")
    if effect.resource is not None and effect.resource != grant.audience:
        return CodeRefused("wrong_resource")
    if consumed_at is not None:
        return (yield from _replay(grant, effect.now))
    if grant.revoked_at is not None:
        return CodeRefused("revoked")
    if not (yield from matched(_SQL["consume_code"], digest=effect.digest, now=effect.now)):
        return (yield from _replay(grant, effect.now))
    new = effect.refresh_token
    if new is not None and code.offline:
        token = RefreshTokenRecord(
            digest=new.digest,
            grant_id=grant.grant_id,
            client_id=code.client_id,
            created_at=effect.now,
            expires_at=min(new.idle_until, new.ends_at),
            ends_at=new.ends_at,
            cnf=code.cnf,
        )
        yield from execute(_SQL["begin_family"], family=new.family, grant_id=grant.grant_id)
        yield from save_refresh_token(token)
    return CodeRedeemed(code, grant)


def save_refresh_token(token: RefreshTokenRecord) -> Flow[None]:
    """Insert a refresh token; its grant stays as long as it and its last access token."""
    yield from execute(_SQL["save_refresh_token"], **REFRESH_TOKEN.parameters(token))
    yield from execute(
        _SQL["keep_family"],
        grant_id=token.grant_id,
        expires_at=token.expires_at,
        keep_until=token.expires_at + LONGEST_ACCESS_TOKEN,
    )


def _judge_binding(code: CodeRecord, effect: RedeemCode) -> CodeRefused | None:
    """Return why this request cannot belong to the code, before its verifier is looked at."""
    if effect.client_id != code.client_id:
        return CodeRefused("wrong_client")
    if effect.redirect_uri is None:
        if not code.code_challenge:
            return CodeRefused("missing_redirect_uri")
    elif effect.redirect_uri != code.redirect_uri:
        return CodeRefused("wrong_redirect_uri")
    if effect.presented_challenge is not None and not code.code_challenge:
        return CodeRefused("unexpected_verifier")
    if effect.presented_challenge is None and code.code_challenge:
        return CodeRefused("missing_verifier")
    return None


def _replay(grant: GrantRecord, now: int) -> Flow[Redemption]:
    """Revoke the grant of a code that comes a second time."""
    revoked = yield from revoke(grant.grant_id, now)
    return CodeRefused("revoked") if revoked is None else CodeReplayed(revoked)


def find_grant(effect: FindGrant) -> Flow[GrantRecord | None]:
    """Return the grant with this id."""
    return GRANT.find(_SQL["find_grant"], grant_id=effect.grant_id)


def revoke_grant(effect: RevokeGrant) -> Flow[bool]:
    """Revoke a grant that is alive."""
    return (yield from revoke(effect.grant_id, effect.now)) is not None


def revoke(grant_id: str, now: int) -> Flow[GrantRecord | None]:
    """Revoke a grant and return it as it is then; None when it was not alive."""
    return GRANT.find(_SQL["revoke_grant"], grant_id=grant_id, now=now)


def save_access_token(effect: SaveAccessToken) -> Flow[bool]:
    """Insert an opaque access token while its grant, if it has one, is alive."""
    token = effect.token
    if not (yield from matched(_SQL["save_access_token"], **ACCESS_TOKEN.parameters(token))):
        return False
    until = token.expires_at
    yield from execute(_SQL["keep_grant"], grant_id=token.grant_id, keep_until=until)
    return True


def find_access_token(effect: FindAccessToken) -> Flow[AccessTokenRecord | None]:
    """Return a live opaque access token of a live grant."""
    return ACCESS_TOKEN.find(_SQL["find_access_token"], digest=effect.digest, now=effect.now)


def delete_access_token(effect: DeleteAccessToken) -> Flow[bool]:
    """Delete an opaque access token."""
    return matched(_SQL["delete_access_token"], digest=effect.digest)


def deny_token(effect: DenyToken) -> Flow[None]:
    """Put the id of a JWT access token on the deny list."""
    yield from execute(_SQL["deny_token"], jti=effect.jti, expires_at=effect.expires_at)
