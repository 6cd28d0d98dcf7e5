// Scans the QR codes with the signatures of a device: with the camera, or from photos or videos.
// If the browser has no reader, frames are posted as small grey pictures, and read by the server.
// The texts stay in the page until their series is complete; then they are posted as a text.
const form = document.querySelector("form[data-scan]");
const find = (name) => form.querySelector(`[data-${name}]`);
const width = 960; // of posted frames, in pixels
const photoWidth = 1600;
const maxBytes = 60_000;
const interval = 125; // milliseconds between posted frames
const videoStep = 0.1; // seconds between the frames of a video file
const texts = new Set();
let running = 0; // number of the current scan; a new one ends the others
let lastPost = 0;

async function post(fields) {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  const answer = await fetch(form.dataset.scan, { method: "POST", body: data, headers: { Accept: "text/html" } });
  if (answer.redirected) location.reload();
  if (!answer.ok || !answer.headers.get("Content-Type").startsWith("application/json")) return { text: "" };
  return answer.json();
}

// picture returns an image or the current frame of a video as a grey JPEG.
async function picture(source, most) {
  const [w, h] = [source.videoWidth || source.width, source.videoHeight || source.height];
  const scale = Math.min(1, most / w);
  const canvas = document.createElement("canvas");
  canvas.width = Math.round(w * scale);
  canvas.height = Math.round(h * scale);
  const context = canvas.getContext("2d");
  context.filter = "grayscale(1)";
  context.drawImage(source, 0, 0, canvas.width, canvas.height);
  for (const quality of [0.7, 0.5, 0.3]) {
    const blob = await new Promise((resolve) => { canvas.toBlob(resolve, "image/jpeg", quality); });
    if (blob.size <= maxBytes || quality === 0.3 || most > width) return blob;
  }
}

async function detector() {
  if (!("BarcodeDetector" in window)) return null;
  const formats = await BarcodeDetector.getSupportedFormats().catch(() => []);
  return formats.includes("qr_code") ? new BarcodeDetector({ formats: ["qr_code"] }) : null;
}

// read returns the text of the code in an image or in the current frame of a video.
async function read(source, most, reader) {
  if (reader) return (await reader.detect(source)).map((code) => code.rawValue).filter(Boolean)[0] ?? "";
  await new Promise((resolve) => { setTimeout(resolve, lastPost + interval - Date.now()); });
  lastPost = Date.now();
  return (await post({ frame: await picture(source, most) })).text;
}

const say = (text) => { find("progress").textContent = text; };

// add adds the text of a code, and posts the form when the series is complete. It reports
// whether it is.
async function add(text) {
  if (text === "" || texts.has(text)) return false;
  texts.add(text);
  const state = await post({ texts: [...texts].join("\n") });
  if (state.problem) {
    texts.delete(text);
    say(state.problem);
    return false;
  }
  say(form.dataset.parts.replace("%s", state.received).replace("%s", state.expected));
  if (!state.done) return false;
  form.querySelector("#file").value = "";
  form.querySelector("#psbt").value = [...texts].join("\n");
  form.submit();
  return true;
}

function begin() {
  texts.clear();
  find("scanner").hidden = false;
  say("…");
  return ++running;
}

async function scanCamera() {
  const number = begin();
  const video = find("video");
  let stream = null;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { facingMode: "environment", width: { ideal: 1280 } } });
    video.srcObject = stream;
    video.hidden = false;
    find("stop").hidden = false;
    await video.play();
    const reader = await detector();
    while (number === running && !(await add(await read(video, width, reader)))) await new Promise(requestAnimationFrame);
  } catch {
    say(form.dataset.noCamera);
  } finally {
    stream?.getTracks().forEach((track) => track.stop());
    video.hidden = true;
    find("stop").hidden = true;
  }
}

async function scanVideo(file, number, reader) {
  const video = document.createElement("video");
  video.muted = true;
  video.src = URL.createObjectURL(file);
  const event = (name) => new Promise((resolve, reject) => {
    video.addEventListener(name, resolve, { once: true });
    video.addEventListener("error", reject, { once: true });
  });
  await event("loadeddata");
  for (let at = 0.01; number === running && at < Math.min(video.duration, 300); at += videoStep) {
    const there = event("seeked");
    video.currentTime = at;
    await there;
    if (video.currentTime < at - 1) break; // beyond the end of a video that does not state its length
    if (await add(await read(video, width, reader))) return true;
  }
  return false;
}

async function scanFiles(files) {
  const number = begin();
  const reader = await detector();
  for (const file of files) {
    try {
      const isDone = file.type.startsWith("video/")
        ? await scanVideo(file, number, reader)
        : await add(await read(await createImageBitmap(file), photoWidth, reader));
      if (isDone) return;
    } catch {
      // The message below says that nothing was found.
    }
  }
  if (texts.size === 0) say(form.dataset.noCode);
}

if (form) {
  if (navigator.mediaDevices) find("scanner").hidden = false;
  else find("start").hidden = true;
  find("start").addEventListener("click", scanCamera);
  find("stop").addEventListener("click", () => { running++; });
  form.addEventListener("submit", (event) => {
    const files = [...form.querySelector("#file").files].filter((file) => /^(image|video)\//.test(file.type));
    if (files.length === 0 || form.querySelector("#psbt").value.trim() !== "") return;
    event.preventDefault();
    scanFiles(files);
  });
  addEventListener("pagehide", () => { running++; });
}
