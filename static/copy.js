// Copies a text, or prints the page, at the press of a button. Where this cannot run there is no button, and people select
// the text by hand.
if (navigator.clipboard) {
  document.documentElement.dataset.canCopy = "";
  document.addEventListener("click", async (event) => {
    if (event.target.closest("[data-print]")) window.print();
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    const status = button.nextElementSibling;
    try {
      await navigator.clipboard.writeText(document.getElementById(button.dataset.copy).textContent);
      status.textContent = button.dataset.copied;
    } catch {
      status.textContent = button.dataset.notCopied;
    }
  });
}
