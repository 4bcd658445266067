// A certified OpenID provider (npm: oidc-provider) with one public client, which it asks PKCE of, and one system.
import Provider from 'oidc-provider';

const [port, callback, audience] = process.argv.slice(2);
const provider = new Provider(`http://localhost:${port}`, {
  clients: [
    { client_id: 'habeas', token_endpoint_auth_method: 'none', redirect_uris: [callback], response_types: ['code'] },
    {
      client_id: 'web-shop',
      client_secret: 'shop-secret-of-a-test',
      grant_types: ['client_credentials'],
      redirect_uris: [],
      response_types: [],
    },
  ],
  claims: { amr: null, openid: ['sub', 'roles', 'amr'] },
  conformIdTokenClaims: false,
  findAccount: (ctx, id) => ({ accountId: id, claims: async () => ({ sub: id, roles: [id] }) }),
  pkce: { required: () => true },
  features: {
    clientCredentials: { enabled: true },
    resourceIndicators: {
      enabled: true,
      defaultResource: (ctx, client) => (client.clientId === 'web-shop' ? audience : undefined),
      getResourceServerInfo: () => ({
        scope: 'requests:open requests:read decisions:approve',
        audience,
        accessTokenFormat: 'jwt',
        accessTokenTTL: 300,
      }),
    },
  },
});
// Its pages for trying things ask for a password alone; here it is taken for two factors.
const login = provider.Session.prototype.loginAccount;
provider.Session.prototype.loginAccount = function loginAccount(details) {
  return login.call(this, { ...details, amr: ['pwd', 'mfa'] });
};
provider.listen(Number(port), '127.0.0.1');
