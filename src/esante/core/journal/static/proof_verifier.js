// Verify a proof file of the journal in a browser, with its own WebCrypto and nothing else.
//
// The checks are those of standalone_verifier.py, in the same order; both are held to the same vectors. Sources: RFC 9162
// (tree), RFC 8032 (Ed25519), C2SP signed-note and tlog-cosignature (signatures).

const BATCH = 100; // entries that are hashed at a time
const DAY = 86_400_000_000n; // microseconds
const EPOCH = BigInt(Date.UTC(2000, 0, 1)) * 1000n;
const NIL = "00000000-0000-0000-0000-000000000000";
const DOMAIN = "esante-journal-entry/2\0";
const NOTE_TYPE = 1, COSIGNATURE_TYPE = 4; // signature types of keys
const encoder = new TextEncoder();

// Why a proof is not verified: a code and what it is about (`number`: of an entry).
export class ProofError extends Error {
  constructor(code, details = {}) {
    super(code);
    this.code = code;
    this.details = details;
  }
}

// Return whether this browser can verify Ed25519 signatures.
export async function isSupported() {
  try {
    await importKey(bytes("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", 32));
    return true;
  } catch {
    return false;
  }
}

// Verify the text of a proof file. `key` and `witnesses`: verifier keys (name+id+key) of the log and of witnesses.
// `person`: the id of whose proof it must be, "" for anybody's. `progress(done, total)` counts entries.
// Return what the proof shows; reject with a ProofError.
export async function verifyProof(text, { key, witnesses = [], person = "", progress = () => {} }) {
  try {
    const proof = await Proof.open(JSON.parse(text), parseKey(key, NOTE_TYPE));
    return await proof.check(person, witnesses, progress);
  } catch (error) {
    throw error instanceof ProofError ? error : new ProofError("unreadable");
  }
}

class Proof {
  static async open(file, key) {
    const proof = new Proof();
    Object.assign(proof, { file, key, person: uuidBytes(file.person), expiries: new Map(), removed: 0, days: Infinity });
    const [origin, size, root, ...extensions] = await verifyNote(file.checkpoint, key);
    Object.assign(proof, { origin, size: integer(size), root: base64(root) });
    const extension = (start) => extensions.find((line) => line.startsWith(start))?.slice(start.length);
    proof.sealedAt = extension("sealed ") ?? "";
    proof.firstFormat = integer(extension("format 2 after ") ?? size);
    return proof;
  }

  async check(person, witnesses, progress) {
    const { file } = this;
    if (person && person !== file.person) throw new ProofError("person");
    const [kind, whose, count, size] = await verifyNote(file.statement, this.key);
    if (kind !== `${this.origin}/person` || whose !== file.person || integer(size) !== this.size) {
      throw new ProofError("statement");
    }
    const total = integer(count);
    if (file.entries.length !== total || file.entries.some((entry, place) => entry.number !== place + 1)) {
      throw new ProofError("missing", { here: file.entries.length, count: total });
    }
    for (const entry of file.expiries ?? []) await this.addExpiry(entry);
    for (let first = 0; first < total; first += BATCH) {
      const batch = file.entries.slice(first, first + BATCH);
      const results = await Promise.allSettled(batch.map((entry) => this.checkEntry(entry)));
      const failed = results.find((result) => result.status === "rejected");
      if (failed) throw failed.reason;
      progress(first + batch.length, total);
    }
    const cosigned = await this.checkWitnesses(witnesses.map((text) => parseKey(text, COSIGNATURE_TYPE)));
    const { removed, days, sealedAt } = this;
    return { person: file.person, entries: total, removed, days, size: this.size, sealedAt, ...cosigned };
  }

  // Check an entry of the person; one without content needs a signed end of its retention.
  async checkEntry(entry) {
    const { at, content } = await this.checkPlace(entry, this.person);
    if (content !== null) return;
    const expiry = this.expiries.get(entry.expiry);
    const leaf = entry.position + 1;
    const covered = expiry && expiry.type === entry.type && at < expiry.before
      && expiry.ranges.some(([first, last]) => first <= leaf && leaf <= last);
    if (!covered) throw new ProofError("removed", { number: entry.number });
    this.removed += 1;
    this.days = Math.min(this.days, expiry.days);
  }

  // Check that an entry is in the tree; return its time and its content, null when that was removed.
  async checkPlace(entry, person) {
    const { number, position, type } = entry;
    const content = entry.content ?? null;
    if (![number, position].every(Number.isSafeInteger) || ![type, content ?? ""].every(isText) || type.includes("\0")) {
      throw new ProofError("malformed", { number });
    }
    const at = micros(entry.at);
    const head = [uuidBytes(entry.id), person, int64(at - EPOCH), encoder.encode(`${type}\0`)];
    const salt = bytes(entry.salt ?? "");
    if (content !== null && salt.length !== 16) throw new ProofError("malformed", { number });
    const digest = await this.digest(entry, head, salt, content);
    const value = await sha256(Uint8Array.of(0), int64(BigInt(number)), digest);
    const path = entry.path.map((step) => bytes(step, 32));
    const inside = position >= 0 && position < this.size;
    if (!inside || !equal(await rootFromPath(position, this.size, value, path), this.root)) {
      throw new ProofError("altered", { number });
    }
    return { at, content: content === null ? null : JSON.parse(content) };
  }

  async digest(entry, head, salt, content) {
    const text = content === null ? null : encoder.encode(content);
    if (entry.position >= this.firstFormat) {
      const inner = text ? await sha256(salt, text) : bytes(entry.content_hash, 32);
      return sha256(encoder.encode(DOMAIN), ...head, inner);
    }
    return text ? sha256(salt, ...head, text) : bytes(entry.digest, 32);
  }

  // Check an entry of the platform that records the end of a retention, and keep what it says.
  async addExpiry(entry) {
    const { at, content } = await this.checkPlace(entry, uuidBytes(NIL)).catch(() => { throw new ProofError("expiry"); });
    if (entry.type !== "journal.expired" || content === null) throw new ProofError("expiry");
    const { type, before: text, ranges, note } = content.event;
    const before = micros(text);
    let days = Number((at - before) / DAY), signedAt = at;
    if (note !== undefined) {
      const leaves = btoa(String.fromCharCode(...await sha256(encoder.encode(ranges.map((range) => range.join("-")).join(",")))));
      const [kind, what, until, kept, said, signed] = await verifyNote(note, this.key);
      const expected = [`${this.origin}/expired`, type, `before ${isoformat(before)}`, `leaves ${leaves}`];
      if ([kind, what, until, said].join("\n") !== expected.join("\n")) throw new ProofError("expiry");
      days = integer(kept.split(" ")[1]);
      signedAt = micros(signed.slice("signed ".length));
    } else if (entry.position >= this.firstFormat) {
      throw new ProofError("expiry"); // only the first format did not sign it apart
    }
    if (days < 1 || signedAt - before < BigInt(days) * DAY) throw new ProofError("expiry");
    this.expiries.set(entry.id, { type, before, ranges, days });
  }

  // Check the co-signatures of witnesses, and that the tree begins with the trees that they signed.
  async checkWitnesses(keys) {
    const found = [], missing = [];
    for (const key of keys) {
      const item = (this.file.witnesses ?? []).find((one) => one.key === key.text);
      if (item) found.push(await this.checkWitness(key, item));
      else missing.push(key.name);
    }
    return { witnesses: found, missing };
  }

  async checkWitness(key, item) {
    const [origin, sizeText, rootText] = await verifyNote(item.checkpoint, this.key);
    const size = integer(sizeText), root = base64(rootText), signedAt = await verifyCosignature(item.checkpoint, key);
    const path = item.consistency.map((step) => bytes(step, 32));
    const goesOn = origin === this.origin && size >= 1 && size <= this.size
      && await isConsistent(size, this.size, root, this.root, path);
    if (!goesOn) throw new ProofError("witness", { name: key.name });
    return { name: key.name, size, signedAt };
  }
}

// Return the root that follows from a leaf and its path (RFC 9162, section 2.1.3.2).
async function rootFromPath(node, size, value, path) {
  let last = size - 1;
  for (const sibling of path) {
    if (last <= 0) return new Uint8Array();
    if (node % 2 || node === last) {
      value = await nodeHash(sibling, value);
      while (node % 2 === 0 && node) [node, last] = [half(node), half(last)];
    } else {
      value = await nodeHash(value, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  return last ? new Uint8Array() : value;
}

// Return whether the path shows that the old tree is the beginning of the new one (RFC 9162, section 2.1.4.2).
async function isConsistent(oldSize, newSize, oldRoot, newRoot, path) {
  if (oldSize === newSize) return path.length === 0 && equal(oldRoot, newRoot);
  let node = oldSize - 1, last = newSize - 1;
  while (node % 2) [node, last] = [half(node), half(last)];
  const hashes = node ? path : [oldRoot, ...path]; // 0: the old tree is one complete subtree
  if (!hashes.length) return false;
  let [first] = hashes, second = first;
  for (const sibling of hashes.slice(1)) {
    if (last === 0) return false;
    if (node % 2 || node === last) {
      [first, second] = [await nodeHash(sibling, first), await nodeHash(sibling, second)];
      while (node % 2 === 0 && node) [node, last] = [half(node), half(last)];
    } else {
      second = await nodeHash(second, sibling);
    }
    [node, last] = [half(node), half(last)];
  }
  return last === 0 && equal(first, oldRoot) && equal(second, newRoot);
}

const half = (number) => Math.floor(number / 2); // sizes may have more than 32 bits
const nodeHash = (left, right) => sha256(Uint8Array.of(1), left, right);

// Return the lines of a signed note; others may have signed it too.
async function verifyNote(note, key) {
  const { text, signatures } = await signaturesOf(note, key);
  const message = encoder.encode(text);
  for (const signature of signatures) {
    if (await isSigned(key.public, message, signature)) return text.slice(0, -1).split("\n");
  }
  throw new ProofError("signature");
}

// Return the moment of a witness's co-signature on the checkpoint of a note, in seconds since 1970.
async function verifyCosignature(note, key) {
  const { text, signatures } = await signaturesOf(note, key);
  for (const signature of signatures) {
    if (signature.length !== 72) continue;
    const time = new DataView(signature.buffer, signature.byteOffset).getBigUint64(0);
    const message = encoder.encode(`cosignature/v1\ntime ${time}\n${text}`);
    if (await isSigned(key.public, message, signature.slice(8))) return Number(time);
  }
  throw new ProofError("witness", { name: key.name });
}

// Return the text of a note, and the signatures on it that name a key.
async function signaturesOf(note, key) {
  const end = note.lastIndexOf("\n\n");
  if (end < 0) throw new ProofError("unreadable");
  const id = (await sha256(encoder.encode(`${key.name}\n`), Uint8Array.of(key.type), key.public)).slice(0, 4);
  const signatures = [];
  for (const line of note.slice(end + 2).split("\n")) {
    const space = line.lastIndexOf(" ");
    if (line.slice(0, 2) !== "\u2014 " || line.slice(2, space) !== key.name) continue;
    const raw = base64(line.slice(space + 1));
    if (equal(raw.slice(0, 4), id)) signatures.push(raw.slice(4));
  }
  return { text: note.slice(0, end + 1), signatures };
}

const importKey = (raw) => crypto.subtle.importKey("raw", raw, { name: "Ed25519" }, false, ["verify"]);

async function isSigned(raw, message, signature) {
  return crypto.subtle.verify({ name: "Ed25519" }, await importKey(raw), signature, message);
}

// Return the parts of a verifier key (name+id+key) of a type.
function parseKey(text, type) {
  const [name, , ...rest] = text.split("+");
  const typed = base64(rest.join("+"));
  if (typed.length !== 33 || typed[0] !== type) throw new ProofError("unreadable");
  return { text, name, type, public: typed.slice(1) };
}

async function sha256(...parts) {
  const data = new Uint8Array(parts.reduce((length, part) => length + part.length, 0));
  let place = 0;
  for (const part of parts) {
    data.set(part, place);
    place += part.length;
  }
  return new Uint8Array(await crypto.subtle.digest("SHA-256", data));
}

function equal(one, other) {
  return one.length === other.length && one.every((byte, place) => byte === other[place]);
}

const isText = (value) => typeof value === "string";

function matched(pattern, text) {
  const found = isText(text) && pattern.exec(text);
  if (!found) throw new ProofError("unreadable");
  return found;
}

// Return the bytes of lower-case hexadecimal digits; `length`: how many there must be.
function bytes(hex, length = null) {
  matched(/^(?:[0-9a-f]{2})*$/, hex);
  if (length !== null && hex.length !== 2 * length) throw new ProofError("unreadable");
  return Uint8Array.from(hex.match(/../g) ?? [], (pair) => Number.parseInt(pair, 16));
}

function base64(text) {
  matched(/^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/, text);
  return Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
}

function uuidBytes(text) {
  matched(/^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/, text);
  return bytes(text.replaceAll("-", ""));
}

function integer(text) {
  matched(/^(?:0|[1-9][0-9]{0,14})$/, text);
  return Number(text);
}

function int64(number) {
  const data = new Uint8Array(8);
  new DataView(data.buffer).setBigInt64(0, number);
  return data;
}

// Return the microseconds since 1970 of an ISO 8601 text with a zone.
function micros(text) {
  const found = matched(/^(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(?:\.(\d{1,6}))?(Z|[+-]\d\d:\d\d)$/, text);
  const seconds = Date.parse(`${found[1]}${found[3]}`);
  if (Number.isNaN(seconds)) throw new ProofError("unreadable");
  return BigInt(seconds) * 1000n + BigInt((found[2] ?? "").padEnd(6, "0"));
}

// Return a moment (microseconds since 1970) as Python's isoformat writes it, in UTC.
function isoformat(moment) {
  const fraction = ((moment % 1_000_000n) + 1_000_000n) % 1_000_000n;
  const seconds = new Date(Number((moment - fraction) / 1000n)).toISOString().slice(0, 19);
  return `${seconds}${fraction ? `.${String(fraction).padStart(6, "0")}` : ""}+00:00`;
}
