// Offers the confirmation targets of a payment as a slider, with the time, the fee rate and the total
// of each, beside the exact fee rate. The radio buttons, which work without this script, keep the choice.
const box = document.querySelector("[data-fee-slider]");
const radios = [...document.querySelectorAll(".fees [name=target_blocks]")];
const own = document.getElementById("own-rate");
const rate = document.getElementById("fee_rate_sat_vb");
const targets = radios.filter((radio) => radio !== own).reverse(); // the slowest first
const slider = box?.querySelector("input");

const timeOf = (radio) => radio.closest("label").querySelector("span").textContent.trim();

// amount returns satoshis as the pages show them.
function amount(sat) {
  if (box.dataset.unit === "btc") return `${(sat / 1e8).toFixed(8)}\u00a0BTC`;
  return `${String(sat).replace(/\B(?=(\d{3})+$)/g, "\u202f")}\u00a0sat`;
}

// exact returns the exact fee rate, in which a comma may be the decimal separator, as in call.feeRate.
const exact = () => Number(rate.value.trim().replace(/^(0,\d{3}|\d+,\d{1,2})$/, (text) => text.replace(",", ".")));

// reached returns the fastest target whose estimate is not above a fee rate.
function reached(perByte) {
  return targets.findLast((radio) => radio.dataset.rate !== "" && Number(radio.dataset.rate) <= perByte);
}

// meaning returns what a choice means: the time, the fee rate and the total.
function meaning() {
  const chosen = targets[slider.value];
  const perByte = Number(own.checked ? exact() : chosen.dataset.rate);
  let time = timeOf(chosen);
  if (own.checked) {
    const target = reached(perByte);
    if (target) time = box.dataset.own.replace("%s", timeOf(target));
    else time = targets.some((radio) => radio.dataset.rate !== "") ? box.dataset.slow : box.dataset.unknown;
  }
  const size = Number(document.querySelector("[data-vsize]")?.dataset.vsize);
  const parts = [time];
  if (perByte > 0) parts.push(`${perByte} sat/vB`);
  if (perByte > 0 && size > 0) parts.push(box.dataset.total.replace("%s", amount(Math.ceil(perByte * size))));
  return parts.join(" · ");
}

// show says what the choice means. With an exact fee rate, the targets are not in use.
function show() {
  slider.disabled = own.checked;
  for (const part of document.querySelectorAll("[data-for-targets]")) part.hidden = own.checked;
  for (const part of document.querySelectorAll("[data-for-own]")) part.hidden = !own.checked;
  const text = meaning();
  box.querySelector("[data-means]").textContent = text;
  slider.setAttribute("aria-valuetext", text);
  rate.placeholder = targets[slider.value].dataset.rate;
}

// place moves the slider to the chosen target, or to the one that an exact fee rate reaches.
function place() {
  const at = targets.indexOf(own.checked ? reached(exact()) : targets.find((radio) => radio.checked));
  slider.value = Math.max(at, 0);
  show();
}

if (box && rate) {
  slider.max = targets.length - 1;
  box.hidden = false;
  box.closest("fieldset").classList.add("sliding");
  slider.addEventListener("input", () => {
    targets[slider.value].checked = true;
    rate.value = "";
    show();
  });
  rate.addEventListener("input", () => {
    if (rate.value.trim() === "") targets[slider.value].checked = true;
    else own.checked = true;
    place();
  });
  document.addEventListener("previewed", show);
  place();
}
