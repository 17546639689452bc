"use strict";
// Reads the code on a pack: with the camera, or from a scanner that types. The form works without it.

const GS = "\u001d";
const SHOWN_GS = "\u241d";
const form = document.getElementById("scan-form");
const field = document.getElementById("f-code");
const camera = document.getElementById("camera");
const video = document.getElementById("camera-picture");
const said = document.getElementById("camera-said");
let stream = null;

// A scanner sends the separator as the character GS or as Ctrl and ], which a field does not take.
field.addEventListener("keydown", (event) => {
  const isSeparator = event.key === GS || (event.ctrlKey && (event.key === "]" || event.code === "BracketRight"));
  if (!isSeparator) return;
  event.preventDefault();
  field.setRangeText(SHOWN_GS, field.selectionStart, field.selectionEnd, "end");
});

function say(key) {
  said.textContent = camera.dataset[key];
}

function stop() {
  for (const track of stream?.getTracks() ?? []) track.stop();
  stream = null;
  video.hidden = true;
}

async function read() {
  const canvas = document.createElement("canvas");
  const context = canvas.getContext("2d", { willReadFrequently: true });
  while (stream) {
    if (video.videoWidth) {
      canvas.width = video.videoWidth;
      canvas.height = video.videoHeight;
      context.drawImage(video, 0, 0);
      const picture = context.getImageData(0, 0, canvas.width, canvas.height);
      const found = await ZXingWASM.readBarcodes(picture, { formats: ["DataMatrix"], textMode: "Plain", tryHarder: true });
      const code = found.find((one) => one.isValid && one.symbologyIdentifier === "]d2");
      if (code) {
        stop();
        say("found");
        field.value = code.symbologyIdentifier + code.text.replaceAll(GS, SHOWN_GS);
        form.requestSubmit();
        return;
      }
      if (found.length) say("other");
    }
    await new Promise((resolve) => setTimeout(resolve, 120));
  }
}

async function start() {
  say("starting");
  ZXingWASM.prepareZXingModule({ overrides: { locateFile: (path) => `/static/vendor/${path}` } });
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      video: { facingMode: "environment", width: { ideal: 1280 }, height: { ideal: 720 } },
    });
  } catch {
    say("refused");
    return;
  }
  video.srcObject = stream;
  video.hidden = false;
  await video.play();
  say("looking");
  try {
    await read();
  } catch {
    stop();
    say("failed");
  }
}

if (navigator.mediaDevices?.getUserMedia) {
  camera.hidden = false;
  document.getElementById("camera-start").addEventListener("click", start);
}
window.addEventListener("pagehide", stop);
