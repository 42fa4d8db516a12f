"""The attention machine in words: what it computes, step by step, in the sentences that the page says too."""

import math
from collections.abc import Callable
from dataclasses import dataclass

LOWEST, HIGHEST = -2, 12  # e to a larger power is too long a number to read, and e to a smaller one is 0.00
LONGEST = 8  # so many terms of a sum are written out


@dataclass(frozen=True)
class Machine:
    """What a machine is given. Queries, keys and values have a row for each token; T is 1."""

    tokens: list[str]
    queries: list[list[float]]
    keys: list[list[float]]
    values: list[list[float]]
    parts: list[str]
    panels: list[str]
    scale: str
    query: int
    hidden: list[int]
    axes: list[str]
    value_axes: list[str]

    @property
    def raw(self) -> list[float]:
        """q·k for each key."""
        return [sum(map(float.__mul__, self.queries[self.query], key)) for key in self.keys]

    @property
    def divisor(self) -> float:
        """What q·k is divided by."""
        d = len(self.keys[0])
        return {"none": 1.0, "root": math.sqrt(d), "width": float(d)}[self.scale]

    @property
    def scores(self) -> list[float]:
        """The scores, scaled."""
        return [score / self.divisor for score in self.raw]

    @property
    def masked(self) -> list[float]:
        """The scores, −∞ where a token is hidden."""
        return [-math.inf if i in self.hidden else score for i, score in enumerate(self.scores)]

    @property
    def weights(self) -> list[float]:
        """The softmax; all zeros if every token is hidden, as in `helpers.attention`."""
        return softmax(self.masked)

    @property
    def shares(self) -> list[list[float]]:
        """Each value times its weight."""
        return [[weight * number for number in value] for weight, value in zip(self.weights, self.values, strict=True)]

    @property
    def output(self) -> list[float]:
        """The sum of the shares."""
        return [sum(column) for column in zip(*self.shares, strict=True)]


def steps_of(machine: Machine) -> list[str]:
    """The steps that the machine goes through, in order."""
    return ["query", "score", *machine.parts, "weight", "output"]


def tell(machine: Machine, step: str, words: dict[str, str]) -> str:
    """The sentence of a step; where one word stands for all, it is the one with the highest score of those seen."""
    seen = [i for i in range(len(machine.tokens)) if i not in machine.hidden] or list(range(len(machine.tokens)))
    best = max(seen, key=machine.raw.__getitem__)
    names = [called(machine.tokens, i, words) for i in range(len(machine.tokens))]

    def listed(numbers: list[float], number: Callable[[float], str] = written) -> str:
        pairs = zip(names, numbers, strict=True)
        return words["comma"].join(words["pair"].format(word=name, number=number(each)) for name, each in pairs)

    query = machine.queries[machine.query]
    if step == "query":
        return words["tell_query"].format(word=names[machine.query], query=vector_text(query))
    if step == "score":
        pairs = [f"{_signed(q)}·{_signed(k)}" for q, k in zip(query, machine.keys[best], strict=True)]
        return words["tell_score"].format(
            word=names[best],
            products=_sum_text(pairs, words),
            score=written(machine.raw[best]),
            scores=listed(machine.raw),
        )
    if step == "scale":
        return words[f"tell_scale_{machine.scale}"].format(
            d=len(query), divisor=written(machine.divisor), scores=listed(machine.scores)
        )
    if step == "mask":
        hidden = words["comma"].join(names[i] for i in sorted(machine.hidden))
        return words["tell_mask" if hidden else "tell_mask_none"].format(hidden=hidden, scores=listed(machine.masked))
    if step == "temperature":
        return words["tell_temperature_one"]
    if step == "weight":
        largest = max(machine.masked)
        if largest == -math.inf:
            return words["tell_weight_none"]
        shift = 0.0 if LOWEST <= largest <= HIGHEST else largest
        powers = [math.exp(score - shift) for score in machine.masked]
        return words["tell_weight_shifted" if shift else "tell_weight"].format(
            largest=written(largest),
            powers=listed(powers, two_digits),
            total=two_digits(sum(powers)),
            word=names[best],
            power=two_digits(powers[best]),
            weight=two_digits(machine.weights[best]),
            weights=listed(machine.weights, two_digits),
        )
    terms = [
        f"{two_digits(weight)}·{vector_text(value)}"
        for weight, value in zip(machine.weights, machine.values, strict=True)
    ]
    return words["tell_output"].format(sum=_sum_text(terms, words), output=vector_text(machine.output))


def softmax(scores: list[float]) -> list[float]:
    """The weights of these scores; all zeros if all are −∞."""
    largest = max(scores)
    if largest == -math.inf:
        return [0.0] * len(scores)
    powers = [math.exp(score - largest) for score in scores]
    return [power / sum(powers) for power in powers]


def called(tokens: list[str], i: int, words: dict[str, str]) -> str:
    """A token's name: "E" alone doesn't say which E."""
    return words["place"].format(word=tokens[i], place=i + 1) if tokens.count(tokens[i]) > 1 else tokens[i]


def written(number: float) -> str:
    """At most two digits after the point, and none that say nothing: 2, 2.5, 2.83. Minus is a minus."""
    if number == -math.inf:
        return "−∞"
    text = f"{number:.2f}".rstrip("0").rstrip(".")
    return "0" if text == "-0" else text.replace("-", "−")


def two_digits(number: float) -> str:
    """A weight: 0.61."""
    return f"{number:.2f}"


def vector_text(numbers: list[float]) -> str:
    """A vector as it is written by hand: (0, 2, 1, 0), and a single number without brackets."""
    text = ", ".join(map(written, numbers))
    return text if len(numbers) == 1 else f"({text})"


def _signed(number: float) -> str:
    return f"({written(number)})" if number < 0 else written(number)


def _sum_text(terms: list[str], words: dict[str, str]) -> str:
    return " + ".join([*terms[:LONGEST], *[words["elided"]] * (len(terms) > LONGEST)])
