// A relying party made of openid-client; see `answering.mjs` for how it is spoken to.

import * as openid from 'openid-client'
import { answer, headerOf } from './answering.mjs'

const METHODS = {
  client_secret_basic: openid.ClientSecretBasic,
  client_secret_post: openid.ClientSecretPost,
  none: openid.None,
}

const logins = new Map()

// With keys_of, it knows the keys that another login has fetched, some seconds ago.
async function start({ issuer, client_id, client_secret, method, alg, algorithm, redirect_uri, scope, keys_of, keys_age = 0, ...more }) {
  const metadata = { id_token_signed_response_alg: alg }
  if (client_secret) metadata.client_secret = client_secret
  const config = await openid.discovery(
    new URL(issuer), client_id, metadata, METHODS[method](client_secret), {
      execute: [openid.allowInsecureRequests, openid.enableNonRepudiationChecks],
      algorithm,
    })
  if (keys_of) {
    const { jwks, uat } = openid.getJwksCache(logins.get(keys_of).config)
    openid.setJwksCache(config, { jwks, uat: uat - keys_age })
  }
  const verifier = openid.randomPKCECodeVerifier()
  const checks = {
    pkceCodeVerifier: verifier,
    expectedState: openid.randomState(),
    expectedNonce: openid.randomNonce(),
    maxAge: more.max_age && Number(more.max_age),
    idTokenExpected: true,
  }
  const url = openid.buildAuthorizationUrl(config, {
    redirect_uri,
    scope,
    state: checks.expectedState,
    nonce: checks.expectedNonce,
    code_challenge: await openid.calculatePKCECodeChallenge(verifier),
    code_challenge_method: 'S256',
    ...more,
  })
  const login = String(logins.size)
  logins.set(login, { config, checks })
  return {
    login,
    url: url.href,
    issuer: config.serverMetadata().issuer,
    supports_pkce: config.serverMetadata().supportsPKCE(),
  }
}

function told(tokens) {
  return {
    ...tokens,
    claims: tokens.claims(),
    header: tokens.id_token && headerOf(tokens.id_token),
  }
}

async function finish({ login, callback_url, changes = {} }) {
  const { config, checks } = logins.get(login)
  const tokens = await openid.authorizationCodeGrant(config, new URL(callback_url), { ...checks, ...changes })
  const { access_token } = tokens
  const userinfo = await openid.fetchUserInfo(config, access_token, tokens.claims().sub)
  return { ...told(tokens), userinfo }
}

async function userinfo({ login, access_token, sub, http_method = 'GET' }) {
  const { config } = logins.get(login)
  if (http_method === 'GET') return openid.fetchUserInfo(config, access_token, sub)
  const url = new URL(config.serverMetadata().userinfo_endpoint)
  return (await openid.fetchProtectedResource(config, access_token, url, http_method)).json()
}

async function refresh({ login, refresh_token }) {
  return told(await openid.refreshTokenGrant(logins.get(login).config, refresh_token))
}

async function revoke({ login, token, ...parameters }) {
  await openid.tokenRevocation(logins.get(login).config, token, parameters)
}

async function introspect({ login, token }) {
  return openid.tokenIntrospection(logins.get(login).config, token)
}

async function client_credentials({ login, parameters }) {
  return openid.clientCredentialsGrant(logins.get(login).config, parameters)
}

await answer({ start, finish, userinfo, refresh, revoke, introspect, client_credentials })
