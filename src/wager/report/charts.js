"use strict";
// Draws every figure from the specification beside it. `ast` makes Vega interpret its expressions instead of compiling them.
for (const holder of document.querySelectorAll("[data-chart]")) {
  const spec = JSON.parse(document.getElementById(holder.dataset.chart).textContent);
  const options = { mode: "vega-lite", renderer: "svg", actions: false, ast: true, defaultStyle: false };
  window.vegaEmbed(holder, spec, options).catch((error) => {
    console.error(error);
    holder.textContent = "This chart cannot be drawn: " + error.message;
  });
}
