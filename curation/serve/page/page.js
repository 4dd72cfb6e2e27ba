"use strict";
// The terminal measures its letters once, so it waits for them; then keys go to the review without a click.
const open_terminal = window.onload;
window.onload = async (event) => {
  await Promise.all(["16px", "bold 16px", "italic 16px"].map((font) => document.fonts.load(`${font} "Roboto Mono"`)));
  open_terminal(event);
  document.querySelector(".xterm-helper-textarea").focus();
};
