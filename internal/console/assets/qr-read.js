// Reads QR codes in images and in the frames of videos. If the browser has no reader, frames are
// posted as small grey pictures, and read by the server.
const width = 960; // of posted frames, in pixels
const photoWidth = 1600;
const maxBytes = 60_000;
const interval = 125; // milliseconds between posted frames
const videoStep = 0.1; // seconds between the frames of a video file
let lastPost = 0;

// post sends fields to the path of the scanner, and returns its answer.
export async function post(path, fields) {
  const data = new FormData();
  for (const [name, value] of Object.entries(fields)) data.append(name, value);
  const answer = await fetch(path, { method: "POST", body: data, headers: { Accept: "text/html" } });
  if (answer.redirected) location.replace(document.body.dataset.address);
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

// detector returns the reader of the browser, or null.
export async function detector() {
  if (!("BarcodeDetector" in window)) return null;
  const formats = await BarcodeDetector.getSupportedFormats().catch(() => []);
  return formats.includes("qr_code") ? new BarcodeDetector({ formats: ["qr_code"] }) : null;
}

// read returns the text of the code in an image or in the current frame of a video.
export async function read(path, source, reader, most = width) {
  if (reader) return (await reader.detect(source)).map((code) => code.rawValue).filter(Boolean)[0] ?? "";
  await new Promise((resolve) => { setTimeout(resolve, lastPost + interval - Date.now()); });
  lastPost = Date.now();
  return (await post(path, { frame: await picture(source, most) })).text ?? "";
}

// watch shows the camera in a video element, and passes the text of each code to use, until that
// returns true or isStopped does. It fails without a camera.
export async function watch(path, video, use, isStopped) {
  let stream = null;
  try {
    stream = await navigator.mediaDevices.getUserMedia({ audio: false, video: { facingMode: "environment", width: { ideal: 1280 } } });
    video.srcObject = stream;
    video.hidden = false;
    await video.play();
    const reader = await detector();
    while (!isStopped() && !(await use(await read(path, video, reader)))) await new Promise(requestAnimationFrame);
  } finally {
    stream?.getTracks().forEach((track) => track.stop());
    video.hidden = true;
  }
}

// readPhoto returns the text of the code in an image file.
export async function readPhoto(path, file, reader) {
  return read(path, await createImageBitmap(file), reader, photoWidth);
}

// frames returns a video that shows one frame of a video file after the other.
export async function* frames(file) {
  const video = document.createElement("video");
  video.muted = true;
  video.src = URL.createObjectURL(file);
  const event = (name) => new Promise((resolve, reject) => {
    video.addEventListener(name, resolve, { once: true });
    video.addEventListener("error", reject, { once: true });
  });
  await event("loadeddata");
  for (let at = 0.01; at < Math.min(video.duration, 300); at += videoStep) {
    const there = event("seeked");
    video.currentTime = at;
    await there;
    if (video.currentTime < at - 1) return; // beyond the end of a video that does not state its length
    yield video;
  }
}
