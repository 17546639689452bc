// An OpenID provider (npm oidc-provider) on 127.0.0.1: prints its port when it is ready. Who signs in, and what it states of
// them, stands in the login hint of the form: whoever asks may choose, for this provider is for tests.
// Argument: JSON with redirect_uris.
import { createServer } from "node:http";
import Provider from "oidc-provider";

const { redirect_uris } = JSON.parse(process.argv[2]);
const server = createServer();
server.listen(0, "127.0.0.1", () => {
  const issuer = `http://127.0.0.1:${server.address().port}`;
  const people = new Map();
  const provider = new Provider(issuer, {
    clients: [{ client_id: "esante", client_secret: "secret-of-the-test", redirect_uris,
      response_types: ["code"], grant_types: ["authorization_code"], id_token_signed_response_alg: "RS256" }],
    claims: { openid: ["sub", "matricule", "ehealth"], acr: null, auth_time: null },
    conformIdTokenClaims: false,
    features: { devInteractions: { enabled: false } },
    cookies: { keys: ["cookie key of the test"] },
    acrValues: ["http://eidas.europa.eu/LoA/low", "http://eidas.europa.eu/LoA/substantial", "http://eidas.europa.eu/LoA/high"],
    interactions: { url: (ctx, interaction) => `/login/${interaction.uid}` },
    pkce: { required: () => true },
    findAccount: (ctx, sub) => ({ accountId: sub, claims: () => ({ sub, ...people.get(sub) }) }),
    ttl: { AccessToken: 60, AuthorizationCode: 60, IdToken: 60, Interaction: 600, Session: 600, Grant: 600 },
  });
  const answer = provider.callback();
  server.on("request", async (request, response) => {
    const url = new URL(request.url, issuer);
    if (!url.pathname.startsWith("/login/")) return answer(request, response);
    const { params, prompt } = await provider.interactionDetails(request, response);
    if (request.method === "GET") {
      response.setHeader("content-type", "text/html");
      return response.end(`<form method="post"><input name="person"><button>${prompt.name}</button></form>`);
    }
    let body = "";
    for await (const chunk of request) body += chunk;
    const person = JSON.parse(new URLSearchParams(body).get("person"));
    if (person.deny) return provider.interactionFinished(request, response, { error: "access_denied" });
    const { sub, acr, ...claims } = person;
    people.set(sub, claims);
    const grant = new provider.Grant({ accountId: sub, clientId: params.client_id });
    grant.addOIDCScope("openid");
    const grantId = await grant.save();
    return provider.interactionFinished(request, response, { login: { accountId: sub, acr }, consent: { grantId } });
  });
  console.log(server.address().port);
});
