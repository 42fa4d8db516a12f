// Pictures of what a component shows, to save: only those that offer it carry this file.
const download = (blob, name) => {
  const link = make("a", { href: URL.createObjectURL(blob), download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
};

// The words of a text in lines that are at most so wide.
const wrap = (text, width, font) => {
  const context = make("canvas").getContext("2d");
  context.font = font;
  const lines = [""];
  for (const word of text.split(" ")) {
    const longer = `${lines.at(-1)} ${word}`.trim();
    if (context.measureText(longer).width <= width) lines[lines.length - 1] = longer;
    else lines.push(word);
  }
  return lines;
};

// A picture that stands on its own of what a part of the page shows: its boxes and words where they stand, its lines,
// and sentences below.
const snapshot = (stage, sentences) => {
  const MARGIN = 16, LINE = 21;
  const frame = stage.getBoundingClientRect();
  const shown = [...stage.querySelectorAll(".drawn")].filter((node) => node.getBoundingClientRect().width);
  const right = Math.max(...shown.map((node) => node.getBoundingClientRect().right));
  const width = Math.ceil(Math.max(right - frame.left, 420));
  const { color, fontFamily } = getComputedStyle(stage);
  const surface = getComputedStyle(stage.closest("figure")).backgroundColor;
  const group = shape("g", { transform: `translate(${MARGIN} ${MARGIN})` });
  for (const lines of stage.querySelectorAll("svg.lines")) {
    const copy = lines.cloneNode(true);
    const [before, after] = [lines, copy].map((each) => each.querySelectorAll("path, stop"));
    before.forEach((node, index) => {
      const { stroke, stopColor, strokeDasharray, strokeLinecap } = getComputedStyle(node);
      if (node.tagName === "stop") after[index].setAttribute("stop-color", stopColor);
      else for (const [name, value] of Object.entries({ stroke, "stroke-dasharray": strokeDasharray, "stroke-linecap": strokeLinecap, fill: "none" })) after[index].setAttribute(name, value);
    });
    group.append(...copy.childNodes);
  }
  const write = (text, x, y, style, anchor = "middle") =>
    shape("text", {
      x, y: y + 0.35 * parseFloat(style.fontSize), fill: style.color, "font-size": style.fontSize, "font-weight": style.fontWeight,
      "font-family": style.fontFamily, "text-anchor": anchor, "text-decoration": style.textDecorationLine,
    }, text);
  for (const node of shown) {
    const box = node.getBoundingClientRect(), style = getComputedStyle(node);
    const [x, y] = [box.left - frame.left, box.top - frame.top];
    if (parseFloat(style.borderTopWidth))
      group.append(
        shape("rect", {
          x: x + 1, y: y + 1, width: box.width - 2, height: box.height - 2, rx: style.borderTopLeftRadius, fill: style.backgroundColor,
          stroke: style.borderTopColor, "stroke-width": 2, "stroke-dasharray": style.borderTopStyle === "dashed" ? "6 4" : "none",
        }),
      );
    const middle = style.textAlign === "center";
    group.append(write(node.textContent, middle ? x + box.width / 2 : x, y + box.height / 2, style, middle ? "middle" : "start"));
  }
  let bottom = frame.height + 12;
  const plain = { color, fontFamily, fontSize: "15px", fontWeight: 400, textDecorationLine: "none" };
  for (const sentence of sentences)
    for (const line of wrap(sentence, width, `15px ${fontFamily}`)) group.append(write(line, 0, (bottom += LINE), plain, "start"));
  const size = { width: width + 2 * MARGIN, height: Math.ceil(bottom + 2 * MARGIN) };
  return shape("svg", { xmlns: SHAPES, ...size, viewBox: `0 0 ${size.width} ${size.height}` }, shape("rect", { ...size, fill: surface }), group);
};

const saveSvg = (picture, name) => download(new Blob([new XMLSerializer().serializeToString(picture)], { type: "image/svg+xml" }), name);

const savePng = (picture, name) => {
  const SCALE = 2;
  const image = make("img", { src: `data:image/svg+xml,${encodeURIComponent(new XMLSerializer().serializeToString(picture))}` });
  image.onload = () => {
    const canvas = make("canvas", { width: SCALE * image.width, height: SCALE * image.height });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => download(blob, name));
  };
};
