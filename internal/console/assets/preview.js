// Updates the preview of a form while the user is typing: it posts the form for a dry run and
// takes the part with the preview from the response. Without this script, the button Preview
// does the same.
const form = document.querySelector("form[data-preview]");
let timer = 0;
let running = null;

function preview() {
  return document.getElementById(form.dataset.preview);
}

async function update() {
  running?.abort();
  running = new AbortController();
  const data = new FormData(form);
  data.delete("seen");
  data.set("action", "typing");
  try {
    const answer = await fetch(form.getAttribute("action"), {
      method: "POST", body: new URLSearchParams(data), signal: running.signal, headers: { Accept: "text/html" },
    });
    if (answer.redirected) {
      location.reload();
      return;
    }
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(form.dataset.preview);
    if (fresh) preview().replaceWith(document.adoptNode(fresh));
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
  return [...form.querySelectorAll("input.mono, textarea")].some((field) => field.value.trim() !== "");
}

if (form) {
  form.addEventListener("input", () => {
    if (hasRecipient()) changed();
  });
}
