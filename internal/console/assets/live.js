// Refreshes a page when the server reports an event, by requesting it again: the parts with the
// attribute data-live, and the whole content if its state (data-state) has changed. If the user
// has begun to work with the content, a notice offers the new state instead. Without this script, a
// reload does the same.
import { isChanged, keep, released } from "./focus.js";

const { liveUrl: url, address } = document.body.dataset;
const state = document.getElementById("live-state");
const changed = document.getElementById("live-changed");
let timer = 0;
let busy = false;
let again = false;
let leaving = false; // a form was sent, and its response replaces the page

// load opens another page instead of this one, unless that would interrupt a form that was sent: if
// its password begins another session, this one ends before the response is here.
function load(at) {
  if (!leaving) location.replace(at);
}

// isInUse reports whether the user works with the content: has typed something or opened a form,
// or shows a code to a device. A form that was refused has what the user typed before.
function isInUse(content) {
  return "refused" in content.dataset || content.querySelector("[data-codes], details[open] form, video:not([hidden])") !== null ||
    document.activeElement.matches("#content :is(input, select, textarea)") || [...content.querySelectorAll("input, select, textarea")].some(isChanged);
}

// show replaces the content if its state has changed, or offers that if the user works with it or
// the page is gone (null).
function show(next) {
  const content = document.getElementById("content");
  const isNew = content.dataset.state !== "" && content.dataset.state !== next?.dataset.state;
  const isOffered = isNew && (!next || isInUse(content));
  changed.querySelector(".banner").hidden = !isOffered;
  if (!isNew || isOffered) return;
  content.replaceWith(document.adoptNode(next));
  const told = changed.querySelector("[data-shown]");
  told.textContent = told.dataset.shown;
  setTimeout(() => { told.textContent = ""; }, 5000);
}

// replace shows what has changed in a new state of the page.
function replace(fresh) {
  show(fresh.getElementById("content"));
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(part.id);
    if (next && !part.isEqualNode(next)) part.replaceWith(document.adoptNode(next));
  }
  document.dispatchEvent(new Event("refreshed"));
}

// refresh requests the page, and replaces what has changed.
async function refresh() {
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  try {
    const answer = await fetch(address, { headers: { Accept: "text/html", "Specterd-Refresh": "1" } });
    if (answer.redirected && new URL(answer.url).pathname === "/login") {
      load(answer.url); // says why
      return;
    }
    if (!answer.ok) {
      if (answer.status < 429) show(null); // the page is gone
      return;
    }
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    await released();
    keep(() => replace(fresh));
  } catch {
    // The stream reports that the connection is lost.
  } finally {
    busy = false;
    if (again) {
      again = false;
      schedule();
    }
  }
}

function schedule() {
  clearTimeout(timer);
  timer = setTimeout(refresh, 250);
}

let stream = null;
let missed = false; // whether changes may have been missed

function open() {
  stream = new EventSource(url);
  stream.addEventListener("open", () => {
    state.hidden = true;
    if (missed) schedule();
    missed = false;
  });
  stream.addEventListener("change", schedule);
  stream.addEventListener("end", () => load(address));
  stream.addEventListener("error", () => {
    missed = true;
    state.hidden = false;
    if (stream.readyState === EventSource.CLOSED) { // refused: perhaps the session has ended
      schedule();
      setTimeout(reopen, 5000);
    }
  });
}

function close() {
  stream?.close();
  stream = null;
}

function reopen() {
  close();
  if (!document.hidden) open();
}

// A page that nobody sees has no stream: browsers allow six connections to a server over HTTP/1.1.
if (url) {
  reopen();
  document.addEventListener("visibilitychange", () => {
    missed = true;
    reopen();
  });
  addEventListener("pagehide", close);
  addEventListener("submit", (event) => {
    if (event.defaultPrevented) return;
    leaving = true;
    setTimeout(() => { leaving = false; reopen(); }, 60_000); // the response was a file
  });
}

// Progress has no events.
setInterval(() => { if (!document.hidden && document.querySelector("[data-live] progress")) refresh(); }, 5000);
