// Tables beside the machine, live: kinds of mask side by side, two heads, and the softmax's gradient. Each panel is
// made for a machine, and has a node to show and a function that brings it up to date.
const barred = (weights) => weights.map((weight) => ({ text: percent(weight), bar: weight }));
const names = (machine) => machine.tokens.map((_, i) => called(machine.tokens, i));

const panel = (content) => {
  // Not in the table, which may be narrower than a sentence, or wider than a phone.
  const caption = make("p");
  const scrolls = make("div", { className: "scrolls", tabIndex: 0, role: "group" });
  const draw = () => {
    const table = grid(...content());
    scrolls.ariaLabel = caption.textContent = table.caption.textContent;
    table.deleteCaption();
    scrolls.replaceChildren(table);
  };
  return { node: make("div", { className: "panel" }, caption, scrolls), draw };
};

PANELS.strategies = (machine) => {
  const ways = ["none", "zero", "after", "before"];
  const content = () => {
    const { scores } = machine.now;
    const rows = ways.map((way) => {
      const weights = STRATEGIES[way](scores.map((score) => score / machine.temperature), machine.hidden);
      machine.others[way] = { name: say(`strategy_${way}`), output: average(weights, machine.values) };
      return [say(`strategy_${way}`), ...barred(weights), percent(total(weights)), vectorText(machine.others[way].output)];
    });
    return [say("strategies_caption"), [say("strategy"), ...names(machine), say("row_sum"), say("output")], rows];
  };
  return panel(content);
};

PANELS.heads = (machine) => {
  const content = () => {
    const q = machine.queries[machine.query];
    const head = (h, count) => {
      const [keys, values] = [machine.keys, machine.values].map((all) => all.map((each) => cut(each, h, count)));
      const divisor = machine.scale === "none" ? 1 : machine.scale === "root" ? Math.sqrt(q.length / count) : q.length / count;
      return attend(cut(q, h, count), keys, values, { ...machine, divisor });
    };
    const one = head(0, 1);
    const two = [head(0, 2), head(1, 2)];
    const row = (name, { weights, output }) => [name, ...barred(weights), vectorText(output)];
    const joined = two.flatMap((each) => each.output);
    machine.others.heads = { name: say("heads_together"), output: joined };
    const rows = [row(say("one_head"), one), ...two.map((each, h) => row(say("head", { number: h + 1 }), each))];
    return [say("heads_caption", { one: vectorText(one.output), two: vectorText(joined) }), [say("heads"), ...names(machine), say("output")], rows];
  };
  return panel(content);
};

PANELS.gradient = (machine) => {
  const content = () => {
    const matrix = jacobian(machine.now.weights);
    const places = { norm: norm(matrix.flat()).toFixed(3) };
    const rows = matrix.map((row, i) => [names(machine)[i], ...row.map((each) => ({ text: written(each), tint: each }))]);
    return [say("gradient_caption", places), [say("gradient"), ...names(machine)], rows];
  };
  return panel(content);
};
