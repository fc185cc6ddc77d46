"""A provider, and an API, whose every token is bound to a key: they take proofs and no bearer."""

from __future__ import annotations

import json
import threading
from urllib.parse import parse_qs, urlsplit

from joserfc.jwk import import_key

from tests.support.mock_provider import Answer, Grant, Lie, Received, as_json
from tests.support.other_grants import GrantsProvider
from tests.support.picky_api import PickyApi
from tests.support.proofs import ProofRefused, ProofVerifier, header_of
from tests.support.request_provider import RequestProvider


def thumbprint_of(request: Received) -> str:
    """Return the thumbprint of the key that a request's proof is signed with."""
    return import_key(header_of(request.headers["dpop"])["jwk"]).thumbprint()


class ProvingProvider(RequestProvider, GrantsProvider):
    """Checks a proof at every token request, every pushed request and at userinfo.

    Attributes:
        nonce: that proofs must have; empty for none.
        following: what its good answers announce for the next proof; empty for nothing.
        kind: the `token_type` of its answers.
        bound: the thumbprint that each code, access and refresh token is bound to.
    """

    def __init__(self) -> None:
        super().__init__()
        self.verifier = ProofVerifier()
        self.nonce, self.following, self.kind = "", "", "DPoP"
        self.bound: dict[str, str] = {}
        self._now = threading.local()

    def describe(self, **changes: object) -> None:
        algs = ["ES256", "EdDSA"]
        device = f"{self.issuer}/device"
        given = {
            "dpop_signing_alg_values_supported": algs,
            "device_authorization_endpoint": device,
        }
        super().describe(**{**given, **changes})

    def token_endpoint(self, request: Received) -> Answer:
        refusal = self.refusal(request)
        if refusal is not None:
            return refusal
        self._now.jkt = jkt = thumbprint_of(request)
        spent = request.form.get("code") or request.form.get("refresh_token") or ""
        if self.bound.get(spent, jkt) != jkt:
            return as_json({"error": "invalid_grant", "error_description": "another key"}, 400)
        return self._announce(super().token_endpoint(request))

    def par_endpoint(self, request: Received) -> Answer:
        refusal = self.refusal(request)
        if refusal is not None:
            return refusal
        if request.form.get("dpop_jkt", thumbprint_of(request)) != thumbprint_of(request):
            return as_json({"error": "invalid_dpop_proof"}, 400)
        return self._announce(super().par_endpoint(request))

    def userinfo_endpoint(self, request: Received) -> Answer:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "DPoP":
            return Answer(401, b"", [("www-authenticate", 'DPoP error="invalid_token"')])
        refusal = self.refusal(request, token)
        if refusal is not None:
            challenge = f'DPoP error="{json.loads(refusal.body)["error"]}"'
            return Answer(401, b"", [*refusal.headers, ("www-authenticate", challenge)])
        bearer = {**request.headers, "authorization": f"Bearer {token}"}
        return super().userinfo_endpoint(request._replace(headers=bearer))

    def issue(self, grant: Grant, claims: Lie) -> dict[str, object]:
        answer = super().issue(grant, claims)
        for name in ("access_token", "refresh_token"):
            self.bound[str(answer[name])] = self._now.jkt
        return {**answer, "token_type": self.kind}

    def authorize(self, url: str) -> str:
        callback = super().authorize(url)
        (code,) = parse_qs(urlsplit(callback).query)["code"]
        jkt = self.requests[-1].get("dpop_jkt")
        if jkt is not None:
            self.bound[code] = jkt
        return callback

    def refusal(self, request: Received, token: str = "") -> Answer | None:
        """Return what is answered to a request whose proof does not hold."""
        return judge(self, request, self.nonce, f"{self.origin}{request.target}", token)

    def _announce(self, answer: Answer) -> Answer:
        if not self.following:
            return answer
        return answer._replace(headers=[*answer.headers, ("dpop-nonce", self.following)])


class ProvingApi(PickyApi):
    """Takes the tokens of a proving provider with a proof; with a `nonce` of its own in it."""

    def __init__(self, provider: ProvingProvider) -> None:
        super().__init__(provider)
        self.house = provider
        self.nonce = ""
        self.verifier = provider.verifier

    def me(self, request: Received) -> Answer:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme != "DPoP" or token in self.refused or token not in self.house.access_tokens:
            return Answer(401, b"no", [("www-authenticate", 'DPoP error="invalid_token"')])
        url = f"{self.origin}{request.target}"
        refusal = judge(self.house, request, self.nonce, url, token)
        if refusal is not None:
            challenge = f'DPoP realm="api", error="{json.loads(refusal.body)["error"]}"'
            return Answer(401, b"no", [*refusal.headers, ("www-authenticate", challenge)])
        return Answer(200, request.body)


def judge(
    house: ProvingProvider, request: Received, nonce: str, url: str, token: str
) -> Answer | None:
    """Return the refusal of a proof; `None` when it holds."""
    proofs = [request.headers["dpop"]] if "dpop" in request.headers else []
    try:
        house.verifier.verify(
            proofs,
            method=request.method,
            url=url.partition("?")[0],
            now=int(house.clock()),
            access_token=token,
            jkt=house.bound.get(token, ""),
            nonce=nonce,
        )
    except ProofRefused as refused:
        if str(refused) == "nonce":
            body = json.dumps({"error": "use_dpop_nonce"}).encode()
            return Answer(400, body, [("dpop-nonce", nonce), ("content-type", "application/json")])
        error = {"error": "invalid_dpop_proof", "error_description": str(refused)}
        return as_json(error, 400)
    return None
