"""An authorization server that has every answer ready: for `login_callbacks`.

    python -m benchmarks.instant_provider SCHEME FOLDER

It says in its first line where it is; FOLDER gets its certificate when SCHEME is https. What is
PUT to an address is what it answers there from then on; a token request is answered with what is
at the address of its code, `/token/CODE`.
"""

from __future__ import annotations

import json
import socket
import sys
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs

import uvicorn

from tests.support.tls import self_signed

__all__ = ["CERTIFICATE", "code_of", "documents"]

CERTIFICATE = "certificate.pem"
_JSON = [(b"content-type", b"application/json")]


def documents(issuer: str, jwk: dict[str, Any]) -> dict[str, bytes]:
    """Return the metadata and the key set of an issuer, by path."""
    metadata = {
        "issuer": issuer,
        "authorization_endpoint": f"{issuer}/authorize",
        "token_endpoint": f"{issuer}/token",
        "jwks_uri": f"{issuer}/jwks",
        "response_types_supported": ["code"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["ES256"],
        "code_challenge_methods_supported": ["S256"],
        "authorization_response_iss_parameter_supported": True,
    }
    return {
        "/.well-known/openid-configuration": json.dumps(metadata).encode(),
        "/jwks": json.dumps({"keys": [jwk]}).encode(),
    }


def code_of(form: bytes | str) -> str:
    """Return the code of a token request."""
    text = form.decode() if isinstance(form, bytes) else form
    return parse_qs(text)["code"][0]


def main() -> None:
    """Serve until SIGTERM."""
    ready: dict[str, bytes] = {}

    async def answer(scope: Any, receive: Any, send: Any) -> None:  # noqa: ANN401 - of ASGI
        body, more = b"", True
        while more:
            message = await receive()
            body, more = body + message.get("body", b""), message.get("more_body", False)
        if scope["method"] == "PUT":
            ready[scope["path"]] = body
        path = scope["path"]
        found = ready[f"{path}/{code_of(body)}" if path == "/token" else path]
        fields = [*_JSON, (b"content-length", b"%d" % len(found))]
        await send({"type": "http.response.start", "status": 200, "headers": fields})
        await send({"type": "http.response.body", "body": found})

    scheme, folder = sys.argv[1:]
    trust: dict[str, Any] = {}
    if scheme == "https":
        made = self_signed(Path(folder), "localhost")
        trust = {"ssl_certfile": made.file, "ssl_keyfile": str(made.key_file)}
    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(f"{scheme}://localhost:{listener.getsockname()[1]}", flush=True)
        settings = uvicorn.Config(
            answer,
            lifespan="off",
            log_config=None,
            access_log=False,
            timeout_keep_alive=600,
            **trust,
        )
        uvicorn.Server(settings).run(sockets=[listener])


if __name__ == "__main__":
    main()
