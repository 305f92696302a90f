// Closes menus and questions by Escape, by a press elsewhere, by their own button. A link to one opens it.
// The box above a list's boxes ticks them all.
"use strict";
(() => {
  const OPEN = ".account[open], .menu[open], .release[open]";

  function close(box, { back }) {
    box.open = false;
    if (back) box.querySelector("summary").focus();
  }

  const target = document.querySelector("details:target");
  if (target) target.open = true;

  const all = document.querySelector("[data-all]");
  if (all) {
    const boxes = [...all.closest("table").querySelectorAll("tbody [type=checkbox]")];
    all.hidden = false;
    all.form.addEventListener("change", ({ target }) => {
      if (target === all) for (const box of boxes) box.checked = all.checked;
      else all.checked = boxes.every((box) => box.checked);
    });
  }

  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const box of document.querySelectorAll(OPEN)) close(box, { back: box.contains(document.activeElement) });
  });

  document.addEventListener("click", (event) => {
    const keep = event.target.closest(".keep");
    for (const box of document.querySelectorAll(OPEN)) {
      if (keep ? box.contains(keep) : !box.contains(event.target)) close(box, { back: Boolean(keep) });
    }
  });
})();
