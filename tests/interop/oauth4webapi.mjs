// A relying party and an API made of oauth4webapi; see `answering.mjs` for how it is spoken to.

import * as oauth from 'oauth4webapi'
import { answer, headerOf } from './answering.mjs'

const METHODS = {
  client_secret_basic: oauth.ClientSecretBasic,
  client_secret_post: oauth.ClientSecretPost,
  none: oauth.None,
}
const LOOPBACK = { [oauth.allowInsecureRequests]: true }

const logins = new Map()

async function discover(issuer, algorithm) {
  const url = new URL(issuer)
  return oauth.processDiscoveryResponse(url, await oauth.discoveryRequest(url, { algorithm, ...LOOPBACK }))
}

// With keys_of, it knows the keys that another login has fetched, some seconds ago.
async function start({ issuer, client_id, client_secret, method, alg, algorithm, redirect_uri, scope, keys_of, keys_age = 0, ...more }) {
  const as = await discover(issuer, algorithm)
  const keys = {}
  if (keys_of) {
    const known = logins.get(keys_of).keys
    Object.assign(keys, { jwks: known.jwks, uat: known.uat - keys_age })
  }
  const verifier = oauth.generateRandomCodeVerifier()
  const checks = {
    expectedState: oauth.generateRandomState(),
    expectedNonce: oauth.generateRandomNonce(),
    maxAge: more.max_age && Number(more.max_age),
    requireIdToken: true,
  }
  const url = new URL(as.authorization_endpoint)
  url.search = new URLSearchParams({
    client_id,
    redirect_uri,
    response_type: 'code',
    scope,
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    code_challenge: await oauth.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...more,
  })
  const client = { client_id, id_token_signed_response_alg: alg }
  const auth = METHODS[method](client_secret)
  const login = String(logins.size)
  logins.set(login, { as, client, auth, redirect_uri, verifier, checks, keys })
  return { login, url: url.href, issuer: as.issuer }
}

async function told({ as, keys }, response, tokens) {
  if (tokens.id_token) {
    await oauth.validateApplicationLevelSignature(as, response, { [oauth.jwksCache]: keys, ...LOOPBACK })
  }
  return {
    ...tokens,
    claims: oauth.getValidatedIdTokenClaims(tokens),
    header: tokens.id_token && headerOf(tokens.id_token),
  }
}

async function finish({ login, callback_url, changes = {} }) {
  const { as, client, auth, redirect_uri, verifier, checks, ...more } = logins.get(login)
  const expected = { ...checks, ...changes }
  const parameters = oauth.validateAuthResponse(as, client, new URL(callback_url), expected.expectedState)
  const response = await oauth.authorizationCodeGrantRequest(
    as, client, auth, parameters, redirect_uri, changes.pkceCodeVerifier ?? verifier, LOOPBACK)
  const tokens = await oauth.processAuthorizationCodeResponse(as, client, response, expected)
  return told({ as, ...more }, response, tokens)
}

async function userinfo({ login, access_token, sub, http_method = 'GET' }) {
  const { as, client } = logins.get(login)
  const response = http_method === 'GET'
    ? await oauth.userInfoRequest(as, client, access_token, LOOPBACK)
    : await oauth.protectedResourceRequest(
      access_token, http_method, new URL(as.userinfo_endpoint), undefined, undefined, LOOPBACK)
  return oauth.processUserInfoResponse(as, client, sub, response)
}

async function refresh({ login, refresh_token }) {
  const { as, client, auth, ...more } = logins.get(login)
  const response = await oauth.refreshTokenGrantRequest(as, client, auth, refresh_token, LOOPBACK)
  return told({ as, ...more }, response, await oauth.processRefreshTokenResponse(as, client, response))
}

async function revoke({ login, token, ...additionalParameters }) {
  const { as, client, auth } = logins.get(login)
  const options = { additionalParameters, ...LOOPBACK }
  await oauth.processRevocationResponse(await oauth.revocationRequest(as, client, auth, token, options))
}

async function introspect({ login, token }) {
  const { as, client, auth } = logins.get(login)
  const response = await oauth.introspectionRequest(as, client, auth, token, LOOPBACK)
  return oauth.processIntrospectionResponse(as, client, response)
}

async function client_credentials({ login, parameters }) {
  const { as, client, auth } = logins.get(login)
  const response = await oauth.clientCredentialsGrantRequest(as, client, auth, parameters, LOOPBACK)
  return oauth.processClientCredentialsResponse(as, client, response)
}

// What an API does with a request that carries the access token.
async function verify_access_token({ issuer, access_token, audience }) {
  const request = new Request(audience, { headers: { authorization: `Bearer ${access_token}` } })
  return oauth.validateJwtAccessToken(await discover(issuer), request, audience, LOOPBACK)
}

await answer({
  start, finish, userinfo, refresh, revoke, introspect, client_credentials, verify_access_token,
})
