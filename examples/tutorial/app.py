"""The six steps of the authorization code grant in a plain Flask application.

`codegrant.web.flask.Login` does all of this in two lines, and more of it. Here every step
is spelled out, with `Client` for the protocol and `requests` for the call to the API.

An authorization server of your own, with a person and a registration for this program
(the second command prints the client secret, once):

    codegrant users add alice --name "Alice Liddell" --password-stdin
    codegrant clients add tutorial --redirect-uri http://127.0.0.1:5000/callback
    codegrant serve

Then, in another terminal:

    export CLIENT_ID=tutorial CLIENT_SECRET=...
    flask --app examples/tutorial/app run
"""

# Step 1: install
#     pip install 'codegrant[server,flask,requests]'

import os
import secrets

import requests
from flask import Flask, Response, abort, redirect, session
from flask import request as http_request
from werkzeug.wrappers import Response as Redirect

from codegrant import Client, CodegrantError, KeyRing, PendingLogin, SealBroken, Tokens

# Step 2: set up client credentials. They come from the environment, never from the source.
ISSUER = os.environ.get("ISSUER", "http://127.0.0.1:8080")
API_URL = os.environ.get("API_URL", f"{ISSUER}/userinfo")
client = Client(
    ISSUER,
    client_id=os.environ["CLIENT_ID"],
    client_secret=os.environ["CLIENT_SECRET"],
    redirect_uri=os.environ.get("REDIRECT_URI", "http://127.0.0.1:5000/callback"),
    scope="openid profile",
)

# One secret of the application's own: Flask signs its session with it, and whatever must
# not be read in the browser is sealed with it. Set it, or a restart signs everybody out.
SECRET_KEY = os.environ.get("SECRET_KEY") or secrets.token_urlsafe(32)
keys = KeyRing([SECRET_KEY])

app = Flask(__name__)
app.config.update(SECRET_KEY=SECRET_KEY, SESSION_COOKIE_SAMESITE="Lax")


@app.get("/")
def home() -> str:
    return '<h1>Codegrant tutorial</h1><a id="login" href="/login">Log in</a>'


# Step 3: redirect the person to the authorization endpoint
@app.get("/login")
def login() -> Redirect:
    pending = client.start_login()
    session["login"] = pending.seal(keys)
    return redirect(pending.url)


# Step 4: handle the callback
@app.get("/callback")
def callback() -> Redirect:
    sealed = session.get("login")
    if sealed is None:
        abort(400, "This browser has not started a login, or has finished it already.")
    pending = PendingLogin.open(sealed, keys)

    # Step 5: exchange the code for an access token. State, issuer, error answers and PKCE
    # are judged first, the ID token last; what is returned was verified.
    tokens = client.finish_login(http_request.url, pending)
    session["tokens"] = tokens.seal(keys)
    del session["login"]
    return redirect("/profile")


# Step 6: call the protected API
@app.get("/profile")
def profile() -> Response | Redirect:
    if "tokens" not in session:
        return redirect("/login")
    try:
        tokens = Tokens.open(session["tokens"], keys)
    except SealBroken:  # sealed before SECRET_KEY was changed
        return redirect("/login")
    answer = requests.get(
        API_URL,
        headers={"Authorization": f"Bearer {tokens.access_token.reveal()}"},
        timeout=10,
        allow_redirects=False,  # a token does not travel to wherever a redirect points
    )
    if answer.status_code == requests.codes.unauthorized:  # expired or withdrawn
        return redirect("/login")
    answer.raise_for_status()
    return Response(answer.content, content_type="application/json")


# Throughout: handle every error. Each of ours has a stable code, and none holds a secret.
@app.errorhandler(CodegrantError)
def login_failed(error: CodegrantError) -> tuple[str, int]:
    app.logger.warning("login failed: %s", error)
    return failure_page("You were not logged in", error.code), 400


@app.errorhandler(requests.RequestException)
def call_failed(error: requests.RequestException) -> tuple[str, int]:
    app.logger.warning("the API call failed: %s", error)
    return failure_page("The API did not answer as expected", "api_failed"), 502


def failure_page(title: str, code: str) -> str:
    return f'<h1>{title}</h1><p id="error-code">{code}</p><a href="/login">Try again</a>'
