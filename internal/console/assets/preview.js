// Updates the preview of a form while the user is typing: it posts the form for a dry run and
// takes the part with the preview from the response. Without this script, the button Preview
// does the same.
import { keep, released } from "./focus.js";

const form = document.querySelector("form[data-preview]");
let timer = 0;
let running = null;

function preview() {
  return document.getElementById(form.dataset.preview);
}

// fill takes the recipients from a response, in which a bitcoin: link has become an address, an
// amount and a label. Fields that the user has changed since are kept.
function fill(page, sent) {
  for (const field of form.querySelectorAll("[name^=recipients]")) {
    const value = page.getElementById(field.id)?.value;
    if (value !== undefined && field.value === sent.get(field.name)) field.value = value;
  }
}

// mark shows the problems of a response at the inputs that they are about, as the page does after the
// button Preview. Empty inputs are not marked: the user may not have reached them yet.
function mark(page, sent) {
  for (const message of form.querySelectorAll(".err[id]")) message.remove();
  for (const field of form.querySelectorAll("[aria-invalid]")) {
    field.removeAttribute("aria-invalid");
    field.removeAttribute("aria-describedby");
  }
  for (const bad of page.querySelectorAll("#send [aria-invalid]")) {
    const field = document.getElementById(bad.id);
    const message = page.getElementById(`${bad.id}-problem`);
    if (!field || !message || field.value.trim() === "" || field.value !== sent.get(field.name)) continue;
    let [before, place] = [bad, field]; // the elements after which the message belongs
    while (!before.parentElement.contains(message)) [before, place] = [before.parentElement, place.parentElement];
    while (before.parentElement !== message.parentElement) [before, place] = [before.parentElement, place.parentElement];
    place.after(document.adoptNode(message));
    field.setAttribute("aria-invalid", "true");
    field.setAttribute("aria-describedby", message.id);
  }
}

// dismiss removes the problems of an earlier submission above the form: the new preview has its own.
function dismiss() {
  for (const banner of form.parentElement.querySelectorAll(":scope > .banner.bad")) banner.remove();
}

// show takes the preview from a response to what was sent.
function show(page, sent) {
  fill(page, sent);
  mark(page, sent);
  dismiss();
  preview().replaceWith(document.adoptNode(page.getElementById(form.dataset.preview)));
  document.dispatchEvent(new Event("previewed"));
}

async function update() {
  running?.abort();
  running = new AbortController();
  const { signal } = running;
  const data = new FormData(form);
  for (const name of ["seen", "photo"]) data.delete(name);
  data.set("action", "typing");
  try {
    const answer = await fetch(form.getAttribute("action"), {
      method: "POST", body: new URLSearchParams(data), signal, headers: { Accept: "text/html" },
    });
    if (answer.redirected) {
      location.replace(document.body.dataset.address);
      return;
    }
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    await released();
    if (!signal.aborted && page.getElementById(form.dataset.preview)) keep(() => show(page, data));
  } catch {
    // A later change starts again, and the button Preview works without this script.
  }
}

// changed makes the shown preview unusable until the next one arrives.
function changed() {
  for (const button of preview().querySelectorAll("button[value=create]")) button.disabled = true;
  preview().setAttribute("aria-busy", "true");
  clearTimeout(timer);
  timer = setTimeout(update, 500);
}

// hasRecipient reports whether there is anything to preview.
function hasRecipient() {
  return [...form.querySelectorAll("input.mono, textarea, select")].some((field) => field.value.trim() !== "");
}

if (form) {
  form.addEventListener("input", (event) => {
    if (event.target.type !== "file" && hasRecipient()) changed();
  });
}
