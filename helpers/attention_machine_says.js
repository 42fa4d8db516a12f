// The machine's sentences, with the numbers of the moment in them. attention_machine_text.py says the same in a terminal.
// e to a larger power is too long a number to read, and e to a smaller one is 0.00.
const [LOWEST, HIGHEST] = [-2, 12];
// So many terms of a sum are written out.
const LONGEST = 8;

// At most so many digits after the point, and none that say nothing: 2, 2.5, 2.83. Minus is a minus.
const written = (number, digits = 2) => {
  if (number === -Infinity) return "−∞";
  return String(+number.toFixed(digits) || 0).replace("-", "−");
};
const vectorText = (numbers) => {
  const text = numbers.map((number) => written(number)).join(", ");
  return numbers.length === 1 ? text : `(${text})`;
};
const signed = (number) => (number < 0 ? `(${written(number)})` : written(number));
const sumText = (terms) => [...terms.slice(0, LONGEST), ...(terms.length > LONGEST ? [say("elided")] : [])].join(" + ");
const percent = (number) => number.toFixed(2);

// "E" alone doesn't say which E.
const called = (tokens, i) =>
  tokens.indexOf(tokens[i]) === tokens.lastIndexOf(tokens[i]) ? tokens[i] : say("place", { word: tokens[i], place: i + 1 });

// What is said of each step; those that take a word `i` show by its numbers how they all come about.
const narrator = (machine) => {
  const name = (i) => called(machine.tokens, i);
  const listed = (numbers, number = written) =>
    numbers.map((each, i) => say("pair", { word: name(i), number: number(each) })).join(say("comma"));
  return {
    query: () => say("tell_query", { word: name(machine.query), query: vectorText(machine.queries[machine.query]) }),
    score: (i) => {
      const { raw } = machine.now;
      const additive = machine.terms === "additive";
      const term = (a, b) => (additive ? `tanh(${written(a)} + ${signed(b)})` : `${signed(a)}·${signed(b)}`);
      const pairs = machine.queries[machine.query].map((each, c) => term(each, machine.keys[i][c]));
      return say(additive ? "tell_additive" : "tell_score", { word: name(i), products: sumText(pairs), score: written(raw[i]), scores: listed(raw) });
    },
    scale: () => {
      const d = machine.keys[0].length;
      return say(`tell_scale_${machine.scale}`, { d, divisor: written(machine.divisor), scores: listed(machine.now.scores) });
    },
    mask: () => {
      const names = machine.tokens.map((_, i) => name(i)).filter((_, i) => machine.hidden[i]);
      return say(names.length ? "tell_mask" : "tell_mask_none", { hidden: names.join(say("comma")), scores: listed(machine.now.masked) });
    },
    temperature: () => {
      const places = { temperature: written(machine.temperature), scores: listed(machine.now.cooled) };
      return say(machine.temperature === 1 ? "tell_temperature_one" : "tell_temperature", places);
    },
    weight: (i) => {
      const { cooled, weights } = machine.now;
      if (machine.hidden.every(Boolean)) return say("tell_weight_none");
      const largest = Math.max(...cooled);
      const shift = largest < LOWEST || largest > HIGHEST ? largest : 0;
      const powers = cooled.map((score) => Math.exp(score - shift));
      return say(shift ? "tell_weight_shifted" : "tell_weight", {
        largest: written(largest),
        powers: listed(powers, percent),
        total: percent(total(powers)),
        word: name(i),
        power: percent(powers[i]),
        weight: percent(weights[i]),
        weights: listed(weights, percent),
      });
    },
    output: () => {
      const { weights, output } = machine.now;
      const terms = machine.values.map((value, i) => `${percent(weights[i])}·${vectorText(value)}`);
      return say("tell_output", { sum: sumText(terms), output: vectorText(output) });
    },
  };
};

// What a machine may have beside the steps, by name; the files after this one add theirs.
const PANELS = {};

// A choice of one among few, as buttons in a row: arrow keys go from one to the next.
const chooser = (name, label, options, onchoose) => {
  const inputs = options.map((_, index) => make("input", { type: "radio", name, onchange: () => onchoose(index) }));
  const labels = options.map((content, index) => make("label", {}, inputs[index], make("span", {}, content)));
  const fieldset = make("fieldset", { className: name }, make("legend", {}, label), make("div", {}, ...labels));
  return { fieldset, inputs };
};

// A table: its caption, the names of its columns, and its rows, each with a name. A cell may have a bar or a tint.
const grid = (caption, head, rows) => {
  const cell = (content) => {
    if (typeof content === "string") return make("td", {}, content);
    const node = make("td", { className: content.tint < 0 ? "negative" : "positive" }, content.text);
    if ("bar" in content) node.style.setProperty("--bar", content.bar);
    else node.style.setProperty("--tint", Math.abs(content.tint));
    return node;
  };
  const top = make("tr", {}, ...head.map((name) => make("th", { scope: "col" }, name)));
  const body = rows.map(([name, ...cells]) => make("tr", {}, make("th", { scope: "row" }, name), ...cells.map(cell)));
  return make("table", {}, make("caption", {}, caption), make("thead", {}, top), make("tbody", {}, ...body));
};
