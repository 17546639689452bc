// Verifies SMART Health Cards with what browsers have (Web Cryptography, DecompressionStream), without a network.
// The results are those of health_cards/verifier.py; a test compares both.

const CARD_TYPE = "https://smarthealth.cards#health-card";
const MAX_INPUT = 512 * 1024;
const MAX_PAYLOAD = 4 * 1024 * 1024;
const MAX_CARDS = 20;
const LEEWAY = 120;
const OFFSET = 45;
const JWS = /^[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+\.[A-Za-z0-9_-]+$/;

class CardError extends Error {
  constructor(result) {
    super(result);
    this.result = result;
  }
}

// Returns the results of all cards in what a QR code, a file or a person gives; `now` in seconds since 1970.
export async function verify(text, directory, now) {
  let cards;
  try {
    cards = readCards(text);
  } catch (error) {
    if (!(error instanceof CardError)) throw error;
    return [{ result: error.result }];
  }
  const results = [];
  for (const card of cards) results.push(await verifyCard(card, directory, now));
  return results;
}

function readCards(text) {
  if (text.length > MAX_INPUT) throw new CardError("too-large");
  const clean = text.trim();
  if (clean.toLowerCase().startsWith("shc:/")) return [fromDigits(clean.slice(5))];
  if (JWS.test(clean)) return [clean];
  if (!clean.startsWith("{")) throw new CardError("not-a-card");
  return cardsOfFile(clean);
}

function fromDigits(digits) {
  if (!/^([0-9]{2})+$/.test(digits)) throw new CardError("damaged");
  const codes = digits.match(/../g).map((pair) => Number(pair) + OFFSET);
  const jws = String.fromCharCode(...codes);
  if (!JWS.test(jws)) throw new CardError("damaged");
  return jws;
}

function cardsOfFile(text) {
  const cards = parse(text)?.verifiableCredential;
  if (!Array.isArray(cards) || cards.length === 0) throw new CardError("not-a-card");
  if (!cards.every((card) => typeof card === "string" && JWS.test(card))) throw new CardError("damaged");
  if (cards.length > MAX_CARDS) throw new CardError("too-large");
  return cards;
}

async function verifyCard(jws, directory, now) {
  let card;
  try {
    card = await readUnverified(jws);
  } catch (error) {
    if (!(error instanceof CardError)) throw error;
    return { result: error.result };
  }
  const { header, claims } = card;
  const issuer = directory.issuerInfo.find((one) => one.issuer.iss === claims.iss);
  if (!issuer) return { result: "unknown-issuer" };
  const key = issuer.keys.find((one) => one.kid === header.kid);
  if (!key) return { result: "unknown-key" };
  if (!(await isSigned(jws, key))) return { result: "wrong-signature" };
  const crl = issuer.crls.find((one) => one.kid === key.kid);
  return {
    result: standing(claims, key, crl?.rids ?? [], now),
    issuer: issuer.issuer.name,
    issuedAt: claims.nbf,
    bundle: claims.vc.credentialSubject.fhirBundle,
  };
}

function standing(claims, key, rids, now) {
  if (claims.nbf > now + LEEWAY) return "not-yet-valid";
  if (key.signed_until !== undefined && claims.nbf > key.signed_until + LEEWAY) return "key-expired";
  if (isRevoked(claims.vc.rid, claims.nbf, rids)) return "revoked";
  if (isTime(claims.exp) && claims.exp + LEEWAY <= now) return "expired";
  return "valid";
}

function isRevoked(rid, nbf, rids) {
  if (typeof rid !== "string" || rid === "") return false;
  return rids.some((entry) => {
    const [name, until] = entry.split(".");
    return name === rid && (until === undefined || (/^[0-9]+$/.test(until) && nbf < Number(until)));
  });
}

async function readUnverified(jws) {
  const [head, body] = jws.split(".");
  const header = parse(new TextDecoder().decode(fromBase64url(head)));
  if (header?.alg !== "ES256" || header.zip !== "DEF" || typeof header.kid !== "string") throw new CardError("not-a-card");
  const claims = parse(new TextDecoder().decode(await inflate(fromBase64url(body))));
  if (!hasForm(claims)) throw new CardError("not-a-card");
  return { header, claims };
}

function hasForm(claims) {
  const vc = claims?.vc;
  return (
    typeof claims?.iss === "string" &&
    isTime(claims.nbf) &&
    Array.isArray(vc?.type) &&
    vc.type.includes(CARD_TYPE) &&
    Array.isArray(vc.credentialSubject?.fhirBundle?.entry) &&
    (claims.exp === undefined || claims.exp === null || isTime(claims.exp))
  );
}

function isTime(value) {
  return typeof value === "number" && Number.isFinite(value);
}

async function isSigned(jws, key) {
  const algorithm = { name: "ECDSA", namedCurve: "P-256" };
  const jwk = { kty: key.kty, crv: key.crv, x: key.x, y: key.y };
  const signed = jws.slice(0, jws.lastIndexOf("."));
  try {
    const imported = await crypto.subtle.importKey("jwk", jwk, algorithm, false, ["verify"]);
    const signature = fromBase64url(jws.slice(signed.length + 1));
    return await crypto.subtle.verify({ name: "ECDSA", hash: "SHA-256" }, imported, signature, new TextEncoder().encode(signed));
  } catch {
    return false;
  }
}

// Inflates raw DEFLATE, and stops at the limit: a small card may claim to be a very large one.
async function inflate(data) {
  const reader = new Blob([data]).stream().pipeThrough(new DecompressionStream("deflate-raw")).getReader();
  const chunks = [];
  let size = 0;
  try {
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      size += value.length;
      if (size > MAX_PAYLOAD) {
        await reader.cancel();
        throw new CardError("too-large");
      }
      chunks.push(value);
    }
  } catch (error) {
    throw error instanceof CardError ? error : new CardError("damaged");
  }
  return new Uint8Array(await new Blob(chunks).arrayBuffer());
}

export function fromBase64url(text) {
  try {
    const binary = atob(text.replaceAll("-", "+").replaceAll("_", "/"));
    return Uint8Array.from(binary, (char) => char.charCodeAt(0));
  } catch {
    throw new CardError("damaged");
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    throw new CardError("damaged");
  }
}
