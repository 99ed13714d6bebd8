"use strict";
document.documentElement.classList.add("js");

// A button turns the tiles of its figure; its text says what the reader sees now.
for (const button of document.querySelectorAll("[data-flip]")) {
  const figure = button.closest("figure");
  const tiles = figure.querySelector(".turning");
  const state = figure.querySelector("output");
  button.addEventListener("click", () => {
    const turned = tiles.classList.toggle("turned");
    button.setAttribute("aria-pressed", String(turned));
    state.textContent = turned ? state.dataset.turned : state.dataset.upright;
  });
}

// A slider takes the tiles of its figure away: at distance d they look 1 / d as large.
for (const slider of document.querySelectorAll("[data-distance]")) {
  const figure = slider.closest("figure");
  const state = figure.querySelector("output");
  const show = () => {
    const distance = Number(slider.value);
    figure.querySelector(".distance").style.setProperty("--near", String(1 / distance));
    state.textContent = `${distance.toFixed(1)} × as far`;
  };
  slider.addEventListener("input", show);
  show();
}

// Puts the command beside the button on the clipboard; where that is refused, selects it.
for (const button of document.querySelectorAll("[data-copy]")) {
  const code = button.parentElement.querySelector("code");
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(code.textContent);
      button.textContent = "Copied";
    } catch {
      window.getSelection().selectAllChildren(code);
      button.textContent = "Selected";
    }
    setTimeout(() => { button.textContent = "Copy"; }, 2000);
  });
}

// On a narrow screen the contents start closed.
const contents = document.querySelector(".toc details");
if (contents && window.matchMedia("(max-width: 68rem)").matches) contents.open = false;
