// Shows the results of cards on a page. The texts come from the page (`data-` of the element `results`), in its language.

const TONES = { valid: "good", revoked: "danger", "wrong-signature": "danger", "unknown-issuer": "warn", "unknown-key": "warn" };
const place = document.getElementById("results");
const words = JSON.parse(place.dataset.words);
const vaccines = JSON.parse(place.dataset.vaccines);

export function show(results) {
  place.replaceChildren(...results.map(cardOf));
  place.hidden = false;
  place.focus();
}

function cardOf(found) {
  const section = element("section", "card proof");
  const tone = TONES[found.result] ?? "warn";
  section.dataset.result = found.result;
  const box = element("div", `callout ${tone}`);
  const inner = element("div");
  inner.append(element("p", "callout-title", words.titles[found.result]), element("p", "", words.texts[found.result]));
  box.append(inner);
  section.append(box);
  if (found.bundle) section.append(...contentOf(found));
  return section;
}

function contentOf(found) {
  const resources = found.bundle.entry.map((one) => one?.resource ?? {});
  const patient = resources.find((one) => one.resourceType === "Patient");
  const facts = element("dl", "facts");
  addFact(facts, words.name, nameOf(patient));
  addFact(facts, words.born, dayText(patient?.birthDate));
  addFact(facts, words.issuer, found.issuer);
  addFact(facts, words.issued, dayText(new Date(found.issuedAt * 1000).toISOString()));
  const list = element("ul", "rows flush");
  for (const dose of resources.filter((one) => one.resourceType === "Immunization")) list.append(doseOf(dose));
  return [facts, element("h2", "", words.doses), list];
}

function doseOf(dose) {
  const row = element("li", "entry");
  const body = element("div", "entry-body");
  const performer = dose.performer?.[0]?.actor?.display;
  const lot = dose.lotNumber ? `${words.lot} ${dose.lotNumber}` : "";
  body.append(
    element("p", "entry-title", vaccineOf(dose)),
    element("p", "small soft", [dayText(dose.occurrenceDateTime), performer, lot].filter(Boolean).join(" · ")),
  );
  row.append(body);
  return row;
}

function vaccineOf(dose) {
  const codings = dose.vaccineCode?.coding ?? [];
  const names = codings.flatMap((one) => vaccines[`${one.system}|${one.code}`] ?? []);
  const unique = [...new Set(names)];
  return unique.length ? unique.join(", ") : codings.map((one) => one.display ?? one.code).join(", ");
}

function nameOf(patient) {
  const name = patient?.name?.[0];
  return name ? [...(name.given ?? []), name.family].filter(Boolean).join(" ") : "";
}

function dayText(date) {
  if (!/^\d{4}-\d{2}-\d{2}/.test(date ?? "")) return String(date ?? "").split("-").reverse().join("/");
  const [year, month, day] = date.slice(0, 10).split("-").map(Number);
  return new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "long", timeZone: "UTC" }).format(Date.UTC(year, month - 1, day));
}

function addFact(list, label, value) {
  if (value) list.append(element("dt", "", label), element("dd", "", value));
}

function element(name, classes = "", text = "") {
  const made = document.createElement(name);
  if (classes) made.className = classes;
  if (text) made.textContent = text;
  return made;
}
