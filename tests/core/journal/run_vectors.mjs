// Verify vectors as the page of a proof does; print the verdict on each as JSON.
//
//     node run_vectors.mjs VERIFIER FILE...

import { readFile } from "node:fs/promises";

const [verifier, ...files] = process.argv.slice(2);
const { isSupported, verifyProof } = await import(verifier);
if (!await isSupported()) throw new Error("this Node.js has no Ed25519");

async function verdict(vector) {
  const text = vector.text ?? JSON.stringify(vector.proof);
  try {
    return { code: "verified", ...await verifyProof(text, { key: vector.key, witnesses: vector.witnesses }) };
  } catch (error) {
    return { code: error.code, ...error.details };
  }
}

const found = {};
for (const file of files) found[file] = await verdict(JSON.parse(await readFile(file, "utf8")));
console.log(JSON.stringify(found));
