"""Section E of the catalogue: forged signatures, tried at every place that takes a JWT."""

from __future__ import annotations

import hmac
import json
import zlib
from collections.abc import Callable, Iterator, Mapping
from hashlib import sha256, sha384, sha512
from itertools import product

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from codegrant.errors import TokenRejected
from codegrant.jose import KeySet, PrivateKey, parse_compact, sign_compact
from tests.attacks.places import (
    PLACES,
    AtApi,
    AtClient,
    AtHint,
    AtUserinfo,
    Claims,
    Make,
    Place,
    PublicKey,
    forge,
    refuse,
)
from tests.attacks.steps import post
from tests.flows.house import House
from tests.support.mock_provider import (
    CLIENT_SECRET,
    Listener,
    as_json,
    b64,
    public_jwk,
    sign_raw,
)
from tests.support.scripted import json_response

DIGESTS = {"HS256": sha256, "HS384": sha384, "HS512": sha512}


@pytest.fixture(params=PLACES)
def place(request: pytest.FixtureRequest) -> Place:
    """Every place in turn."""
    make: Mapping[str, Callable[[], Place]] = {
        "client": AtClient,
        "api": lambda: AtApi(request.getfixturevalue("api")),
        "userinfo": lambda: AtUserinfo(request.getfixturevalue("front")),
        "hint": lambda: AtHint(request.getfixturevalue("front")),
    }
    return make[request.param]()


@pytest.fixture
def listener() -> Iterator[Listener]:
    listener = Listener()
    yield listener
    listener.close()


@pytest.fixture(params=["client", "api"])
def issued(request: pytest.FixtureRequest) -> AtClient | AtApi:
    """The places whose issuer the test can bend."""
    return AtClient() if request.param == "client" else AtApi(request.getfixturevalue("api"))


def publish(place: AtClient | AtApi, *keys: Mapping[str, str]) -> None:
    """Let the issuer of a place publish these keys."""
    answer = json_response({"keys": keys})
    place.issuer.script.answers[place.issuer.jwks_uri] = answer


def with_header(**changes: object) -> Make:
    """Sign rightly under a changed header; None leaves a member out."""

    def make(place: Place, claims: Claims) -> str:
        header = {**place.header, **changes}
        return forge({k: v for k, v in header.items() if v is not None}, claims, place.sign)

    return make


def raw_header(text: str) -> Make:
    """Sign rightly under a header as it stands, with `...` for the good members."""

    def make(place: Place, claims: Claims) -> str:
        good = json.dumps(place.header)[1:-1]
        return forge(text.replace("...", good).encode(), claims, place.sign)

    return make


def encodings_of(key: PublicKey) -> dict[str, bytes]:
    """Return every text or octets that somebody might hand to an HMAC as this public key."""
    spki = PublicFormat.SubjectPublicKeyInfo
    pem = key.public_bytes(Encoding.PEM, spki)
    jwk = {
        name: value
        for name, value in public_jwk(_Public(key), "k1").items()  # type: ignore[arg-type]
        if name in {"kty", "crv", "x", "y", "n", "e"}
    }
    found = {
        "PEM": pem,
        "PEM without line end": pem.rstrip(b"\n"),
        "PEM with CRLF": pem.replace(b"\n", b"\r\n"),
        "PEM body": b"".join(pem.splitlines()[1:-1]),
        "DER": key.public_bytes(Encoding.DER, spki),
        "SSH": key.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH),
        "JWK": json.dumps(jwk).encode(),
        "JWK, sorted": json.dumps(jwk, sort_keys=True, separators=(",", ":")).encode(),
    }
    if isinstance(key, rsa.RSAPublicKey):
        n = key.public_numbers().n
        found |= {
            "PKCS1 PEM": key.public_bytes(Encoding.PEM, PublicFormat.PKCS1),
            "PKCS1 DER": key.public_bytes(Encoding.DER, PublicFormat.PKCS1),
            "n": n.to_bytes((n.bit_length() + 7) // 8),
            "n, base64url": jwk["n"].encode(),
        }
    else:
        numbers = key.public_numbers()
        found |= {
            "x": numbers.x.to_bytes(32),
            "point": key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint),
        }
    return found


class _Public:
    """Looks like the private key of `key`, for `public_jwk`."""

    def __init__(self, key: PublicKey) -> None:
        self._key = key

    def public_key(self) -> PublicKey:
        return self._key


def by_hmac(secret: bytes, alg: str, kid: str | None) -> Make:
    def make(place: Place, claims: Claims) -> str:
        header = {**place.header, "alg": alg, "kid": kid or place.header["kid"]}
        if kid == "":
            del header["kid"]
        return forge(header, claims, lambda data: hmac.digest(secret, data, DIGESTS[alg]))

    return make


def test_atk_113_no_public_key_and_no_other_secret_signs_by_hmac(place: Place) -> None:
    secrets: dict[str, bytes] = {"client secret": CLIENT_SECRET.encode(), "client id": b"app"}
    for key in place.published:
        secrets |= {f"{type(key).__name__} {k}": v for k, v in encodings_of(key).items()}
    cases = {
        f"{alg} {name} kid {kid!r}": by_hmac(secret, alg, kid)
        for (name, secret), alg, kid in product(secrets.items(), DIGESTS, (None, "", "rsa"))
        # One digest is enough for the many spellings.
        if alg == "HS256" or name.endswith(" PEM")
    }
    refuse(place, cases)


def rsa_key_of(place: Place) -> rsa.RSAPrivateKey | None:
    """Return the RSA key that a place trusts, where the test holds it."""
    if not isinstance(place, AtClient | AtApi):
        return None
    key = place.issuer.keys["rsa"]
    assert isinstance(key, rsa.RSAPrivateKey)
    return key


def test_atk_114_a_signature_by_another_algorithm_than_the_header_says_does_not_hold(
    place: Place,
) -> None:
    cases: dict[str, Make] = {
        f"alg {alg!r}": with_header(alg=alg)
        for alg in (
            "none", "None", "nOnE", "", "es256", "ES256 ", " ES256", "ES384", "ES256K", "ES512",
            "RS256", "PS256", "RS1", "EdDSA", "Ed25519", "HS256", "RSA-OAEP", "ES256\0",
            ["ES256"], {"alg": "ES256"}, 5, True, None, 256,
        )
    }  # fmt: skip
    cases["none, nothing signed"] = lambda place, claims: forge(
        {**place.header, "alg": "none"}, claims, lambda _: b""
    )
    cases["nothing signed"] = lambda place, claims: forge(place.header, claims, lambda _: b"")
    key = rsa_key_of(place)
    if key is not None:
        pss = padding.PSS(padding.MGF1(hashes.SHA256()), 32)
        pss_512 = padding.PSS(padding.MGF1(hashes.SHA512()), 64)
        pss_sha1 = padding.PSS(padding.MGF1(hashes.SHA1()), 20)  # noqa: S303
        signers: dict[tuple[str, str], Callable[[bytes], bytes]] = {
            ("RS256", "RS512"): lambda d: key.sign(d, padding.PKCS1v15(), hashes.SHA512()),
            ("RS256", "RS384"): lambda d: key.sign(d, padding.PKCS1v15(), hashes.SHA384()),
            ("RS256", "PS256"): lambda d: key.sign(d, pss, hashes.SHA256()),
            ("RS512", "RS512"): lambda d: key.sign(d, padding.PKCS1v15(), hashes.SHA512()),
            ("PS256", "RS256"): lambda d: key.sign(d, padding.PKCS1v15(), hashes.SHA256()),
            # The key is published for RS256.
            ("PS256", "PS256"): lambda d: key.sign(d, pss, hashes.SHA256()),
            ("PS512", "PS512"): lambda d: key.sign(d, pss_512, hashes.SHA512()),
            ("PS256", "SHA-1"): lambda d: key.sign(d, pss_sha1, hashes.SHA256()),
            ("ES256", "RS256"): lambda d: key.sign(d, padding.PKCS1v15(), hashes.SHA256()),
        }
        for (said, done), sign in signers.items():
            header = {"alg": said, "kid": "rsa"}
            cases[f"{said}, signed by {done}"] = lambda place, claims, h=header, s=sign: forge(  # type: ignore[misc]
                {**place.header, **h}, claims, s
            )
        assert place.takes(
            lambda place, claims: forge(
                {**place.header, "alg": "RS256", "kid": "rsa"},
                claims,
                lambda d: key.sign(d, padding.PKCS1v15(), hashes.SHA256()),
            )
        )
    refuse(place, cases)


@pytest.mark.parametrize("published", ["RS512", "PS256", "RS1", "HS256", "RSA-OAEP", "none"])
def test_atk_114_a_key_for_one_algorithm_verifies_no_other(
    issued: AtClient | AtApi, published: str
) -> None:
    place, keys = issued, issued.issuer.keys
    key = keys["rsa"]
    jwk = {**public_jwk(key, "rsa"), "alg": published}
    publish(place, jwk, public_jwk(keys["k1"], "k1"))

    def by_rsa(place: Place, claims: Claims) -> str:
        header = {**place.header, "alg": "RS256", "kid": "rsa"}
        return forge(header, claims, lambda data: sign_raw(key, data))

    refuse(place, {"RS256": by_rsa})


def test_atk_115_a_key_that_a_token_brings_along_is_not_believed(place: Place) -> None:
    own = ec.generate_private_key(ec.SECP256R1())
    kid = place.header["kid"]
    jwk = public_jwk(own, str(kid))

    def with_own(**changes: object) -> Make:
        def make(place: Place, claims: Claims) -> str:
            header = {**place.header, **changes}
            kept = {name: value for name, value in header.items() if value is not None}
            return forge(kept, claims, lambda data: sign_raw(own, data))

        return make

    cases = {
        "jwk": with_own(jwk=jwk),
        "jwk, no kid": with_own(jwk=jwk, kid=None),
        "jwk, own kid": with_own(jwk={**jwk, "kid": "evil"}, kid="evil"),
        "jwks": with_own(jwks={"keys": [jwk]}),
        "x5c": with_own(x5c=["MIIB"]),
        "x5t": with_own(**{"x5t#S256": b64(b"x" * 32)}),
        "kid is the key": with_own(kid=json.dumps(jwk)),
        "no kid": with_own(kid=None),
        "nothing": with_own(),
    }
    refuse(place, cases)
    # Not even beside a signature that holds, which would hide what is believed.
    honest = {
        "jwk": with_header(jwk={"kty": "EC"}),
        "empty": with_header(jwk={}),
        "null": raw_header('{..., "jwk": null}'),
    }
    refuse(place, honest)


def test_atk_116_no_address_in_a_token_is_fetched(place: Place, listener: Listener) -> None:
    own = ec.generate_private_key(ec.SECP256R1())
    document = {"keys": [public_jwk(own, "evil")]}
    for path in ("/jwks", "/x", "/.well-known/openid-configuration"):
        listener.routes[path] = lambda _: as_json(document)
    url = f"{listener.origin}/jwks"

    def with_own(**changes: object) -> Make:
        header = {"kid": "evil", **changes}
        return lambda place, claims: forge(
            {**place.header, **header}, claims, lambda data: sign_raw(own, data)
        )

    def from_issuer(place: Place, claims: Claims) -> str:
        return forge(
            {**place.header, "kid": "evil"},
            {**claims, "iss": listener.origin},
            lambda data: sign_raw(own, data),
        )

    cases: dict[str, Make] = {
        **{f"{name} {to}": with_own(**{name: to}) for name in ("jku", "x5u", "url", "jwks_uri")
           for to in (url, f"http://localhost:{listener.port}/x", "file:///etc/passwd")},
        **{f"rightly signed, {name}": with_header(**{name: url}) for name in ("jku", "x5u")},
        "kid": with_own(kid=url),
        "iss": from_issuer,
        "kid and iss": lambda place, claims: forge(
            {**place.header, "kid": url}, {**claims, "iss": url}, lambda d: sign_raw(own, d)
        ),
        "claims": lambda place, claims: forge(
            {**place.header, "kid": "evil"}, {**claims, "jku": url, "jwks_uri": url},
            lambda d: sign_raw(own, d),
        ),
    }  # fmt: skip
    refuse(place, cases)
    assert not listener.received


def test_atk_117_a_key_id_is_a_name_and_nothing_else(place: Place) -> None:
    texts = [
        "../../../../dev/null", "/dev/null", "file:///dev/null", "' OR 1=1--", "' UNION SELECT 'x",
        "k1;ls", "$(id)", "|id", "k1\0", "k1\n", " k1", "K1", "k1 ", "*", "%", "k1%00", "0", "",
        "x" * 100_000, "__class__", "constructor", "\ud800", "é" * 500,
    ]  # fmt: skip
    empty = b""

    def by_nothing(kid: object) -> Make:
        header: dict[str, object] = {"alg": "HS256", "kid": kid}
        return lambda place, claims: forge(
            {**place.header, **header}, claims, lambda d: hmac.digest(empty, d, sha256)
        )

    cases: dict[str, Make] = {f"text {text[:20]!r}": with_header(kid=text) for text in texts}
    cases |= {f"HMAC {text[:20]!r}": by_nothing(text) for text in texts[:4]}
    for value in (0, 1, True, 1.5, ["k1"], {"kid": "k1"}, []):
        cases[f"value {value!r}"] = with_header(kid=value)
    cases["null"] = raw_header('{"alg":"ES256","kid":null}')
    cases["twice"] = raw_header('{..., "kid": "other"}')
    refuse(place, cases)


@pytest.mark.parametrize(
    "extra",
    [
        '"crit":["x"],"x":1',
        '"crit":["exp"],"exp":1',
        '"crit":["b64"],"b64":true',
        '"crit":["b64"],"b64":false',
        '"crit":[]',
        '"crit":{}',
        '"crit":"x"',
        '"crit":null',
        '"crit":["alg"]',
        '"b64":false',
        '"b64":true',
        '"cr\\u0069t":["x"],"x":1',
        '"zip":"DEF"',
        '"x5c":[]',
    ],
)
def test_atk_118_what_a_token_calls_critical_is_not_passed_over(place: Place, extra: str) -> None:
    refuse(
        place,
        {"last": raw_header("{..., " + extra + "}"), "first": raw_header("{" + extra + ", ...}")},
    )
    assert place.takes(raw_header('{..., "unknown": 1}'))


def test_atk_118_a_payload_that_is_not_encoded_is_refused(place: Place) -> None:
    def detached(place: Place, claims: Claims) -> str:
        head, _, signature = Place.good(place, claims).split(".")
        return f"{head}..{signature}"

    def raw(place: Place, claims: Claims) -> str:
        head = b64(json.dumps({**place.header, "b64": False, "crit": ["b64"]}).encode())
        text = f"{head}.{json.dumps(claims).replace('.', '_')}"
        return f"{text}.{b64(place.sign(text.encode()))}"

    refuse(place, {"detached": detached, "raw": raw})


@pytest.mark.parametrize(
    "token",
    [
        pytest.param("A" * 10_000_000 + ".e30.AA", id="header of 10 MB"),
        pytest.param("eyJhbGciOiJFUzI1NiJ9." + "A" * 10_000_000 + ".AA", id="payload of 10 MB"),
        pytest.param("eyJhbGciOiJFUzI1NiJ9.e30." + "A" * 10_000_000, id="signature of 10 MB"),
        pytest.param("." * 1_000_000, id="a million dots"),
        pytest.param("eyJhbGciOiJFUzI1NiJ9" + ".e30" * 250_000, id="250 000 segments"),
        pytest.param(b64(b'{"a":' * 3000) + ".e30.AA", id="3000 braces"),
        pytest.param(b64(b"[" * 1500) + ".e30.AA", id="1500 brackets"),
        pytest.param(b64(b'{"alg":%b}' % (b"9" * 1400)) + ".e30.AA", id="long number"),
        pytest.param("=" * 3000 + ".e30.AA", id="padding"),
        pytest.param("..", id="two dots"),
        pytest.param(".e30.", id="no header"),
        pytest.param("e30.e30.e30", id="empty objects"),
        pytest.param("bnVsbA.bnVsbA.bnVsbA", id="null"),
    ],
)  # fmt: skip
def test_atk_119_a_token_of_any_size_and_shape_is_only_refused(place: Place, token: str) -> None:
    refuse(place, {"token": lambda place, claims: token})


def test_atk_119_a_signed_token_may_not_be_a_maze_either(place: Place) -> None:
    def with_member(text: str) -> Make:
        return lambda place, claims: forge(
            place.header, f'{json.dumps(claims)[:-1]},"x":{text}}}'.encode(), place.sign
        )

    refuse(
        place,
        {
            "2000 brackets": with_member("[" * 2000 + "]" * 2000),
            "500 objects": with_member('{"a":' * 500 + "1" + "}" * 500),
            "a number of 5000 digits": with_member("9" * 5000),
            "1e999": with_member("1e999"),
        },
    )
    assert place.takes(with_member("[[[1]]]"))


def encrypted(header: Mapping[str, object]) -> str:
    """Return five segments, the form of an encrypted token, around a bomb."""
    bomb = zlib.compress(b"\0" * 4000)
    return ".".join(
        b64(part) for part in (json.dumps(header).encode(), b"k" * 8, b"i" * 12, bomb, b"t" * 16)
    )


@pytest.fixture
def _no_inflating(monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: object, **__: object) -> None:
        raise AssertionError("something was inflated or derived")

    for name in ("zlib.decompress", "zlib.decompressobj", "hashlib.pbkdf2_hmac"):
        monkeypatch.setattr(name, fail)
    monkeypatch.setattr("cryptography.hazmat.primitives.kdf.pbkdf2.PBKDF2HMAC.__init__", fail)


@pytest.mark.usefixtures("_no_inflating")
def test_atk_120_nothing_is_inflated(place: Place) -> None:
    cases: dict[str, Make] = {}
    for alg in ("dir", "RSA-OAEP", "RSA-OAEP-256", "ECDH-ES", "A128KW", "ES256"):
        token = encrypted({"alg": alg, "enc": "A128GCM", "zip": "DEF", "kid": "k1"})
        cases[alg] = lambda place, claims, token=token: token  # type: ignore[misc]

    def deflated(place: Place, claims: Claims) -> str:
        squeezer = zlib.compressobj(wbits=-15)
        body = squeezer.compress(json.dumps(claims).encode()) + squeezer.flush()
        return forge({**place.header, "zip": "DEF"}, body, place.sign)

    cases["signed and deflated"] = deflated
    cases["signed"] = with_header(zip="DEF")
    cases["GZ"] = with_header(zip="GZ")
    refuse(place, cases)


@pytest.mark.usefixtures("_no_inflating")
@pytest.mark.parametrize(
    "alg", ["PBES2-HS256+A128KW", "PBES2-HS512+A256KW", "RSA1_5", "dir", "none"]
)
def test_atk_121_no_key_is_derived_and_nothing_decrypted(alg: str) -> None:
    key = PrivateKey.generate("ES256")
    for count in (1, 10**9, -1, 1e9, "x"):
        header = {"alg": alg, "enc": "A128GCM", "p2c": count, "p2s": "x" * 16}
        with pytest.raises(TokenRejected) as refusal:
            parse_compact(encrypted(header))
        assert refusal.value.code == "malformed_token"
        with pytest.raises(TokenRejected) as refusal:
            parse_compact(forge({**header, "kid": key.kid}, {}, key.sign))
        assert refusal.value.code == "algorithm_refused"
    assert parse_compact(sign_compact(key, b"{}")).alg == "ES256"


def test_atk_121_an_empty_key_signs_nothing(place: Place) -> None:
    refuse(place, {f"{alg} {secret!r}": by_hmac(secret, alg, kid) for alg, secret, kid in product(
        DIGESTS, (b"", b"\0", b"\0" * 32, b"null"), (None, "", "x"))})  # fmt: skip
    for jwk in ({"kty": "oct", "k": ""}, {"kty": "oct", "k": "AA", "alg": "HS256", "kid": "x"}):
        keys = KeySet.parse(json.dumps({"keys": [jwk]}).encode())
        assert not keys.keys
        assert keys.find("x", "ES256") == keys.find(None, "ES256") == ()


def as_json_jws(place: Place, claims: Claims, shape: str) -> str:
    """Return a good token and a bad one in one of the JSON serialisations."""
    head, body, signature = Place.good(place, claims).split(".")
    evil = b64(json.dumps({**claims, "sub": "somebody-else"}).encode())
    one = {"protected": head, "signature": signature}
    shapes: dict[str, object] = {
        "flattened": {"payload": body, **one},
        "general": {"payload": body, "signatures": [one]},
        "unprotected": {"payload": body, "header": dict(place.header), "signature": signature},
        "evil payload": {"payload": evil, **one},
    }
    if shape == "polyglot":
        # Reads as compact for who splits at dots, and as JSON for who parses it.
        return json.dumps({f"  {head}.{evil}.": "x", "payload": body, **one})
    return json.dumps(shapes[shape])


def test_atk_122_a_token_has_one_form_and_says_each_thing_once(place: Place) -> None:
    cases: dict[str, Make] = {
        shape: lambda place, claims, shape=shape: as_json_jws(place, claims, shape)  # type: ignore[misc]
        for shape in ("flattened", "general", "unprotected", "evil payload", "polyglot")
    }
    cases |= {
        "alg twice": raw_header('{..., "alg": "ES256"}'),
        "alg twice, none": raw_header('{"alg": "none", ...}'),
        "alg twice, escaped": raw_header('{..., "\\u0061lg": "none"}'),
        "typ twice": raw_header('{..., "typ": "JWT"}'),
    }

    def payload(change: Callable[[str], str]) -> Make:
        return lambda place, claims: forge(
            place.header, change(json.dumps(claims)).encode(), place.sign
        )

    cases |= {
        "sub twice": payload(lambda text: text[:-1] + ',"sub":"somebody-else"}'),
        "sub twice, first": payload(lambda text: '{"sub":"somebody-else",' + text[1:]),
        "sub twice, escaped": payload(lambda text: text[:-1] + ',"\\u0073ub":"x"}'),
        "twice within": payload(lambda text: text[:-1] + ',"x":{"a":1,"a":2}}'),
        "two objects": payload(lambda text: text + text),
        "more after": payload(lambda text: text + "x"),
        "an array": payload(lambda text: f"[{text}]"),
        "comment": payload(lambda text: text[:-1] + "/**/}"),
        "NaN": payload(lambda text: text[:-1] + ',"x":NaN}'),
        "BOM": payload(lambda text: "\ufeff" + text),
    }

    def respelled(change: Callable[[str], str]) -> Make:
        return lambda place, claims: change(Place.good(place, claims))

    cases |= {
        "padding": respelled(lambda token: token + "="),
        "line end": respelled(lambda token: token + "\n"),
        "space": respelled(lambda token: token.replace(".", " .")),
        "four segments": respelled(lambda token: token + "."),
        "standard base64": respelled(lambda token: token + "+"),
        "loose last bits": respelled(_loosen),
        "UTF-16": lambda place, claims: forge(
            place.header, json.dumps(claims).encode("utf-16"), place.sign
        ),
    }
    refuse(place, cases)


def _loosen(token: str) -> str:
    """Change the bits of the signature's last character that stand for nothing."""
    alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_"
    return token[:-1] + alphabet[alphabet.index(token[-1]) ^ 1]


N = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551
P = 2**256 - 2**224 + 2**192 + 2**96 - 1


def test_atk_123_a_signature_that_fits_every_key_fits_none(place: Place) -> None:
    numbers = {"0": 0, "1": 1, "n": N, "n-1": N - 1, "n+1": N + 1, "p": P, "most": 2**256 - 1}
    raw = {f"{a},{b}": numbers[a].to_bytes(32) + numbers[b].to_bytes(32)
           for a, b in product(numbers, numbers)}  # fmt: skip
    raw |= {
        "empty": b"",
        "63": b"\0" * 63,
        "65": b"\0" * 65,
        "DER 0": b"\x30\x06\x02\x01\0\x02\x01\0",
    }
    cases: dict[str, Make] = {
        name: lambda place, claims, s=signature: forge(place.header, claims, lambda _: s)  # type: ignore[misc]
        for name, signature in raw.items()
    }

    def numbers_of(place: Place, data: bytes) -> tuple[int, int]:
        signature = place.sign(data)
        return int.from_bytes(signature[:32]), int.from_bytes(signature[32:])

    def altered(change: Callable[[int, int], bytes]) -> Make:
        return lambda place, claims: forge(
            place.header, claims, lambda data: change(*numbers_of(place, data))
        )

    cases |= {
        "DER": altered(encode_dss_signature),
        "swapped": altered(lambda r, s: s.to_bytes(32) + r.to_bytes(32)),
        "a zero before": altered(lambda r, s: b"\0" + r.to_bytes(32) + s.to_bytes(32)),
        "33 each": altered(lambda r, s: r.to_bytes(33) + s.to_bytes(33)),
        "little endian": altered(lambda r, s: r.to_bytes(32, "little") + s.to_bytes(32, "little")),
        "cut": altered(lambda r, s: (r.to_bytes(32) + s.to_bytes(32))[:-1]),
    }
    refuse(place, cases)


@pytest.mark.parametrize(
    ("x", "y"),
    [(b"\0" * 32, b"\0" * 32), (b"\1" * 32, b"\1" * 32), (b"\xff" * 32, b"\xff" * 32), (b"", b"")],
    ids=["infinity", "off the curve", "beyond the field", "empty"],
)
def test_atk_123_a_key_that_is_no_point_of_its_curve_is_no_key(
    issued: AtClient | AtApi, x: bytes, y: bytes
) -> None:
    good = public_jwk(issued.issuer.keys["k1"], "k1")
    publish(issued, {**good, "kid": "bad", "x": b64(x), "y": b64(y)}, good)

    def psychic(place: Place, claims: Claims) -> str:
        return forge({**place.header, "kid": "bad"}, claims, lambda _: b"\0" * 64)

    refuse(issued, {"its own": with_header(kid="bad"), "psychic": psychic})


PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k", "priv"})


def test_atk_130_the_published_keys_hold_nothing_private(house: House) -> None:
    for method in ("GET", "HEAD"):
        answer = post(house, "/jwks", "", method=method)
        assert answer.status == 200
    keys = json.loads(post(house, "/jwks", "", method="GET").body)["keys"]
    assert len(keys) >= 2
    for key in keys:
        assert not PRIVATE & key.keys()
        assert key["kty"] in {"RSA", "EC", "OKP"}
        assert key["use"] == "sig"
        assert len(set(key) - {"kty", "use", "alg", "kid", "n", "e", "crv", "x", "y"}) == 0
    assert len({key["kid"] for key in keys}) == len(keys)
    # A provider that publishes its private key all the same is not relied upon.
    own = PrivateKey.generate("ES256")
    for jwk in ({**own.public.to_jwk(), "d": "x" * 43}, {"kty": "oct", "k": "x" * 43, "kid": "k"}):
        assert not KeySet.parse(json.dumps({"keys": [jwk]}).encode()).keys
    assert KeySet.parse(json.dumps({"keys": [own.public.to_jwk()]}).encode()).keys
