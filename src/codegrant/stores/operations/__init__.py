"""Which operation performs which effect. Layer: stores, no I/O.

An operation is a flow from an effect to its answer, over `Execute` inside one transaction:
all of its statements happen, or none. A read is one statement, or several that need not
agree with each other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, TypeAlias

from codegrant.accounts import effects as accounts
from codegrant.client import effects as client
from codegrant.errors import UsageError
from codegrant.flow import Effect, Flow
from codegrant.server import administration as admin
from codegrant.server import effects as server
from codegrant.server import refresh_effects as refresh
from codegrant.stores.operations import (
    clients,
    failures,
    grants,
    keys,
    logins,
    people,
    refresh_tokens,
    settings,
    standing,
    transactions,
)

__all__ = [
    "OPERATIONS",
    "TOKEN_OPERATIONS",
    "Operation",
    "find_operation",
    "find_token_operation",
]

# Effect and answer are typed where each operation is written; a table of them cannot say it.
_Run: TypeAlias = Callable[[Any], Flow[Any]]


class Operation(NamedTuple):
    """How an effect is performed, and whether that writes."""

    run: _Run
    writes: bool


def _reads(run: _Run) -> Operation:
    return Operation(run, writes=False)


def _writes(run: _Run) -> Operation:
    return Operation(run, writes=True)


# Of the client role: what a store of tokens alone performs.
TOKEN_OPERATIONS: Mapping[type[Effect[Any]], Operation] = {
    client.ClaimCallback: _writes(logins.claim_callback),
    client.FinishCallback: _writes(logins.finish_callback),
    client.SaveSession: _writes(logins.save_session),
    client.FindSession: _reads(logins.find_session),
    client.DeleteSession: _writes(logins.delete_session),
    client.EndSessions: _writes(logins.end_sessions),
    client.TakeLease: _writes(logins.take_lease),
    client.ReleaseLease: _writes(logins.release_lease),
}

OPERATIONS: Mapping[type[Effect[Any]], Operation] = {
    **TOKEN_OPERATIONS,
    server.FindClient: _reads(clients.find_client),
    server.FindCaller: _reads(clients.find_caller),
    server.FindResource: _reads(clients.find_resource),
    server.FindResourceScopes: _reads(clients.find_resource_scopes),
    server.SaveTransaction: _writes(transactions.save_transaction),
    server.BindTransaction: _writes(transactions.bind_transaction),
    server.FindTransaction: _reads(transactions.find_transaction),
    server.RecordLogin: _writes(transactions.record_login),
    server.FinishTransaction: _writes(transactions.finish_transaction),
    server.FindAnswer: _reads(transactions.find_answer),
    server.SaveCode: _writes(grants.save_code),
    server.RedeemCode: _writes(grants.redeem_code),
    server.FindGrant: _reads(grants.find_grant),
    server.RevokeGrant: _writes(grants.revoke_grant),
    server.SaveAccessToken: _writes(grants.save_access_token),
    server.FindAccessToken: _reads(grants.find_access_token),
    server.DeleteAccessToken: _writes(grants.delete_access_token),
    refresh.RotateRefreshToken: _writes(refresh_tokens.rotate_refresh_token),
    refresh.FindRefreshToken: _reads(refresh_tokens.find_refresh_token),
    refresh.FindFamily: _reads(refresh_tokens.find_family),
    server.DenyToken: _writes(grants.deny_token),
    server.FindStanding: _reads(standing.find_standing),
    server.LoadKeys: _reads(keys.load_keys),
    server.AddKey: _writes(keys.add_key),
    server.CountFailures: _reads(failures.count_failures),
    server.SaveFailure: _writes(failures.save_failure),
    admin.AddClient: _writes(clients.add_client),
    admin.ListClients: _reads(clients.list_clients),
    admin.UpdateClient: _writes(clients.update_client),
    admin.ReplaceClientSecret: _writes(clients.replace_client_secret),
    admin.RemoveClient: _writes(clients.remove_client),
    admin.AddResource: _writes(clients.add_resource),
    admin.ListResources: _reads(clients.list_resources),
    admin.UpdateResource: _writes(clients.update_resource),
    admin.ReplaceResourceSecret: _writes(clients.replace_resource_secret),
    admin.RemoveResource: _writes(clients.remove_resource),
    admin.ListKeys: _reads(keys.list_keys),
    accounts.FindAccount: _reads(people.find_account),
    accounts.FindAccountBySubject: _reads(people.find_account_by_subject),
    accounts.ListAccounts: _reads(people.list_accounts),
    accounts.AddAccount: _writes(people.add_account),
    accounts.UpdateAccount: _writes(people.update_account),
    accounts.ReplacePassword: _writes(people.replace_password),
    accounts.ChangePassword: _writes(people.change_password),
    accounts.SaveSession: _writes(people.save_session),
    accounts.FindSession: _reads(people.find_session),
    accounts.FindAgreedSession: _reads(people.find_agreed_session),
    accounts.TouchSession: _writes(people.touch_session),
    accounts.EndSession: _writes(people.end_session),
    accounts.EndSessionsOf: _writes(people.end_sessions_of),
    accounts.ListSessions: _reads(people.list_sessions),
    accounts.EndSessionOf: _writes(people.end_session_of),
    accounts.EndOtherSessions: _writes(people.end_other_sessions),
    accounts.FindConsent: _reads(people.find_consent),
    accounts.SaveConsent: _writes(people.save_consent),
    accounts.ListAccess: _reads(people.list_access),
    accounts.WithdrawAccess: _writes(people.withdraw_access),
    settings.FindSetting: _reads(settings.find_setting),
    settings.KeepSetting: _writes(settings.keep_setting),
    settings.ResealKeys: _writes(settings.reseal_keys),
}


def find_operation(effect: Effect[Any]) -> Operation:
    """Return the operation that performs `effect`.

    Raises:
        UsageError: the effect is none of a store's.
    """
    return _find(OPERATIONS, effect, "a store")


def find_token_operation(effect: Effect[Any]) -> Operation:
    """Return the operation that performs `effect` of the client role.

    Raises:
        UsageError: the effect is none of a token store's.
    """
    return _find(TOKEN_OPERATIONS, effect, "a token store")


def _find(
    operations: Mapping[type[Effect[Any]], Operation], effect: Effect[Any], whose: str
) -> Operation:
    operation = operations.get(type(effect))
    if operation is None:
        raise UsageError(f"{type(effect).__name__} is no effect of {whose}")
    return operation
