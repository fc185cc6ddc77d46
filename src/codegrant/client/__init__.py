"""The client role: logs a person in at an authorization server and calls APIs for them.

The names below are imported when they are first used. Layer: client.
"""

from importlib import import_module

TYPE_CHECKING = False
if TYPE_CHECKING:
    from codegrant.client.aio import AsyncClient
    from codegrant.client.api import ApiSession, AsyncApiSession
    from codegrant.client.api_auth import BearerAuth, RefreshingAuth
    from codegrant.client.device import DeviceLogin
    from codegrant.client.facade import Client
    from codegrant.client.login import LoginOptions
    from codegrant.client.memory import MemoryTokens
    from codegrant.client.pending import PendingLogin
    from codegrant.client.saved import LeasedTokens, SavedTokens
    from codegrant.client.token_exchange import ExchangedToken
    from codegrant.client.tokens import Tokens
    from codegrant.client.userinfo import UserInfo

__all__ = [
    "ApiSession",
    "AsyncApiSession",
    "AsyncClient",
    "BearerAuth",
    "Client",
    "DeviceLogin",
    "ExchangedToken",
    "LeasedTokens",
    "LoginOptions",
    "MemoryTokens",
    "PendingLogin",
    "RefreshingAuth",
    "SavedTokens",
    "Tokens",
    "UserInfo",
]

_HOMES = {
    "ApiSession": "api",
    "AsyncApiSession": "api",
    "AsyncClient": "aio",
    "BearerAuth": "api_auth",
    "Client": "facade",
    "DeviceLogin": "device",
    "ExchangedToken": "token_exchange",
    "LeasedTokens": "saved",
    "LoginOptions": "login",
    "MemoryTokens": "memory",
    "PendingLogin": "pending",
    "RefreshingAuth": "api_auth",
    "SavedTokens": "saved",
    "Tokens": "tokens",
    "UserInfo": "userinfo",
}


def __getattr__(name: str) -> object:
    """Import a public name on its first use. PEP 562."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
