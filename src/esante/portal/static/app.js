"use strict";
// Small comforts; every page works without them.

// Only one menu is open at a time, and Escape or a click elsewhere closes it.
document.addEventListener("click", (event) => {
  for (const menu of document.querySelectorAll("details.menu[open]")) {
    if (!menu.contains(event.target)) menu.open = false;
  }
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  const menu = document.querySelector("details.menu[open]");
  if (!menu) return;
  menu.open = false;
  menu.querySelector("summary").focus();
});

// A boosted page change: a reader of the screen hears the new page from its start.
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.boosted && event.detail.target === document.body) {
    document.getElementById("main")?.focus({ preventScroll: true });
  }
});

document.addEventListener("click", (event) => {
  if (event.target.closest("[data-print]")) window.print();
});

// A file that is too large is refused before it is sent, which may take minutes.
document.addEventListener("change", (event) => {
  const most = Number(event.target.dataset?.maxBytes);
  if (!most) return;
  const tooLarge = [...event.target.files].some((file) => file.size > most);
  event.target.setCustomValidity(tooLarge ? event.target.dataset.tooLarge : "");
  if (tooLarge) event.target.reportValidity();
});

// The code of a link stands after "#" of its address, which browsers do not send: it is filled in here.
function fillFromHash() {
  const field = document.querySelector("[data-from-hash]");
  if (field && !field.value) field.value = decodeURIComponent(location.hash.slice(1));
}
document.addEventListener("DOMContentLoaded", fillFromHash);
document.addEventListener("htmx:afterSettle", fillFromHash);

// A button that copies the text of an element, where the browser can; the button then says so for a moment.
// Of places that are scrolled sideways on a phone the current one is shown.
function prepare() {
  if (navigator.clipboard) for (const button of document.querySelectorAll("[data-copy]")) button.hidden = false;
  document.querySelector(".tabs.along [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
}
document.addEventListener("DOMContentLoaded", prepare);
document.addEventListener("htmx:afterSettle", (event) => {
  if (event.detail.target === document.body) prepare();
});
document.addEventListener("click", async (event) => {
  const button = event.target.closest("[data-copy]");
  if (!button) return;
  await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
  const words = button.textContent;
  button.textContent = button.dataset.copied;
  setTimeout(() => { button.textContent = words; }, 2000);
});
