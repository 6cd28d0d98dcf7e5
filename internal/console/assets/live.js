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

function open() {
  const stream = new EventSource(url);
  let lost = false;
  stream.addEventListener("open", () => {
    state.hidden = true;
    if (lost) schedule();
    lost = false;
  });
  stream.addEventListener("change", schedule);
  stream.addEventListener("end", () => {
    stream.close();
    location.reload();
  });
  stream.addEventListener("error", () => {
    lost = true;
    state.hidden = false;
    if (stream.readyState === EventSource.CLOSED) setTimeout(() => { if (navigator.onLine) refresh(); open(); }, 5000);
  });
  addEventListener("pagehide", () => stream.close(), { once: true });
}

if (url) open();
