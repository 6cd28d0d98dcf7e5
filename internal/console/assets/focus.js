// Keeps the keyboard focus and what the user has typed or opened when a script replaces parts of the
// page, and gives the focus to the problem on the page of a form that was refused.

// isChanged reports whether the user has changed a field since the page was loaded.
export function isChanged(field) {
  if (field.type === "file") return field.files.length > 0;
  if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
  if (field.options) return field.selectedIndex !== Math.max(0, [...field.options].findIndex((option) => option.defaultSelected));
  return field.value !== field.defaultValue;
}

// around returns the ids of the elements around an element, the innermost first.
function around(element) {
  const ids = [];
  for (let e = element.parentElement; e; e = e.parentElement) if (e.hasAttribute("id")) ids.push(e.getAttribute("id"));
  return ids;
}

// keyOf returns a text that an element and its replacement have in common: its id, or what it leads
// to or contains, within the part of the page with the nearest id.
function keyOf(element) {
  if (element.hasAttribute("id")) return `#${element.id}`;
  const isChoice = /^(submit|radio|checkbox)$/.test(element.type);
  const aim = element.getAttribute("href") ?? (element.name ? `${element.name}=${isChoice ? element.value : ""}` : element.form?.getAttribute("action"));
  const title = element.matches("details") ? element.querySelector("summary") : element.matches("summary") && element;
  return [around(element)[0], element.localName, aim, title ? title.textContent.trim() : ""].join(" ");
}

const alike = (element, key) => [...document.querySelectorAll(element.localName)].filter((other) => keyOf(other) === key);

// placeOf returns a function that finds an element again: the one with the same key and, among several
// of them, the same position.
function placeOf(element) {
  const key = keyOf(element);
  const at = alike(element, key).indexOf(element);
  return () => {
    const found = alike(element, key);
    return found[at] ?? found.at(-1);
  };
}

// focus gives the focus to a visible element, also to a part of the page, and reports whether it has it.
function focus(element, options) {
  if (!element?.checkVisibility()) return false;
  element.focus(options);
  if (document.activeElement !== element && !element.hasAttribute("tabindex") && !element.disabled) {
    element.tabIndex = -1;
    element.addEventListener("blur", () => element.removeAttribute("tabindex"), { once: true });
    element.focus(options);
  }
  return document.activeElement === element;
}

// copyField gives a field what the user has typed into the one that it replaces.
function copyField(from, to) {
  if (from.type === "file") to.files = from.files;
  else if (from.type === "checkbox" || from.type === "radio") to.checked = from.checked;
  else to.value = from.value;
}

// keep calls change, which replaces parts of the page. Afterwards, the focus, with the selection of a
// field, is at the same element as before, or at the part that contained it; fields have what was
// typed, and details are open.
export function keep(change) {
  const active = document.activeElement ?? document.body;
  const find = placeOf(active);
  const parts = around(active);
  const { selectionStart: start, selectionEnd: end, selectionDirection: direction } = active;
  const typed = [...document.querySelectorAll("input, select, textarea")].filter((field) => field.type !== "hidden" && isChanged(field)).map((field) => [field, placeOf(field)]);
  const open = [...document.querySelectorAll("details[open]")].map((details) => [details, placeOf(details)]);
  change();
  for (const [details, again] of open) {
    const next = details.isConnected ? null : again();
    if (next) next.open = true;
  }
  for (const [field, again] of typed) {
    const next = field.isConnected ? null : again();
    if (next) copyField(field, next);
  }
  if (active === document.body || document.activeElement !== document.body) return;
  const next = find();
  if (!focus(next, { preventScroll: true })) parts.some((id) => focus(document.getElementById(id), { preventScroll: true }));
  else if (typeof start === "number") next.setSelectionRange(start, end, direction);
}

// released waits until no element is pressed: replacing it then would lose the click. It gives up
// after ten seconds.
export async function released() {
  for (let i = 0; i < 200 && document.querySelector(":is(a, button, summary, label, input, select):active"); i++) {
    await new Promise((resolve) => { setTimeout(resolve, 50); });
  }
}

// After a refusal, the first wrong field has the focus, or else an empty one that a person begins with,
// such as for the password, or else the message.
const message = document.querySelector("main [role=alert][tabindex]");
if (message) {
  const isFocused = [...document.querySelectorAll("main [aria-invalid]")].some((field) => focus(field));
  if (!isFocused && document.querySelector("main [autofocus]")?.value !== "") focus(message);
}
