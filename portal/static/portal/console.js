// "/" or Ctrl+K (Command+K) lead to the search in the console's header, from wherever nothing is typed.
(() => {
  "use strict";

  const field = document.getElementById("console-find");
  const types = (element) => element.isContentEditable || /^(INPUT|TEXTAREA|SELECT)$/.test(element.tagName);

  document.addEventListener("keydown", (event) => {
    const slash = event.key === "/" && !event.ctrlKey && !event.metaKey && !event.altKey && !types(event.target);
    const letter = event.key.toLowerCase() === "k" && (event.ctrlKey || event.metaKey) && !event.altKey;
    if (field && (slash || letter)) {
      event.preventDefault();
      field.focus();
      field.select();
    }
  });
})();
