// The page that verifies cards: with the camera, from a file or pasted text. Nothing leaves the device.
import { verify } from "./health_card.js";
import { show } from "./health_card_view.js";

const MAX_FILE = 20 * 1024 * 1024; // a photograph
const place = document.getElementById("verify");
const directory = JSON.parse(place.dataset.directory);
const said = document.getElementById("camera-said");
const video = document.getElementById("camera-picture");
const field = document.getElementById("f-card");
let stream = null;

async function check(text) {
  show(await verify(text, directory, Date.now() / 1000));
}

function stop() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  video.hidden = true;
}

async function scan() {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  while (stream) {
    if (video.videoWidth) {
      canvas.width = video.videoWidth;
      canvas.height = video.videoHeight;
      context.drawImage(video, 0, 0);
      const found = await readCodes(context.getImageData(0, 0, canvas.width, canvas.height));
      if (found) {
        stop();
        said.textContent = "";
        await check(found);
        return;
      }
    }
    await new Promise((resolve) => setTimeout(resolve, 120));
  }
}

async function readCodes(picture) {
  const found = await ZXingWASM.readBarcodes(picture, { formats: ["QRCode"], textMode: "Plain", tryHarder: true });
  return found.find((one) => one.isValid)?.text ?? "";
}

async function start() {
  said.textContent = said.dataset.looking;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "environment", width: { ideal: 1920 }, height: { ideal: 1080 } },
    });
    video.srcObject = stream;
    video.hidden = false;
    await video.play();
    await scan();
  } catch {
    stop();
    said.textContent = said.dataset.refused;
  }
}

async function readFile(file) {
  if (file.size > MAX_FILE) {
    show([{ result: "too-large" }]);
  } else if (file.type.startsWith("image/")) {
    const text = await readCodes(file).catch(() => "");
    await check(text || "no code");
  } else {
    await check(await file.text());
  }
}

// The reader is fetched at once: later there may be no network.
ZXingWASM.prepareZXingModule({
  overrides: { locateFile: (path) => `/static/vendor/${path}` },
  fireImmediately: true,
}).then(() => {
  place.dataset.ready = "yes";
  document.getElementById("ready").hidden = false;
});
if (navigator.mediaDevices?.getUserMedia) {
  document.getElementById("camera").hidden = false;
  document.getElementById("camera-start").addEventListener("click", start);
}
document.getElementById("f-file").addEventListener("change", (event) => {
  const [file] = event.target.files;
  if (file) readFile(file);
});
document.getElementById("verify-form").addEventListener("submit", (event) => {
  event.preventDefault();
  check(field.value);
});
window.addEventListener("pagehide", stop);
place.hidden = false;
