// Scans QR codes into a form: with the camera, or from photos or videos. The texts stay in the
// page until their series is complete; then they are posted in place of the pictures. A form with
// data-several takes codes of several devices, so that each of its photos and videos is read.
import { detector, frames, post, read, readPhoto, watch } from "./qr-read.js";

let form = null;
const find = (name) => form.querySelector(`[data-${name}]`);
const isMedia = (file) => /^(image|video)\//.test(file.type);
const texts = new Set();
const refused = new Set(); // texts that the server cannot use
let running = 0; // number of the current scan; a new one ends the others
let isDone = false; // whether the series of the texts are complete

const say = (text) => { find("progress").textContent = text; };

// add adds the text of a code, and returns whether it completes a series.
async function add(text) {
  if (text === "" || texts.has(text) || refused.has(text)) return false;
  texts.add(text);
  const state = await post(form.dataset.scan, { texts: [...texts].join("\n") });
  if (state.problem || !("done" in state)) { // without an answer, the text is scanned again
    texts.delete(text);
    if (state.problem) refused.add(text);
    if (state.problem) say(state.problem);
    return false;
  }
  say(form.dataset.parts.replace("%s", state.received).replace("%s", state.expected));
  isDone = state.done;
  return isDone;
}

// send posts the form with the texts, and without the pictures that they come from.
function send() {
  const input = form.querySelector("#file");
  const others = new DataTransfer();
  if (form.hasAttribute("data-several")) [...input.files].filter((file) => !isMedia(file)).forEach((file) => others.items.add(file));
  input.files = others.files;
  find("texts").value = [...texts].join("\n");
  form.requestSubmit(find("submit"));
  find("texts").value = ""; // for a browser that returns to this page
}

function begin() {
  texts.clear();
  refused.clear();
  isDone = false;
  find("scanner").hidden = false;
  say("…");
  return ++running;
}

async function scanCamera() {
  const number = begin();
  find("stop").hidden = false;
  try {
    await watch(form.dataset.scan, find("video"), add, () => number !== running);
    if (isDone) send();
  } catch {
    say(form.dataset.noCamera);
  } finally {
    find("stop").hidden = true;
  }
}

// scanFile returns whether a photo or a video has a code.
async function scanFile(file, number, reader) {
  let hasCode = false;
  if (!file.type.startsWith("video/")) {
    const text = await readPhoto(form.dataset.scan, file, reader);
    await add(text);
    return text !== "";
  }
  for await (const frame of frames(file)) {
    if (number !== running) break;
    const text = await read(form.dataset.scan, frame, reader);
    hasCode ||= text !== "";
    if (await add(text)) break;
  }
  return hasCode;
}

async function scanFiles(files) {
  const number = begin();
  const reader = await detector();
  let failed = null;
  for (const file of files) {
    const hasCode = await scanFile(file, number, reader).catch(() => false);
    if (!hasCode) failed ??= file;
    if (number !== running) return;
    if (isDone && !form.hasAttribute("data-several")) break;
  }
  if (isDone && (!failed || !form.hasAttribute("data-several"))) send();
  else if (failed && refused.size === 0) say(`${failed.name}: ${form.dataset.noCode}`);
}

// bind takes the form of the page, unless it is the one from before.
function bind() {
  const found = document.querySelector("form[data-scan]");
  if (found === form) return;
  running++;
  form = found;
  if (!form) return;
  if (navigator.mediaDevices) find("scanner").hidden = false;
  else find("start").hidden = true;
  find("start").addEventListener("click", scanCamera);
  find("stop").addEventListener("click", () => { running++; });
  form.addEventListener("submit", (event) => {
    const files = [...form.querySelector("#file").files].filter(isMedia);
    if (files.length === 0 || find("texts").value.trim() !== "") return;
    event.preventDefault();
    scanFiles(files);
  });
}

bind();
document.addEventListener("refreshed", bind);
addEventListener("pagehide", () => { running++; });
