// Kinds of score (notebook 03): a choice among three, query and key as arrows with the angle between them, and tanh.
PANELS.kinds = (machine, changed) => {
  const [WIDTH, HEIGHT, MARGIN] = [300, 200, 34];
  const kinds = { dot: ["dot", "none"], scaled: ["dot", "root"], additive: ["additive", "none"] };
  const order = Object.keys(kinds);
  const current = () => order.findIndex((kind) => kinds[kind][0] === machine.terms && kinds[kind][1] === machine.scale);
  const choice = chooser("kinds", say("kinds"), order.map((kind) => say(`kind_${kind}`)), (index) => {
    [machine.terms, machine.scale] = kinds[order[index]];
    changed();
  });
  const picture = shape("svg", { class: "plot arrows", viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img" });
  const says = make("p");
  const table = make("div", { className: "scrolls", tabIndex: 0, role: "group", ariaLabel: say("kinds") });

  const text = (words, x, y, anchor = "middle", kind = "name") => shape("text", { class: kind, x, y, "text-anchor": anchor }, words);

  // All keys in one plane: each has its own angle to the query, and the query lies along the axis.
  const arrows = (q, word) => {
    const around = machine.keys.map((k) => ({ length: norm(k), turn: (angle(q, k) * Math.PI) / 180 }));
    const longest = Math.max(norm(q), ...around.map((each) => each.length)) || 1;
    const blunt = around.some((each) => each.turn > Math.PI / 2);
    const room = Math.min(HEIGHT - 2 * MARGIN, (WIDTH - 2 * MARGIN) / (blunt ? 2 : 1)) / longest;
    const [x0, y0] = [blunt ? WIDTH / 2 : 2 * MARGIN, HEIGHT - MARGIN];
    const tip = (length, turn) => [x0 + room * length * Math.cos(turn), y0 - room * length * Math.sin(turn)];
    const arrow = (kind, length, turn) => {
      const [x, y] = tip(length, turn);
      const barb = (by) => `${x - 9 * Math.cos(turn + by)} ${y + 9 * Math.sin(turn + by)}`;
      return shape("path", { class: `arrow ${kind}`, d: `M${x0} ${y0}L${x} ${y}M${barb(0.45)}L${x} ${y}L${barb(-0.45)}` });
    };
    const { length, turn } = around[word];
    if (length && norm(q)) {
      const [x, y] = [x0 + 30 * Math.cos(turn), y0 - 30 * Math.sin(turn)];
      picture.append(shape("path", { class: "angle", d: `M${x0 + 30} ${y0}A30 30 0 0 0 ${x} ${y}` }));
      picture.append(text(`${Math.round(angle(q, machine.keys[word]))}°`, x0 + 44 * Math.cos(turn / 2), y0 - 44 * Math.sin(turn / 2) + 4));
    }
    // Words whose keys have one tip share a name tag.
    const at = new Map();
    around.forEach((each, i) => {
      if (!each.length || !norm(q)) return;
      picture.append(arrow(i === word ? "key chosen" : "key", each.length, each.turn));
      const [x, y] = tip(each.length, each.turn).map(Math.round);
      at.set(`${x} ${y}`, { x, y, turn: each.turn, words: [...(at.get(`${x} ${y}`)?.words ?? []), machine.tokens[i]] });
    });
    if (norm(q)) picture.append(arrow("query", norm(q), 0), text(say("query"), tip(norm(q), 0)[0] + 4, y0 + 18, "end", "name point"));
    for (const { x, y, turn, words } of at.values()) picture.append(text([...new Set(words)].join(say("comma")), x + 8 * Math.cos(turn), y - 8, turn > 1.4 ? "middle" : "start"));
    const lengths = { word: called(machine.tokens, word), query: written(norm(q)), key: written(length), angle: written((turn * 180) / Math.PI, 0), product: written(norm(q) * length * Math.cos(turn)) };
    return say(length && norm(q) ? "arrows_say" : "arrows_none", lengths);
  };

  // Where the sums of query and key lie on tanh.
  const curve = (q, word) => {
    const sums = q.map((each, c) => each + machine.keys[word][c]);
    const reach = Math.max(3, ...sums.map(Math.abs)) * 1.1;
    const at = (x) => [WIDTH / 2 + (x / reach) * (WIDTH / 2 - 8), HEIGHT / 2 - Math.tanh(x) * (HEIGHT / 2 - MARGIN)];
    const points = Array.from({ length: 121 }, (_, i) => at(((i - 60) / 60) * reach));
    picture.append(
      shape("line", { class: "axis", x1: 8, y1: HEIGHT / 2, x2: WIDTH - 8, y2: HEIGHT / 2 }),
      shape("line", { class: "axis", x1: WIDTH / 2, y1: 8, x2: WIDTH / 2, y2: HEIGHT - 8 }),
      shape("polyline", { class: "curve", points: points.join(" ") }),
      text("tanh", WIDTH / 2 + 6, 16, "start", "axis-name"),
    );
    const tags = new Map();
    sums.forEach((each, c) => tags.set(each, [...(tags.get(each) ?? []), machine.axes[c] ?? c + 1]));
    for (const [sum, axes] of tags) {
      const [x, y] = at(sum);
      const left = sum < 0 || x > WIDTH - 70;
      picture.append(shape("circle", { class: "point", cx: x, cy: y, r: 5 }));
      picture.append(text(axes.join(say("comma")), x + (left ? -6 : 6), y + (sum < 0 ? -8 : 18), left ? "end" : "start", "axis-name"));
    }
    return say("curve_says", { word: called(machine.tokens, word), sums: vectorText(sums), tanhs: vectorText(sums.map(Math.tanh)) });
  };

  const draw = (word) => {
    const q = machine.queries[machine.query];
    choice.inputs[current()].checked = true;
    picture.replaceChildren();
    const sentence = (machine.terms === "dot" ? arrows : curve)(q, word);
    says.textContent = sentence;
    picture.setAttribute("aria-label", sentence);
    const rows = machine.keys.map((k, i) => {
      const turn = angle(q, k);
      const dot = total(products(q, k));
      const numbers = [dot, dot / Math.sqrt(q.length), total(TERMS.additive(q, k))].map((each) => written(each));
      return [called(machine.tokens, i), ...numbers, Number.isNaN(turn) ? say("no_angle") : `${written(turn, 0)}°`];
    });
    const head = [say("word"), ...order.map((kind) => say(`kind_${kind}`)), say("angle")];
    table.replaceChildren(grid(say("kinds_caption", { word: called(machine.tokens, machine.query) }), head, rows));
  };
  return { node: make("div", { className: "panel pair" }, make("div", {}, picture, says), table), draw, control: choice.fieldset };
};
