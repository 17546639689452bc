"use strict";
// The sample app: a public client of SMART App Launch 2 in the browser. Its token lives in this page alone.

const app = document.getElementById("app");
const { fhir, issuer, client, address } = app.dataset;
const KEPT = "sample-app";
const SCOPES = "openid fhirUser patient/Patient.rs patient/DocumentReference.rs online_access";
let answer = null;

const at = (id) => document.getElementById(id);
const random = () => encoded(crypto.getRandomValues(new Uint8Array(32)));

function encoded(bytes) {
  return btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function show(state) {
  for (const part of app.querySelectorAll("[data-state]")) part.hidden = part.dataset.state !== state;
}

function refused(error) {
  at("error").textContent = error;
  show("refused");
}

async function configuration() {
  return (await fetch(`${fhir}/.well-known/smart-configuration`, { credentials: "omit" })).json();
}

// Ask for access: in the portal's name when it opened the app (launch), else on one's own.
async function connect(launch) {
  const verifier = random(), state = random();
  sessionStorage.setItem(KEPT, JSON.stringify({ verifier, state }));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  const wish = new URLSearchParams({
    response_type: "code", client_id: client, redirect_uri: address, state, aud: fhir,
    scope: `${launch ? "launch" : "launch/patient"} ${SCOPES}`,
    code_challenge: encoded(digest), code_challenge_method: "S256",
  });
  if (launch) wish.set("launch", launch);
  location.assign(`${(await configuration()).authorization_endpoint}?${wish}`);
}

// What came back: only to what this page asked, and only from where it asked.
async function returned(params) {
  const kept = JSON.parse(sessionStorage.getItem(KEPT) || "{}");
  sessionStorage.removeItem(KEPT);
  history.replaceState(null, "", address);
  if (params.get("state") !== kept.state || params.get("iss") !== issuer) return refused("state");
  if (!params.get("code")) return refused(params.get("error") || "");
  const form = new URLSearchParams({
    grant_type: "authorization_code", code: params.get("code"), redirect_uri: address, client_id: client,
    code_verifier: kept.verifier,
  });
  const given = await fetch((await configuration()).token_endpoint, { method: "POST", body: form, credentials: "omit" });
  if (!given.ok) return refused((await given.json()).error);
  answer = await given.json();
  await read();
}

// A resource, or null when the token does not reach it; the access has ended when nobody knows the token.
async function resource(path) {
  const headers = { Authorization: `Bearer ${answer.access_token}`, Accept: "application/fhir+json" };
  const found = await fetch(`${fhir}/${path}`, { headers, credentials: "omit" });
  if (found.status === 401) throw new Error("401");
  return found.ok ? found.json() : null;
}

async function read() {
  try {
    const patient = await resource(`Patient/${answer.patient}`);
    const found = await resource(`DocumentReference?patient=${answer.patient}&status=current&_count=5`);
    const name = patient?.name?.[0];
    const documents = found?.entry?.map((entry) => entry.resource) ?? [];
    tell("patient", name && `${(name.given || []).join(" ")} ${name.family}, ${patient.birthDate}`);
    tell("documents", found && String(documents.length));
    tell("user", answer.id_token && JSON.parse(atob(answer.id_token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"))).fhirUser);
    at("scopes").textContent = answer.scope;
    at("titles").replaceChildren(...documents.map(title));
    show("connected");
  } catch (error) {
    refused(error.message);
  }
}

function tell(id, text) {
  at(id).textContent = text || at(id).dataset.none;
}

function title(found) {
  const line = document.createElement("li");
  line.textContent = found.content[0].attachment.title;
  return line;
}

const params = new URLSearchParams(location.search);
at("connect").addEventListener("click", () => connect(null));
at("again").addEventListener("click", () => connect(null));
at("read").addEventListener("click", read);
if (params.has("launch") && params.get("iss") === fhir) connect(params.get("launch"));
else if (params.has("state")) returned(params);
