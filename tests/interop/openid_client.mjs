// A relying party made of openid-client: starts a login, and finishes it with a callback URL.
// Questions and answers are lines of JSON; an error that openid-client raises is an answer too.

import { createInterface } from 'node:readline'
import * as openid from 'openid-client'

const METHODS = {
  client_secret_basic: openid.ClientSecretBasic,
  client_secret_post: openid.ClientSecretPost,
  none: openid.None,
}

const logins = new Map()

async function start({ issuer, client_id, client_secret, method, alg, algorithm, redirect_uri, scope, ...more }) {
  const metadata = { id_token_signed_response_alg: alg }
  if (client_secret) metadata.client_secret = client_secret
  const config = await openid.discovery(
    new URL(issuer), client_id, metadata, METHODS[method](client_secret), {
      execute: [openid.allowInsecureRequests, openid.enableNonRepudiationChecks],
      algorithm,
    })
  const verifier = openid.randomPKCECodeVerifier()
  const checks = {
    pkceCodeVerifier: verifier,
    expectedState: openid.randomState(),
    expectedNonce: openid.randomNonce(),
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

async function finish({ login, callback_url, changes = {} }) {
  const { config, checks } = logins.get(login)
  const tokens = await openid.authorizationCodeGrant(config, new URL(callback_url), { ...checks, ...changes })
  const claims = tokens.claims()
  return {
    claims,
    header: JSON.parse(Buffer.from(tokens.id_token.split('.')[0], 'base64url')),
    scope: tokens.scope,
    expires_in: tokens.expires_in,
    access_token: tokens.access_token,
    userinfo: await openid.fetchUserInfo(config, tokens.access_token, claims.sub),
  }
}

async function userinfo({ login, access_token, sub }) {
  return openid.fetchUserInfo(logins.get(login).config, access_token, sub)
}

const actions = { start, finish, userinfo }

console.log(JSON.stringify({ ready: true }))
for await (const line of createInterface({ input: process.stdin })) {
  const { action, ...question } = JSON.parse(line)
  let answer
  try {
    answer = await actions[action](question)
  } catch (error) {
    answer = {
      refused: error.constructor.name,
      error: error.error,
      status: error.status,
      why: error.cause?.message ?? error.message,
      challenges: Array.isArray(error.cause) ? error.cause : undefined,
    }
  }
  console.log(JSON.stringify(answer))
}
