// An app with fhir-kit-client: prints the authorization URL, reads the redirect URL of the response from standard
// input, and prints what it could read. Arguments: FHIR base URL, client id, redirect URI, scopes.
import { createHash, randomBytes } from "node:crypto";
import { createInterface } from "node:readline/promises";
import { Client } from "fhir-kit-client";

const [baseUrl, clientId, redirectUri, scope] = process.argv.slice(2);
const client = new Client({ baseUrl });
const { authorizeUrl, tokenUrl } = await client.smartAuthMetadata();

const verifier = randomBytes(32).toString("base64url");
const state = randomBytes(16).toString("base64url");
authorizeUrl.search = new URLSearchParams({
  response_type: "code", client_id: clientId, redirect_uri: redirectUri, scope, state, aud: baseUrl,
  code_challenge: createHash("sha256").update(verifier).digest("base64url"), code_challenge_method: "S256",
});
console.log(authorizeUrl.href);

const input = createInterface({ input: process.stdin });
const { value: line } = await input[Symbol.asyncIterator]().next();
input.close();
const parameters = new URL(line).searchParams;
if (parameters.get("state") !== state) throw new Error("the state differs from that of the request");
const response = await fetch(tokenUrl, {
  method: "POST",
  body: new URLSearchParams({
    grant_type: "authorization_code", code: parameters.get("code"), redirect_uri: redirectUri, client_id: clientId,
    code_verifier: verifier,
  }),
});
const token = await response.json();
if (!response.ok) throw new Error(JSON.stringify(token));

client.bearerToken = token.access_token;
const patient = await client.read({ resourceType: "Patient", id: token.patient });
const searchParams = { patient: token.patient, _count: 1 };
let page = await client.search({ resourceType: "DocumentReference", searchParams });
const titles = [];
while (page) {
  for (const { resource } of page.entry ?? []) titles.push(resource.content[0].attachment.title);
  page = page.link.some(({ relation }) => relation === "next") ? await client.nextPage({ bundle: page }) : undefined;
}
console.log(JSON.stringify({ token, patient, titles }));
