// Searches the reference: operations, error codes, scopes and chapters. The index is loaded from
// this server when the reader first uses the search.
const find = document.querySelector(".find");
const input = document.getElementById("q");
const hits = document.getElementById("hits");
const count = document.getElementById("hit-count");

const stopWords = new Set(("a an and any are as at be by can do does for from get give how i if in is it mean means my need of on one or " +
  "should that the their there this to what when where which who why will with you your").split(" "));

// stem removes the endings of a word, so that freezing matches freeze.
function stem(word) {
  return word.length > 4 ? word.replace(/(ings?|ed|es|s|e)$/, "") : word;
}

function wordsOf(text) {
  return (text.replace(/([a-z])([A-Z])/g, "$1 $2").toLowerCase().match(/[a-z0-9]+/g) ?? []).map(stem);
}

let index;
async function load() {
  index ??= fetch("/api/reference/search.json").then(async (response) => {
    if (!response.ok) throw new Error(`status ${response.status}`);
    const entries = await response.json();
    return entries.map((e) => ({ ...e, title: wordsOf(e.t), words: new Set(wordsOf(e.w)), details: new Set(wordsOf(e.d)) }));
  });
  return index;
}

// hints raise the kind that a word of the question asks for.
const hints = {
  scope: "Scope", permission: "Scope", code: "Error code", error: "Error code", how: "Guide",
};

// match returns how well a word matches an entry.
function match(entry, word) {
  if (entry.title.includes(word)) return 10;
  if (entry.words.has(word)) return 5;
  if (word.length > 2 && entry.title.some((t) => t.startsWith(word))) return 6;
  if (word.length > 2 && [...entry.words].some((w) => w.startsWith(word))) return 3;
  return entry.details.has(word) ? 2 : 0;
}

function score(entry, words, all) {
  let sum = 0, matched = 0;
  for (const word of words) {
    const points = match(entry, word);
    sum += points;
    matched += points > 0;
  }
  if (matched === 0) return 0;
  const share = matched / words.length;
  const exact = entry.title.length === words.length && entry.title.every((t) => words.includes(t)) ? 4 : 0;
  const asked = all.some((w) => hints[w] === entry.k) ? 6 : 0;
  const old = entry.u.includes("/v1alpha#") && !words.includes(stem("v1alpha")) ? 0.5 : 1; // v1 comes first
  return (sum + exact + asked) * share * share * old - entry.title.length / 10;
}

function search(entries, text) {
  const all = (text.toLowerCase().match(/[a-z0-9]+/g) ?? []);
  const meaningful = all.filter((w) => !stopWords.has(w));
  const words = [...new Set((meaningful.length ? meaningful : all).map(stem))];
  return entries.map((e) => [score(e, words, all.map(stem).concat(all)), e])
    .filter(([points]) => points > 0)
    .sort((a, b) => b[0] - a[0])
    .slice(0, 8)
    .map(([, e]) => e);
}

function element(name, text, className) {
  const e = document.createElement(name);
  e.textContent = text;
  if (className) e.className = className;
  return e;
}

function show(found, text) {
  const list = document.createElement("ul");
  for (const e of found) {
    const link = document.createElement("a");
    link.href = e.u;
    link.append(element("span", e.k, "kind"), element("strong", e.t), element("span", e.d, "detail"));
    const item = document.createElement("li");
    item.append(link);
    list.append(item);
  }
  hits.replaceChildren(found.length ? list : element("p", `No results for “${text}”.`));
  hits.hidden = false;
  count.textContent = `${found.length} results`;
}

function close() {
  hits.hidden = true;
  count.textContent = "";
}

async function update() {
  const text = input.value.trim();
  if (!text) return close();
  try {
    const entries = await load();
    if (text === input.value.trim()) show(search(entries, text), text);
  } catch (error) {
    index = undefined;
    hits.replaceChildren(element("p", `The search index cannot be loaded: ${error.message}. Reload the page.`));
    hits.hidden = false;
  }
}

input.addEventListener("focus", () => { load().catch(() => { index = undefined; }); if (input.value) update(); });
input.addEventListener("input", update);
find.addEventListener("keydown", (event) => {
  const links = [...hits.querySelectorAll("a")];
  const at = links.indexOf(document.activeElement);
  if (event.key === "Escape") { close(); input.focus(); }
  else if (event.key === "ArrowDown" && links.length) links[Math.min(at + 1, links.length - 1)].focus();
  else if (event.key === "ArrowUp" && at >= 0) (links[at - 1] ?? input).focus();
  else if (event.key === "Enter" && at < 0 && links.length) links[0].click();
  else return;
  event.preventDefault();
});
hits.addEventListener("click", (event) => { if (event.target.closest("a")) close(); });
document.addEventListener("click", (event) => { if (!find.contains(event.target)) close(); });
document.addEventListener("keydown", (event) => {
  if ((event.key === "/" && !event.target.closest("input, textarea, select")) || (event.key === "k" && (event.ctrlKey || event.metaKey))) {
    event.preventDefault();
    input.focus();
  }
});
find.hidden = false;
