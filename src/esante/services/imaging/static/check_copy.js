// Check a copy of a study: hash the chosen files, and compare them with the fingerprints of the instances and with the
// Merkle root (RFC 9162, 2.1.1). Nothing leaves the device. A page of the portal loads it; the index page of a download
// has it within itself.
(() => {
  const place = document.getElementById("check-copy");
  if (!place || !window.crypto?.subtle) return;
  const { files, root } = JSON.parse(place.dataset.study);
  const words = JSON.parse(place.dataset.words);
  const progress = document.getElementById("check-progress");
  const result = document.getElementById("check-result");
  let run = 0;

  const hash = async (data) => new Uint8Array(await crypto.subtle.digest("SHA-256", data));
  const hex = (bytes) => Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  const bytes = (text) => Uint8Array.from(text.match(/../g), (pair) => Number.parseInt(pair, 16));

  function prefixed(kind, ...parts) {
    const joined = new Uint8Array(1 + parts.reduce((size, part) => size + part.length, 0));
    joined[0] = kind;
    let at = 1;
    for (const part of parts) {
      joined.set(part, at);
      at += part.length;
    }
    return joined;
  }

  async function treeRoot(leaves) {
    if (leaves.length === 1) return hash(prefixed(0, leaves[0]));
    let split = 1;
    while (split * 2 < leaves.length) split *= 2;
    return hash(prefixed(1, await treeRoot(leaves.slice(0, split)), await treeRoot(leaves.slice(split))));
  }

  async function fingerprints(chosen, mine) {
    const found = new Set();
    progress.max = chosen.length;
    for (const [number, file] of chosen.entries()) {
      if (mine !== run) return null;
      progress.value = number;
      const data = await file.arrayBuffer().catch(() => null); // a file that cannot be read is one that is not found
      if (data) found.add(hex(await hash(data)));
    }
    return found;
  }

  function show(tone, title, names) {
    const heading = document.createElement("p");
    heading.className = "callout-title";
    heading.textContent = title;
    const list = document.createElement("ul");
    for (const name of names.slice(0, 20)) list.append(Object.assign(document.createElement("li"), { textContent: name }));
    if (names.length > 20) list.append(Object.assign(document.createElement("li"), { textContent: "…" }));
    const box = document.createElement("div");
    box.append(heading, ...(names.length ? [list] : []));
    result.className = `callout ${tone}`;
    result.replaceChildren(box);
    result.hidden = false;
  }

  async function check(chosen) {
    const mine = ++run;
    result.hidden = true;
    progress.hidden = false;
    const found = await fingerprints(chosen, mine);
    if (!found) return;
    progress.hidden = true;
    const missing = files.filter(([, fingerprint]) => !found.has(fingerprint)).map(([name]) => name);
    if (missing.length) show("danger", words.missing, missing);
    else if (hex(await treeRoot(files.map(([, fingerprint]) => bytes(fingerprint)))) !== root) show("danger", words.root, []);
    else show("good", words.whole, []);
  }

  for (const input of place.querySelectorAll("input[type=file]")) {
    // Browsers of some phones cannot choose a folder.
    if (input.webkitdirectory !== undefined || !input.hasAttribute("webkitdirectory")) input.closest("p").hidden = false;
    input.addEventListener("change", () => input.files.length && check([...input.files]));
  }
  place.hidden = false;
})();
