// Verifies cards with the script of the page; reads {cards, directory, now}, prints the results of each.
import { readFileSync } from "node:fs";
import { verify } from "../../src/esante/services/vaccination/static/health_card.js";

const { cards, directory, now } = JSON.parse(readFileSync(0, "utf8"));
const results = {};
for (const [name, card] of Object.entries(cards)) results[name] = (await verify(card, directory, now)).map((one) => one.result);
process.stdout.write(JSON.stringify(results));
