// Starts the viewer when its first picture is there, and takes that away when the viewer shows one by itself.

const first = document.getElementById("esante-first");
const picture = first.querySelector("img");
const remove = () => first.remove();
let started = false;

function start() {
  if (started) return;
  started = true;
  const script = document.createElement("script");
  script.src = first.dataset.viewer;
  // A study may have nothing that the viewer draws.
  script.addEventListener("load", () => setTimeout(remove, picture ? 8000 : 0));
  document.head.append(script);
}

addEventListener("CORNERSTONE_IMAGE_RENDERED", remove, { capture: true, once: true });
if (picture && !picture.complete) {
  for (const name of ["load", "error"]) picture.addEventListener(name, start);
  setTimeout(start, 1000);
} else start();
