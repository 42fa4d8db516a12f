// A picture is enlarged by a click, Enter or a tap, and Escape or another click puts it away. Without this script it is a
// link to its file.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const dialog = document.createElement("dialog");
  dialog.className = "enlarged";
  dialog.setAttribute("aria-label", "A picture, enlarged");
  const large = document.createElement("img");
  const close = document.createElement("button");
  close.type = "button";
  close.textContent = "Close";
  dialog.append(close, large);
  dialog.addEventListener("click", () => dialog.close()); // Escape is the dialog's own

  for (const picture of document.querySelectorAll(".cell_output img, .mistake img")) {
    const button = document.createElement("button");
    button.type = "button";
    button.className = "enlarge";
    button.title = "Enlarge";
    (picture.closest("a.image-reference") ?? picture).replaceWith(button); // Sphinx links it to its file
    button.append(picture);
    button.addEventListener("click", async () => {
      large.src = picture.src;
      large.alt = picture.alt;
      await large.decode(); // its size isn't known before it has arrived
      // As large as the window and what is drawn allow. On a phone it is still enlarged, and scrolls.
      const { naturalWidth, naturalHeight } = large;
      const fits = Math.min(0.92 * innerWidth, (0.8 * innerHeight * naturalWidth) / naturalHeight);
      large.style.width = `${Math.min(naturalWidth, Math.max(fits, 1.25 * picture.width))}px`;
      dialog.showModal();
    });
  }
  if (document.querySelector("button.enlarge")) document.body.append(dialog);
});
