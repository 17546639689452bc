// Goes through the pictures of a series without loading the page again; without this script, links do it.

const viewer = document.getElementById("viewer");
if (viewer && viewer.dataset.places) start(viewer);

function start(viewer) {
  const { path, series, words, failed } = viewer.dataset;
  const places = JSON.parse(viewer.dataset.places);
  const count = Number(viewer.dataset.count);
  const picture = document.getElementById("picture");
  const slider = document.querySelector("#picture-slider input");
  const problem = document.getElementById("picture-failed");
  const ahead = new Map();
  let at = Number(viewer.dataset.at);
  let key = viewer.dataset.window;
  let value = windowLink(key)?.dataset.windowValue ?? "";

  function windowLink(key) {
    return [...viewer.querySelectorAll("[data-window-key]")].find((link) => link.dataset.windowKey === key);
  }

  function address(number) {
    let frame = number;
    const [instance] = places.find(([, frames]) => frame <= frames || ((frame -= frames), false));
    const rendered = `${path}/series/${series}/instances/${instance}/frames/${frame}/rendered`;
    return value ? `${rendered}?window=${value}` : rendered;
  }

  // The neighbours are fetched before they are asked for; the last ones stay in memory.
  function fetchAhead() {
    for (const step of [1, -1, 2, 3]) {
      const number = at + step;
      if (number < 1 || number > count) continue;
      const wanted = address(number);
      if (ahead.has(wanted)) continue;
      const image = new Image();
      image.src = wanted;
      ahead.set(wanted, image);
      if (ahead.size > 30) ahead.delete(ahead.keys().next().value);
    }
  }

  function show(number) {
    at = Math.min(Math.max(number, 1), count);
    const said = words.replace("{number}", at).replace("{count}", count);
    problem.hidden = true;
    picture.src = address(at);
    picture.alt = said;
    slider.value = at;
    slider.setAttribute("aria-valuetext", said);
    document.getElementById("picture-place").textContent = said;
    const query = new URLSearchParams({ series, at, ...(key && { window: key }) });
    history.replaceState(history.state, "", `?${query}`);
    for (const link of viewer.querySelectorAll("[data-step]")) {
      const next = Math.min(Math.max(at + Number(link.dataset.step), 1), count);
      link.toggleAttribute("aria-disabled", false);
      if (next === at) link.setAttribute("aria-disabled", "true");
      query.set("at", next);
      link.href = `?${query}`;
    }
    for (const link of viewer.querySelectorAll("[data-window-key]")) {
      link.toggleAttribute("aria-current", false);
      if (link.dataset.windowKey === key) link.setAttribute("aria-current", "true");
    }
  }

  picture.addEventListener("load", fetchAhead);
  picture.addEventListener("error", () => {
    problem.textContent = failed;
    problem.hidden = false;
  });
  slider.addEventListener("input", () => show(Number(slider.value)));
  viewer.addEventListener("click", (event) => {
    const link = event.target.closest("a");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    if (link.dataset.step) {
      event.preventDefault();
      show(at + Number(link.dataset.step));
    } else if (link.dataset.windowKey !== undefined) {
      event.preventDefault();
      ({ windowKey: key, windowValue: value } = link.dataset);
      show(at);
    }
  });
  viewer.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: -1, ArrowUp: -1, ArrowRight: 1, ArrowDown: 1, PageUp: -10, PageDown: 10, Home: -count, End: count };
    if (!(event.key in steps) || event.target === slider || event.altKey || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    show(at + steps[event.key]);
  });
  picture.addEventListener("wheel", (event) => {
    if (count === 1 || !event.deltaY) return;
    event.preventDefault();
    show(at + Math.sign(event.deltaY));
  }, { passive: false });

  document.getElementById("picture-slider").hidden = count === 1;
  document.getElementById("picture-keys").hidden = count === 1;
  if (picture.complete) fetchAhead();
}
