"use strict";
// Passkeys: a form with data-passkey ("get" or "create") asks the browser for one when it is sent, puts the answer into
// its field `passkey`, and is then sent. Options come from the form itself (create) or from /signin/passkey/options.

const toBytes = (text) => Uint8Array.from(atob(text.replace(/-/g, "+").replace(/_/g, "/")), (c) => c.charCodeAt(0));
const toText = (buffer) =>
  btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");

function decode(options) {
  options.challenge = toBytes(options.challenge);
  if (options.user) options.user.id = toBytes(options.user.id);
  for (const name of ["excludeCredentials", "allowCredentials"]) {
    for (const one of options[name] ?? []) one.id = toBytes(one.id);
  }
  return options;
}

function encode(credential) {
  const response = {};
  for (const name of ["clientDataJSON", "attestationObject", "authenticatorData", "signature", "userHandle"]) {
    if (credential.response[name]) response[name] = toText(credential.response[name]);
  }
  if (credential.response.getTransports) response.transports = credential.response.getTransports();
  return JSON.stringify({
    id: credential.id, rawId: toText(credential.rawId), type: credential.type, response,
    clientExtensionResults: credential.getClientExtensionResults(),
    authenticatorAttachment: credential.authenticatorAttachment ?? undefined,
  });
}

async function answer(form) {
  if (form.dataset.passkey === "create") {
    return navigator.credentials.create({ publicKey: decode(JSON.parse(form.dataset.options)) });
  }
  const token = form.elements._csrf?.value;
  const response = await fetch("/signin/passkey/options", {
    method: "POST", body: new URLSearchParams(), headers: token ? { "X-CSRF-Token": token } : {},
  });
  if (!response.ok) throw new Error(`options: ${response.status}`);
  return navigator.credentials.get({ publicKey: decode(await response.json()) });
}

// What went wrong stands in the page already, in the reader's language, one text for each case.
function say(form, name) {
  for (const text of form.querySelectorAll("[data-problem]")) text.hidden = text.dataset.problem !== name;
  form.querySelector(`[data-problem="${name}"]`)?.focus();
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!form.dataset?.passkey || form.elements.passkey.value) return;
  event.preventDefault();
  event.stopPropagation();
  if (form.dataset.busy) return;
  if (!window.PublicKeyCredential) return say(form, "missing");
  form.dataset.busy = "1";
  say(form, "");
  try {
    form.elements.passkey.value = encode(await answer(form));
    form.submit();
  } catch (error) {
    say(form, error.name === "InvalidStateError" ? "known" : error.name === "NotAllowedError" ? "stopped" : "failed");
  } finally {
    delete form.dataset.busy;
  }
}, true);
