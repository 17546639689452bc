"use strict";
// The sample app: a public client of SMART App Launch 2 in the browser. Its token is kept in this page only.

const app = document.getElementById("app");
const { fhir, issuer, client, address } = app.dataset;
const STORAGE_KEY = "sample-app";
const SCOPES = "openid fhirUser patient/Patient.rs patient/DocumentReference.rs online_access";
let token = null;

const at = (id) => document.getElementById(id);
const random = () => base64url(crypto.getRandomValues(new Uint8Array(32)));

function base64url(bytes) {
  return btoa(String.fromCharCode(...new Uint8Array(bytes))).replaceAll("+", "-").replaceAll("/", "_").replaceAll("=", "");
}

function show(state) {
  for (const part of app.querySelectorAll("[data-state]")) part.hidden = part.dataset.state !== state;
}

function showError(error) {
  at("error").textContent = error;
  show("refused");
}

async function configuration() {
  return (await fetch(`${fhir}/.well-known/smart-configuration`, { credentials: "omit" })).json();
}

// Send the authorization request: with the handle of the portal's launch, or standalone.
async function connect(launch) {
  const verifier = random(), state = random();
  sessionStorage.setItem(STORAGE_KEY, JSON.stringify({ verifier, state }));
  const digest = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(verifier));
  const parameters = new URLSearchParams({
    response_type: "code", client_id: client, redirect_uri: address, state, aud: fhir,
    scope: `${launch ? "launch" : "launch/patient"} ${SCOPES}`,
    code_challenge: base64url(digest), code_challenge_method: "S256",
  });
  if (launch) parameters.set("launch", launch);
  location.assign(`${(await configuration()).authorization_endpoint}?${parameters}`);
}

// Handle the authorization response: only with the state of this page and from the issuer.
async function handleResponse(params) {
  const stored = JSON.parse(sessionStorage.getItem(STORAGE_KEY) || "{}");
  sessionStorage.removeItem(STORAGE_KEY);
  history.replaceState(null, "", address);
  if (params.get("state") !== stored.state || params.get("iss") !== issuer) return showError("state");
  if (!params.get("code")) return showError(params.get("error") || "");
  const form = new URLSearchParams({
    grant_type: "authorization_code", code: params.get("code"), redirect_uri: address, client_id: client,
    code_verifier: stored.verifier,
  });
  const response = await fetch((await configuration()).token_endpoint, { method: "POST", body: form, credentials: "omit" });
  if (!response.ok) return showError((await response.json()).error);
  token = await response.json();
  await read();
}

// Fetch a resource; null when the token does not cover it. A 401 means that the access has ended.
async function resource(path) {
  const headers = { Authorization: `Bearer ${token.access_token}`, Accept: "application/fhir+json" };
  const response = await fetch(`${fhir}/${path}`, { headers, credentials: "omit" });
  if (response.status === 401) throw new Error("401");
  return response.ok ? response.json() : null;
}

async function read() {
  try {
    const patient = await resource(`Patient/${token.patient}`);
    const bundle = await resource(`DocumentReference?patient=${token.patient}&status=current&_count=5`);
    const name = patient?.name?.[0];
    const documents = bundle?.entry?.map((entry) => entry.resource) ?? [];
    setText("patient", name && `${(name.given || []).join(" ")} ${name.family}, ${patient.birthDate}`);
    setText("documents", bundle && String(documents.length));
    setText("user", token.id_token && JSON.parse(atob(token.id_token.split(".")[1].replaceAll("-", "+").replaceAll("_", "/"))).fhirUser);
    at("scopes").textContent = token.scope;
    at("titles").replaceChildren(...documents.map(titleItem));
    show("connected");
  } catch (error) {
    showError(error.message);
  }
}

function setText(id, text) {
  at(id).textContent = text || at(id).dataset.none;
}

function titleItem(reference) {
  const line = document.createElement("li");
  line.textContent = reference.content[0].attachment.title;
  return line;
}

const params = new URLSearchParams(location.search);
at("connect").addEventListener("click", () => connect(null));
at("again").addEventListener("click", () => connect(null));
at("read").addEventListener("click", read);
if (params.has("launch") && params.get("iss") === fhir) connect(params.get("launch"));
else if (params.has("state")) handleResponse(params);
