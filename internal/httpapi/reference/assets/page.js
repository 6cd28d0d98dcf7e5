// Adds buttons that copy examples, applies the chosen language to all examples, and leads old
// links to operations, errors and objects to their pages.
function addCopy(pre) {
  const button = document.createElement("button");
  button.type = "button";
  button.className = "copy";
  button.textContent = "Copy";
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(pre.querySelector("code").textContent);
    button.textContent = "Copied";
    button.setAttribute("role", "status");
    setTimeout(() => { button.textContent = "Copy"; button.removeAttribute("role"); }, 2000);
  });
  pre.prepend(button);
}

if (navigator.clipboard) document.querySelectorAll("pre:has(code)").forEach(addCopy);

// The language is remembered for the pages of this tab.
function choose(language) {
  for (const input of document.querySelectorAll(`.samples input[value="${language}"]`)) input.checked = true;
}

document.addEventListener("change", (event) => {
  if (!event.target.matches(".samples input")) return;
  const before = event.target.getBoundingClientRect().top;
  choose(event.target.value);
  scrollBy(0, event.target.getBoundingClientRect().top - before); // the reader's place does not move
  sessionStorage.setItem("language", event.target.value);
});
const language = sessionStorage.getItem("language");
if (/^[a-z]+$/.test(language ?? "")) choose(language);

if (location.pathname.replace(/\/$/, "") === "/api" && /^#(op|error|object)-/.test(location.hash)) {
  const moved = document.getElementById(location.hash.slice(1))?.querySelector("a");
  if (moved) location.replace(moved.href);
}

// The menu shows the current page, and closes when the reader follows a link to a place on the same page.
const menu = document.getElementById("nav");
const current = menu.querySelector("li > [aria-current]");
if (current) menu.scrollTop = current.offsetTop - menu.clientHeight / 3;
menu.addEventListener("click", (event) => { if (event.target.closest("a") && menu.matches(":popover-open")) menu.hidePopover(); });
