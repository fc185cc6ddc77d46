// oidc-provider on a free loopback port, all of it in memory; ID tokens are ES256.
// Its first line says how to use it; it ends with its stdin.

import { generateKeyPairSync } from 'node:crypto'
import { createServer } from 'node:http'
import { createRequire } from 'node:module'
import { pathToFileURL } from 'node:url'

// What it has to say to its operator; stdout is for the driver.
console.info = console.warn = console.error

// It is installed once, for the interop tests.
const require = createRequire(new URL('../../tests/interop/package.json', import.meta.url))
const { default: Provider } = await import(pathToFileURL(require.resolve('oidc-provider')).href)

const client = {
  client_id: 'bench',
  client_secret: 's'.repeat(43),
  redirect_uris: ['https://app.example/callback'],
  response_types: ['code'],
  grant_types: ['authorization_code', 'refresh_token'],
  token_endpoint_auth_method: 'client_secret_basic',
  id_token_signed_response_alg: 'ES256',
}
const { privateKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' })

const server = createServer()
await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve))
const issuer = `http://127.0.0.1:${server.address().port}`

const provider = new Provider(issuer, {
  clients: [client],
  jwks: { keys: [{ use: 'sig', ...privateKey.export({ format: 'jwk' }) }] },
  cookies: { keys: ['c'.repeat(32)] },
  claims: { openid: ['sub'], profile: ['name'], email: ['email', 'email_verified'] },
  enabledJWA: { idTokenSigningAlgValues: ['ES256'] },
  findAccount: (ctx, id) => ({
    accountId: id,
    claims: () => ({ sub: id, name: 'Alice L', email: 'alice@example.test', email_verified: true }),
  }),
  pkce: { required: () => true },
  // offline_access would need prompt=consent, and so a page, each time.
  scopes: ['openid', 'offline'],
  issueRefreshToken: (ctx, client, code) => code.scopes.has('offline'),
  rotateRefreshToken: true,
  // A code that comes twice ends the grant, and with it the consent: it is given anew.
  async loadExistingGrant(ctx) {
    const { session, client, provider } = ctx.oidc
    const grantId = ctx.oidc.result?.consent?.grantId ?? session.grantIdFor(client.clientId)
    const existing = grantId && (await provider.Grant.find(grantId))
    if (existing) return existing
    const grant = new provider.Grant({ clientId: client.clientId, accountId: session.accountId })
    grant.addOIDCScope('openid profile email offline')
    await grant.save()
    return grant
  },
  features: {
    devInteractions: { enabled: true },
    introspection: { enabled: true },
  },
})
provider.on('server_error', (ctx, error) => console.error(error))
server.on('request', provider.callback())

console.log(JSON.stringify({ issuer, ...client, redirect_uri: client.redirect_uris[0], offline_scope: 'openid profile email offline' }))
process.stdin.resume().on('end', () => process.exit(0))
