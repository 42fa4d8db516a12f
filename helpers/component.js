// What the things to touch share. Python sets STYLE and WORDS before this, and the component's own file behind it.
const SHAPES = "http://www.w3.org/2000/svg";

const make = (tag, properties = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), properties);
  node.append(...children);
  return node;
};

const shape = (tag, attributes = {}, ...children) => {
  const node = document.createElementNS(SHAPES, tag);
  for (const name in attributes) node.setAttribute(name, attributes[name]);
  node.append(...children);
  return node;
};

// say("looks", { token: "car" }) is WORDS.looks with "car" in the place of {token}.
const say = (key, values = {}) => WORDS[key].replace(/\{(\w+)\}/g, (_, name) => values[name]);

const button = (key, onclick) => make("button", { type: "button", onclick }, say(key));

// Not `disabled`, which would throw whoever pressed the button by keyboard out of it.
const allow = (node, allowed) => node.setAttribute("aria-disabled", !allowed);

// A finger can't point without touching, so that whoever has no mouse reads other words.
const hint = (pointing, tapping) => {
  const mouse = matchMedia("(hover: hover)");
  const paragraph = make("p", { className: "hint" });
  const choose = () => (paragraph.textContent = say(mouse.matches ? pointing : tapping));
  mouse.addEventListener("change", choose);
  choose();
  return paragraph;
};

// In JupyterLab the arrow keys would move from cell to cell, and a letter may delete one. With Ctrl or ⌘ keys are its,
// but for those that a text field needs.
const keepKeys = (host) => {
  const keep = (event) => {
    const editing = /text|number/.test(event.composedPath()[0].type) && "acvxyz".includes(event.key.toLowerCase());
    host.toggleAttribute("data-lm-suppress-shortcuts", editing || (!event.ctrlKey && !event.metaKey));
  };
  addEventListener("keydown", keep, { capture: true });
};

const channels = (colour) => {
  const context = make("canvas", { width: 1, height: 1 }).getContext("2d");
  context.fillStyle = colour;
  context.fillRect(0, 0, 1, 1);
  return context.getImageData(0, 0, 1, 1).data;
};

// The editor's theme, and not the system's, says whether it is dark: what lies behind the component tells.
const followTheme = (host) => {
  const follow = () => {
    host.style.colorScheme = "";
    for (let node = host.parentNode; node; node = node.parentNode ?? node.host) {
      if (!(node instanceof Element)) continue;
      const [red, green, blue, opacity] = channels(getComputedStyle(node).backgroundColor);
      if (opacity < 128) continue;
      host.style.colorScheme = 0.3 * red + 0.6 * green + 0.1 * blue < 128 ? "dark" : "light";
      return;
    }
  };
  const later = () => requestAnimationFrame(follow);
  const observer = new MutationObserver(later);
  for (const node of [document.documentElement, document.body]) observer.observe(node, { attributes: true });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", later);
  // A theme's style sheet may come after the attribute that names it.
  document.addEventListener("load", later, { capture: true });
  follow();
};
