// SPDX-License-Identifier: Apache-2.0
// An authorization server by other people: refresh tokens rotate, and one that was used before ends its whole grant.
// It prints its port, and ends when its standard input does. Whoever comes to be asked for consent has given it.
//
//   GET  /counts   {"refreshes": N, "reuses": N}: how many refreshes gave tokens, how often a used token came again
//   POST /lose     the answer of the next token request is lost, after everything about it was done

import { createServer } from 'node:http';
import { Provider } from 'oidc-provider';

const server = createServer();
await new Promise((listening) => server.listen(0, '127.0.0.1', listening));
const { port } = server.address();

const provider = new Provider(`http://127.0.0.1:${port}`, {
  clients: [
    {
      client_id: 'almoner',
      client_secret: 'secret of almoner',
      token_endpoint_auth_method: 'client_secret_basic',
      // A native client may come back to any port of this machine (RFC 8252 section 7.3).
      application_type: 'native',
      redirect_uris: ['http://127.0.0.1/v1/oauth/callback'],
      grant_types: ['authorization_code', 'refresh_token'],
    },
  ],
  scopes: ['openid', 'read', 'write'],
  pkce: { required: () => true },
  features: { devInteractions: { enabled: false }, revocation: { enabled: true } },
  interactions: { url: (context, interaction) => `/interaction/${interaction.uid}` },
  findAccount: (context, sub) => ({ accountId: sub, claims: () => ({ sub }) }),
  issueRefreshToken: () => true,
  rotateRefreshToken: () => true,
  ttl: { AccessToken: 3600, Grant: 86_400, Interaction: 600, RefreshToken: 86_400, Session: 86_400 },
});

const counts = { refreshes: 0, reuses: 0 };
let losesNext = false;

provider.on('grant.success', ({ oidc }) => {
  if (oidc.params.grant_type === 'refresh_token') counts.refreshes += 1;
});
provider.on('grant.error', (context, error) => {
  if (error.error_detail === 'refresh token already used') counts.reuses += 1;
});
provider.use(async (context, next) => {
  await next();
  if (context.path === '/token' && losesNext) {
    losesNext = false;
    context.req.socket.destroy();
  }
});

async function consent(request, response) {
  const { params, session } = await provider.interactionDetails(request, response);
  const accountId = session?.accountId ?? 'somebody';
  const grant = new provider.Grant({ accountId, clientId: params.client_id });
  grant.addOIDCScope(params.scope);
  const result = { login: { accountId }, consent: { grantId: await grant.save() } };
  await provider.interactionFinished(request, response, result);
}

const ordinary = provider.callback();
server.on('request', (request, response) => {
  if (request.url.startsWith('/interaction/')) {
    consent(request, response);
  } else if (request.url === '/counts') {
    response.end(JSON.stringify(counts));
  } else if (request.url === '/lose') {
    losesNext = true;
    response.end();
  } else {
    ordinary(request, response);
  }
});

console.log(port);
process.stdin.on('end', () => process.exit(0)).resume();
