// A certified OpenID Connect provider for the end-to-end tests: `node issuer.mjs PORT PORTAL PRINTED PEOPLE`. Whatever
// password is typed is right. PRINTED is the portal's address as mails have it. PEOPLE is a file with the claims of each name, read anew at each sign-in.
import { readFileSync } from 'node:fs'
import { Provider } from 'oidc-provider'

const [port, portal, printed, people] = process.argv.slice(2)
const claims = ['name', 'preferred_username', 'email', 'email_verified', 'groups']
const clients = ['acme', 'corp'].map((name) => ({
  client_id: name,
  client_secret: `the secret of ${name}`,
  redirect_uris: [`${portal}/accounts/oidc/${name}/callback/`],
  post_logout_redirect_uris: [`${printed}/accounts/login/`],
  token_endpoint_auth_method: 'client_secret_post',
}))
const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients,
  claims: { openid: ['sub'], profile: claims, email: [] },
  cookies: { keys: ['only for tests'] },
  pkce: { required: () => true },
  findAccount: (_, sub) => ({
    accountId: sub,
    claims: () => ({ sub, ...JSON.parse(readFileSync(people))[sub] }),
  }),
})
provider.listen(Number(port), '127.0.0.1', () => process.stdout.write('listening\n'))
