// The page of a proof: check it in this browser, the one that is ready or a saved file. Without this script the page
// offers the download and the verification program.
import { isSupported, verifyProof } from "/static/journal/proof_verifier.js";

const check = document.getElementById("check");
const { key, witnesses, person } = check.dataset;
const locale = { en: "en-GB", lb: "de" }[document.documentElement.lang] ?? document.documentElement.lang;
const times = new Intl.DateTimeFormat(locale, { dateStyle: "long", timeStyle: "short" });

// A whole number as the portal writes it, with narrow spaces between thousands.
const number = (value) => String(value).replace(/\B(?=(\d{3})+$)/g, "\u202f");
const part = (selector) => check.querySelector(selector);

function show(state) {
  for (const one of check.querySelectorAll("[data-state]")) one.hidden = one.dataset.state !== state;
  part("#check-result").scrollIntoView({ block: "center" });
}

function setFact(name, ...lines) {
  part(`[data-fact="${name}"]`).replaceChildren(...lines.map((line) => {
    const item = document.createElement("div");
    item.textContent = line;
    return item;
  }));
}

// Put the values into a text with their names in braces.
function fill(text, values) {
  return text.replace(/\{(\w+)\}/g, (_, name) => {
    const value = values[name] ?? "?";
    return typeof value === "number" ? number(value) : String(value);
  });
}

function showVerified(found) {
  const { none, one, missing } = part('[data-fact="witnesses"]').dataset;
  setFact("entries", number(found.entries));
  setFact("removed", number(found.removed));
  setFact("size", number(found.size));
  setFact("sealed", found.sealedAt ? times.format(new Date(found.sealedAt)) : "");
  const lines = found.witnesses.map(({ name, size, signedAt }) =>
    fill(one, { name, size, time: times.format(new Date(signedAt * 1000)) }));
  lines.push(...found.missing.map((name) => fill(missing, { name })));
  setFact("witnesses", ...(lines.length ? lines : [none]));
  show("verified");
}

function showFault(code, details = {}) {
  for (const text of check.querySelectorAll("[data-fault]")) {
    text.dataset.text ??= text.textContent;
    text.hidden = text.dataset.fault !== code;
    text.textContent = fill(text.dataset.text, details);
  }
  show("fault");
}

// Check what `load` resolves to: the text of a proof, or null when there is none.
async function run(load) {
  const meter = part("progress");
  meter.removeAttribute("value");
  show("working");
  if (!await isSupported()) return showFault("unsupported");
  const text = await load().catch(() => null);
  if (text === null) return showFault("fetch");
  const progress = (done, total) => Object.assign(meter, { max: total, value: done });
  try {
    showVerified(await verifyProof(text, { key, witnesses: witnesses.split(" ").filter(Boolean), person, progress }));
  } catch (error) {
    showFault(error.code ?? "unreadable", error.details);
  }
}

async function fetchProof() {
  const response = await fetch("/log/proof.json");
  return response.ok ? response.text() : null;
}

function reveal() {
  check.hidden = false;
  for (const button of document.querySelectorAll("[data-check]")) button.hidden = false;
}

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-check]")) run(fetchProof);
});
part("[data-check-file]").addEventListener("change", (event) => {
  const [file] = event.target.files;
  if (file) run(() => file.text());
  event.target.value = "";
});
document.addEventListener("htmx:afterSettle", reveal);
reveal();
