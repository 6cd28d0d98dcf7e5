// Adds a button that copies a text to the elements with the attribute data-copy, whose value
// is the name of the button.
function add(element) {
  if (element.nextElementSibling?.classList.contains("copy")) return;
  const button = document.createElement("button");
  button.type = "button";
  button.className = "quiet copy";
  button.textContent = element.dataset.copy;
  button.addEventListener("click", async () => {
    await navigator.clipboard.writeText(element.value ?? element.textContent);
    const before = button.textContent;
    button.textContent = element.dataset.copied;
    button.setAttribute("role", "status");
    setTimeout(() => { button.textContent = before; button.removeAttribute("role"); }, 2000);
  });
  element.after(button);
}

function addAll() {
  document.querySelectorAll("[data-copy]").forEach(add);
}

if (navigator.clipboard) {
  addAll();
  document.addEventListener("refreshed", addAll);
}
