// Reads a card and the files of a link with an independent implementation (kill-the-clipboard).
import { readFileSync } from "node:fs";
import { SHCReader, SHLViewer } from "kill-the-clipboard";

const { jws, digits, file, key, link, manifest, pin } = JSON.parse(readFileSync(0, "utf8"));
const answer = {};
if (jws) {
  const reader = new SHCReader({ publicKey: key });
  const cards = [await reader.fromJWS(jws), await reader.fromQRNumeric(digits), await reader.fromFileContent(file)];
  answer.bundles = await Promise.all(cards.map((card) => card.asBundle({ optimizeForQR: false })));
}
if (link) {
  const asked = [];
  const fetchFn = async (url, options) => {
    asked.push({ url, body: JSON.parse(options.body) });
    return new Response(JSON.stringify(manifest), { status: 200, headers: { "Content-Type": "application/json" } });
  };
  const viewer = new SHLViewer({ shlinkURI: link, fetch: fetchFn });
  const found = await viewer.resolveSHL({ recipient: "Dr Reader", passcode: pin, shcReaderConfig: { publicKey: key } });
  answer.asked = asked;
  answer.resources = found.fhirResources;
  answer.cards = await Promise.all(found.smartHealthCards.map((card) => card.asBundle({ optimizeForQR: false })));
}
process.stdout.write(JSON.stringify(answer));
