// Scans the QR code of a recipient, with the camera or from a photo. The server fills the form from
// its text. Without this script, the button for the photo does the same.
import { detector, readPhoto, watch } from "./qr-read.js";

const box = document.querySelector("[data-recipient-scan]");
const find = (name) => box.querySelector(`[data-${name}]`);
let running = false;

// use posts the form with the text of a code, and reports whether there was one.
function use(text) {
  if (text === "") return false;
  const button = box.querySelector("button[name=action]");
  box.querySelector("#photo").value = "";
  box.querySelector("[name=scanned]").value = text;
  button.form.requestSubmit(button);
  return true;
}

async function scanCamera() {
  running = true;
  find("stop").hidden = false;
  find("said").textContent = "";
  try {
    await watch(box.dataset.recipientScan, find("video"), use, () => !running);
  } catch {
    find("no-camera").hidden = false;
  } finally {
    running = false;
    find("stop").hidden = true;
  }
}

async function scanPhoto(file) {
  find("said").textContent = "…";
  const text = await readPhoto(box.dataset.recipientScan, file, await detector()).catch(() => "");
  find("said").textContent = use(text) ? "" : box.dataset.noCode;
}

if (box) {
  find("camera").hidden = !navigator.mediaDevices;
  find("no-camera").hidden = Boolean(navigator.mediaDevices);
  find("start").addEventListener("click", scanCamera);
  find("stop").addEventListener("click", () => { running = false; });
  box.querySelector("#photo").addEventListener("change", (event) => {
    if (event.target.files.length > 0) scanPhoto(event.target.files[0]);
  });
  addEventListener("pagehide", () => { running = false; });
}
