// Errata are folded on a screen, not on paper; the page begins.

addEventListener("beforeprint", () => {
  for (const note of document.querySelectorAll("details.erratum")) note.open = true;
});

window.netdraft = new App(JSON.parse(byId("program").textContent));
