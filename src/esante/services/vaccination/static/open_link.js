// Opens a SMART Health Link: fetches the encrypted files with name and PIN, decrypts them here, and verifies the card.
// The key is in the part of the address after "#", which browsers do not send.
import { fromBase64url, verify } from "./health_card.js";
import { show } from "./health_card_view.js";

const place = document.getElementById("open-link");
const directory = JSON.parse(place.dataset.directory);
const form = document.getElementById("link-form");
const said = document.getElementById("link-said");

function readLink() {
  const text = decodeURIComponent(location.hash.slice(1));
  if (!text.startsWith("shlink:/")) return null;
  try {
    const payload = JSON.parse(new TextDecoder().decode(fromBase64url(text.slice(8))));
    const isOwn = new URL(payload.url).origin === location.origin;
    return isOwn && typeof payload.key === "string" ? payload : null;
  } catch {
    return null;
  }
}

async function decrypt(jwe, key) {
  const [head, , iv, text, tag] = jwe.split(".");
  const imported = await crypto.subtle.importKey("raw", fromBase64url(key), "AES-GCM", false, ["decrypt"]);
  const data = await new Blob([fromBase64url(text), fromBase64url(tag)]).arrayBuffer();
  const options = { name: "AES-GCM", iv: fromBase64url(iv), additionalData: new TextEncoder().encode(head) };
  return new TextDecoder().decode(await crypto.subtle.decrypt(options, imported, data));
}

async function open(link) {
  const body = JSON.stringify({ recipient: form.recipient.value, passcode: form.pin.value.trim() });
  said.textContent = said.dataset.opening;
  const answer = await fetch(link.url, { method: "POST", headers: { "Content-Type": "application/json" }, body });
  if (answer.status === 401) {
    const { remainingAttempts } = await answer.json();
    said.textContent = said.dataset.pin.replace("{count}", remainingAttempts);
    return;
  }
  if (!answer.ok) {
    said.textContent = answer.status === 429 ? said.dataset.many : said.dataset.gone;
    return;
  }
  const { files } = await answer.json();
  const card = files.find((file) => file.contentType === "application/smart-health-card");
  show(await verify(await decrypt(card.embedded, link.key), directory, Date.now() / 1000));
  said.textContent = "";
  form.hidden = true;
}

const link = readLink();
document.getElementById(link ? "link-ready" : "link-broken").hidden = false;
form.addEventListener("submit", (event) => {
  event.preventDefault();
  open(link).catch(() => {
    said.textContent = said.dataset.failed;
  });
});
