// Refreshes the parts of a page that have the attribute data-live when the server reports an
// event, by requesting the page again. Without this script, a reload does the same.
const url = document.body.dataset.liveUrl;
const state = document.getElementById("live-state");
let timer = 0;
let busy = false;
let again = false;

// refresh replaces the live parts, except those in which the user is typing.
async function refresh() {
  if (busy) {
    again = true;
    return;
  }
  busy = true;
  try {
    const answer = await fetch(location.href, { headers: { Accept: "text/html", "Specterd-Refresh": "1" } });
    if (answer.redirected && new URL(answer.url).pathname === "/login") {
      location.reload();
      return;
    }
    if (!answer.ok) return;
    const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
    for (const part of document.querySelectorAll("[data-live]")) {
      const next = fresh.getElementById(part.id);
      if (!next || part.contains(document.activeElement) || part.isEqualNode(next)) continue;
      part.replaceWith(document.adoptNode(next));
    }
    document.dispatchEvent(new Event("refreshed"));
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
  stream.addEventListener("end", () => location.reload());
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
  addEventListener("submit", (event) => { // signing out ends the stream, which must not load the page again
    if (new URL(event.target.action).pathname === "/logout") close();
  });
}

// Progress has no events.
setInterval(() => { if (!document.hidden && document.querySelector("[data-live] progress")) refresh(); }, 5000);
