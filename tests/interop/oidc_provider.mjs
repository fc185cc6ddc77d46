// oidc-provider on a free loopback port; says its issuer when it answers, ends with its stdin.
// Its one argument is JSON: the clients, the algorithms that may sign an ID token, and those that
// may sign what a client signs, if not all. A line on stdin is the wish for new keys, of which
// nobody was told; the answer comes when they sign.

import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import { createInterface } from 'node:readline'

// What it has to say to its operator; stdout is for the test.
console.info = console.warn = console.error

const { default: Provider, errors } = await import('oidc-provider')

const { clients, algorithms, ofClients } = JSON.parse(process.argv[2])

function key(type, options) {
  return { use: 'sig', ...generateKeyPairSync(type, options).privateKey.export({ format: 'jwk' }) }
}

// An API per way of making access tokens: https://api.example/jwt/ES256, …/opaque
function describeApi(ctx, resource) {
  const [format, alg] = new URL(resource).pathname.slice(1).split('/')
  if (!['jwt', 'opaque'].includes(format)) throw new errors.InvalidTarget()
  return {
    scope: 'read admin',
    audience: resource,
    accessTokenFormat: format,
    accessTokenTTL: 300,
    jwt: alg && { sign: { alg } },
  }
}

const server = createServer()
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const issuer = `http://127.0.0.1:${server.address().port}`

let keys = []

function serve() {
  // The first one of a kind signs.
  keys = [
    key('rsa', { modulusLength: 2048 }),
    key('ec', { namedCurve: 'P-256' }),
    key('ed25519'),
    ...keys,
  ]
  const provider = new Provider(issuer, {
    clients,
    jwks: { keys },
    cookies: { keys: ['c'.repeat(32)] },
    claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'] },
    enabledJWA: {
      idTokenSigningAlgValues: algorithms,
      ...(ofClients && {
        clientAuthSigningAlgValues: ofClients,
        dPoPSigningAlgValues: ofClients,
        requestObjectSigningAlgValues: ofClients,
      }),
    },
    findAccount: (ctx, id) => ({
      accountId: id,
      claims: () => ({ sub: id, name: 'Alice L', email: 'alice@example.test', email_verified: true }),
    }),
    // By itself it posts a logout token to no loopback address.
    fetch: (url, { dispatcher, ...options }) => fetch(url, options),
    pkce: { required: () => true },
    rotateRefreshToken: true,
    features: {
      backchannelLogout: { enabled: true },
      clientCredentials: { enabled: true },
      deviceFlow: { enabled: true },
      devInteractions: { enabled: true },
      // Its nonces change each minute, and no proof holds without one.
      dPoP: { enabled: true, nonceSecret: Buffer.alloc(32, 'n'), requireNonce: () => true },
      introspection: { enabled: true, allowedPolicy: () => true },
      claimsParameter: { enabled: true },
      requestObjects: { enabled: true },
      revocation: { enabled: true, allowedPolicy: (ctx, client, token) => token.clientId === client.clientId },
      resourceIndicators: {
        enabled: true,
        defaultResource: (ctx, client, oneOf) => oneOf,
        getResourceServerInfo: describeApi,
      },
    },
  })
  provider.on('server_error', (ctx, error) => console.error(error))
  provider.on('backchannel.error', (ctx, error) => console.error(error))
  server.removeAllListeners('request').on('request', provider.callback())
}

serve()
console.log(JSON.stringify({ issuer }))
for await (const _ of createInterface({ input: process.stdin })) {
  serve()
  console.log('{}')
}
process.exit(0)
