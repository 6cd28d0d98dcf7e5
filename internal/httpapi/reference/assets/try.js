// Sends the request of an operation to this server, with a token that the reader enters. The token
// is only in this variable: it is never stored, and is forgotten when the page is left.
let token = "";

const largest = 200_000; // characters of a response that are shown

function element(name, properties, ...children) {
  const e = Object.assign(document.createElement(name), properties);
  e.append(...children);
  return e;
}

// labelled returns a labelled input or text area.
function labelled(text, control) {
  return element("label", { className: "field" }, element("span", { textContent: text }), control);
}

function tokenInput() {
  const input = element("input", { type: "password", autocomplete: "off", spellcheck: false, value: token, className: "token" });
  input.addEventListener("input", () => { token = input.value.trim(); });
  return labelled("Access token (kept in the memory of this page only)", input);
}

function parameterInputs(operation) {
  return [...operation.querySelectorAll(".fields > [data-in=path], .fields > [data-in=query]")].map((row) => {
    const input = element("input", { autocomplete: "off", spellcheck: false, placeholder: row.dataset.example ?? "" });
    Object.assign(input.dataset, { name: row.dataset.name, in: row.dataset.in });
    return labelled(`${row.dataset.name} (${row.dataset.in})`, input);
  });
}

// target returns the path and the query of the request, or throws an error that names what is missing.
function target(operation, form) {
  let path = operation.dataset.path;
  const query = new URLSearchParams();
  for (const input of form.querySelectorAll("[data-name]")) {
    if (input.dataset.in === "path") {
      if (!input.value) throw new Error(`Enter ${input.dataset.name}.`);
      path = path.replace(`{${input.dataset.name}}`, encodeURIComponent(input.value));
    } else if (input.value) {
      query.set(input.dataset.name, input.value);
    }
  }
  const text = query.toString();
  return path + (text && `?${text}`);
}

function pretty(text) {
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

async function send(operation, form, output) {
  if (!token) throw new Error("Enter a token.");
  const path = target(operation, form);
  const headers = { Authorization: `Bearer ${token}`, Accept: "application/json" };
  const body = form.querySelector("textarea")?.value;
  if (body !== undefined) headers["Content-Type"] = "application/json";
  const started = performance.now();
  // The URL is a path of this server, and a redirect to another one is refused.
  const response = await fetch(new URL(path, location.origin), { method: operation.dataset.method, headers, body, credentials: "omit", redirect: "error", cache: "no-store" });
  const text = await response.text();
  const shown = pretty(text.length > largest ? `${text.slice(0, largest)}…` : text);
  output.replaceChildren(
    element("p", {}, element("strong", { textContent: `${response.status} ${response.statusText}` }), ` in ${Math.round(performance.now() - started)} ms`),
    element("pre", { tabIndex: 0 }, element("code", { textContent: shown || "(no body)" })),
  );
}

function open(operation, button) {
  const form = element("form", { className: "try", noValidate: true });
  const output = element("div", { className: "result" });
  output.setAttribute("role", "status");
  form.append(tokenInput(), element("div", { className: "inputs" }, ...parameterInputs(operation)));
  if (operation.dataset.body) {
    form.append(labelled("Body", element("textarea", { rows: 8, spellcheck: false, value: operation.dataset.body })));
  }
  const method = operation.dataset.method;
  const submit = element("button", { type: "submit", className: method === "GET" ? "primary" : "danger", textContent: `Send ${method}` });
  if (method !== "GET") form.append(element("p", { className: "note", textContent: "This request changes data on the server." }));
  form.append(submit, output);
  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    submit.disabled = true;
    output.replaceChildren(element("p", { textContent: "Waiting for the response…" }));
    try {
      await send(operation, form, output);
    } catch (error) {
      output.replaceChildren(element("p", { className: "bad", textContent: error.message }));
    }
    submit.disabled = false;
  });
  button.replaceWith(form);
  form.querySelector("input").focus();
}

for (const operation of document.querySelectorAll("[data-try]")) {
  const button = element("button", { type: "button", className: "try-open", textContent: "Try it" });
  button.setAttribute("aria-label", `Try it: ${operation.querySelector("h2").firstChild.textContent.trim()}`);
  button.addEventListener("click", () => open(operation, button));
  operation.querySelector(".samples").after(button);
}

// Forms that are already open show the token that was entered last.
document.addEventListener("focusin", (event) => { if (event.target.matches("input.token")) event.target.value = token; });
addEventListener("pagehide", () => {
  token = "";
  for (const input of document.querySelectorAll("input.token")) input.value = "";
});
