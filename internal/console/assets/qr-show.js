// Shows the QR codes of a proposal one after the other. Without this script, a link shows the
// next code.
let figure = null;

async function start(figure) {
  const answer = await fetch(figure.dataset.codes, { headers: { Accept: "text/html" } });
  if (!answer.ok || answer.redirected) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const codes = [...page.querySelectorAll(".codes svg")].map((code) => document.adoptNode(code));
  if (codes.length < 2) return;
  const label = figure.querySelector("[data-label]");
  const pause = figure.querySelector("[data-pause]");
  const next = figure.querySelector("[data-next]");
  const pauseText = pause.textContent;
  let at = 0;
  let timer = 0;

  function show(n) {
    at = (n + codes.length) % codes.length;
    if (!figure.isConnected) return play(false);
    figure.querySelector("svg").replaceWith(codes[at]);
    label.textContent = label.dataset.label.replace("%s", at + 1).replace("%s", codes.length);
  }

  function play(on) {
    clearInterval(timer);
    timer = on ? setInterval(() => show(at + 1), 1000 / Number(figure.dataset.rate)) : 0;
    pause.textContent = on ? pauseText : pause.dataset.resume;
  }

  pause.hidden = false;
  pause.addEventListener("click", () => play(timer === 0));
  next.addEventListener("click", (event) => {
    event.preventDefault();
    play(false);
    show(at + 1);
  });
  play(!matchMedia("(prefers-reduced-motion: reduce)").matches);
}

function find() {
  const found = document.querySelector("figure[data-codes]");
  if (found === figure) return;
  figure = found;
  if (figure?.querySelector("[data-pause]")) start(figure).catch(() => {});
}

find();
document.addEventListener("refreshed", find);
