"""All the words that the attention machine says. `{…}` is filled in; another language is another such table."""

WORDS = {
    # in the table, which every reader gets
    "word": "word",
    "query": "q",
    "key": "key k",
    "score": "q·k",
    "additive": "tanh",
    "scale_root": "÷ √d",
    "scale_width": "÷ d",
    "scale_none": "÷ 1",
    "mask": "mask",
    "temperature": "÷ T",
    "weight": "softmax α",
    "value": "value v",
    "share": "α · v",
    "table_caption": "{word} asks: q = {query}; output {output}",
    "run_cell": "Run this cell in JupyterLab, and you can change every number.",
    # parts of sentences
    "comma": ", ",
    "pair": "{word} {number}",
    "place": "{word} (place {place})",
    "elided": "…",
    "text": "attention machine: {caption}",
    # around the grid
    "asks": "Who asks? (query)",
    "output": "output",
    "output_here": "output:",
    "divided": "÷ {number}",
    "sum": "sum {number}",
    "number": "number {place}",
    "query_number": "query of {word}, {axis}",
    "key_number": "key of {word}, {axis}",
    "value_number": "value of {word}, {axis}",
    "show_score": "q·k with {word}: {number}. Show the products.",
    "show_additive": "score with {word}: {number}. Show its terms.",
    "show_weight": "weight of {word}: {number}. Show where it comes from.",
    "hide": "hide {word}",
    "seen": "✓",
    "divide_by": "divide by",
    "by_none": "1",
    "by_root": "√d",
    "by_width": "d",
    "temperature_name": "temperature T = {number}",
    "back": "‹ Back",
    "play": "▶ Play",
    "pause": "❚❚ Pause",
    "next": "Next ›",
    "hint": "Change any number: type, use the arrow keys, or drag it sideways. Point at a score to see its products. ",
    "hint_touch": "Tap a number to change it, or drag it sideways. Tap a score to see its products. ",
    "hint_mask": "Press ✓ to hide a word.",
    "table": "All numbers as a table",
    "table_name": "table of numbers",
    "plot": "The values as points. The output, {output}, lies inside the polygon around them.",
    "counted": "Step {step} of {steps}: ",
    # each step in a sentence
    "tell_query": "{word} asks, with its query q = {query}. Every word answers with its key.",
    "tell_score": "Multiply query and key pair by pair, and add up. For {word}: {products} = {score}. All scores: "
    "{scores}.",
    "tell_scale_root": "Divide by √d, the root of how many numbers a query has: √{d} = {divisor}. Now the scores are "
    "{scores}.",
    "tell_scale_width": "Divide by d, how many numbers a query has: {d}. Now the scores are {scores}.",
    "tell_scale_none": "Divide by 1: the scores stay as they are.",
    "tell_mask": "Mask: {hidden} can't be looked at, so −∞ goes in place of its score: {scores}.",
    "tell_mask_none": "Mask: no word is hidden, so the scores stay as they are.",
    "tell_temperature": "Divide by the temperature, T = {temperature}: {scores}.",
    "tell_temperature_one": "Divide by the temperature: T = 1 changes nothing.",
    "tell_weight": "Softmax: e to the power of each score gives {powers}; together {total}. For {word}: {power} / "
    "{total} = {weight}. The weights: {weights}.",
    "tell_weight_shifted": "Softmax: only differences count, so take the largest score, {largest}, away from all. Then "
    "e to the power of each gives {powers}; together {total}. For {word}: {power} / {total} = {weight}. "
    "The weights: {weights}.",
    "tell_weight_none": "Every word is hidden: there is no weight to give, and all weights are 0.",
    "tell_output": "Each value times its weight, added up: {sum} = {output}. That is the output.",
    "tell_additive": "Add query and key pair by pair, take tanh of each sum, and add up. For {word}: {products} = "
    "{score}. All scores: {scores}.",
    # kinds of mask
    "strategy": "mask",
    "strategy_none": "no mask",
    "strategy_zero": "zero fill",
    "strategy_after": "mask after",
    "strategy_before": "mask before",
    "row_sum": "sum",
    "strategies_caption": "The weights with four kinds of mask: none, a score of 0 for hidden words, a weight of 0 for "
    "them after the softmax, a score of −∞ before it.",
    # width and scale
    "width": "d",
    "width_name": "numbers in a query: d = {d}",
    "width_says": "256 random queries of d = {d} numbers meet 8 random keys. Their products spread by {products} "
    "(standard deviation); divided ({scale}), by {spread}. For a typical query, the largest of 8 "
    "weights is {largest}, and the softmax's gradient has a norm of {gradient}.",
    "width_table": "All widths as a table",
    "width_table_caption": "Random queries and keys, scores {scale}",
    "width_caption": "How far the scores of random queries and keys spread (standard deviation, in theory)",
    "spread": "spread of the scores",
    "largest": "largest weight, typical",
    "gradient_norm": "norm of the gradient, typical",
    "histogram": "how often each score",
    "eight_weights": "weights for one query",
    "gradients": "norm of the softmax's gradient",
    # the softmax's gradient
    "gradient": "weight ↓ score →",
    "gradient_caption": "The softmax's gradient: how much each weight changes as each score grows. Norm of the whole: "
    "{norm}.",
    # kinds of score
    "kinds": "kind of score",
    "kind_dot": "dot product",
    "kind_scaled": "scaled dot product",
    "kind_additive": "additive",
    "angle": "angle to q",
    "no_angle": "none",
    "kinds_caption": "Three kinds of score for the query of {word}. (The matrices of the additive score are the "
    "identity here, and its last weights are 1.)",
    "arrows_say": "q and the key of {word} as arrows: {query} long and {key} long, at an angle of {angle}°. "
    "{query} · {key} · cos {angle}° = {product}, which is q·k.",
    "arrows_none": "The query or the key of {word} is zero: a vector without a direction.",
    "curve_says": "Query and key of {word} add up to {sums}. tanh makes {tanhs} of that, and their sum is the score.",
    # two heads
    "heads": "heads",
    "one_head": "one head",
    "head": "head {number}",
    "heads_together": "two heads",
    "heads_caption": "One head brings {one}. Two heads, each with half of the numbers and a softmax of its own, bring "
    "{two}.",
}
