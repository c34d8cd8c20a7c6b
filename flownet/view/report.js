"use strict";
// Draws each figure from the numbers beside it; a viewBox lets the picture shrink on paper.
for (const box of document.querySelectorAll("[data-figure]")) {
  const figure = JSON.parse(document.getElementById(box.dataset.figure).textContent);
  const fit = () => {
    for (const svg of box.querySelectorAll("svg.main-svg")) {
      const [wide, high] = [svg.getAttribute("width"), svg.getAttribute("height")];
      svg.setAttribute("viewBox", `0 0 ${wide} ${high}`);
      box.style.setProperty("--shape", `${wide} / ${high}`);
      svg.setAttribute("aria-hidden", "true");
    }
  };
  const options = { responsive: true, displayModeBar: false, doubleClick: false };
  Plotly.newPlot(box, figure.data, figure.layout, options).then(() => {
    fit();
    box.on("plotly_afterplot", fit);
    box.classList.add("drawn");
  });
}
