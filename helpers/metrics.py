"""How good an output is."""

from collections.abc import Hashable, Sequence
from collections.abc import Set as AbstractSet
from typing import Literal

from jaxtyping import Float, Int
from torch import Tensor

from helpers.attention import length_mask


def exact_match(
    predicted: Int[Tensor, "batch length"],
    target: Int[Tensor, "batch length"],
    valid_lens: Int[Tensor, "batch"] | None = None,
) -> float:
    """The share of sequences, 0 to 1, that are right in every position.

    With `valid_lens` only the first positions of each sequence count, as many as its length says.

    Raises:
        ValueError: if the two differ in shape, are not `(batch, length)`, or hold no sequence; or if `valid_lens`
            isn't one length in 0..length for each sequence.
    """
    if predicted.shape != target.shape:
        raise ValueError(
            f"predicted and target must have the same shape, not {tuple(predicted.shape)} and {tuple(target.shape)}"
        )
    if predicted.dim() != 2 or predicted.numel() == 0:
        raise ValueError(
            f"predicted and target must have shape (batch, length), neither of them 0, not {tuple(predicted.shape)}"
        )
    right = predicted == target  # (batch, length)
    if valid_lens is not None:
        if valid_lens.shape != (len(target),):
            raise ValueError(
                f"valid_lens must have shape ({len(target)},), one length a sequence, not {tuple(valid_lens.shape)}"
            )
        right = right | ~length_mask(valid_lens, target.shape[1])
    return right.all(dim=1).sum().item() / len(target)


def bleu(
    hypotheses: Sequence[str],
    references: Sequence[Sequence[str]],
    tokenize: Literal["13a", "zh", "none"] = "13a",
    lowercase: bool = False,
) -> float:
    """Corpus BLEU, 0 to 100: how many runs of one to four tokens of the hypotheses are in a reference, for the whole
    set in one, and less if the hypotheses are too short.

    Every hypothesis has one reference or more. sacreBLEU splits both into tokens: "13a" is for languages with spaces
    between the words, "zh" makes a token of every Chinese character, "none" takes what is between spaces. With
    `lowercase` capitals don't count.

    Raises:
        ValueError: if either is a single string or empty, the two differ in number, or a hypothesis has no reference.
    Source: Papineni et al. (2002); Post (2018) for why to leave splitting into tokens to sacreBLEU.
    """
    if isinstance(hypotheses, str) or len(hypotheses) == 0 or len(hypotheses) != len(references):
        raise ValueError(
            "hypotheses and references must be as many strings and as many lists of strings, at least one, not "
            f"{len(hypotheses)} and {len(references)}" + (" (a single string)" if isinstance(hypotheses, str) else "")
        )
    for number, each in enumerate(references):
        if isinstance(each, str) or len(each) == 0:
            raise ValueError(f"references[{number}] must be a list of at least one string, not {each!r}")
    from sacrebleu.metrics import BLEU  # labs that count exact matches alone do without it

    # sacreBLEU wants a list of all first references, one of all second ones, and so on, with None where there is none.
    most = max(map(len, references))
    columns = [[each[i] if i < len(each) else None for each in references] for i in range(most)]
    # force: it would warn of text that looks as if it were split into tokens already.
    bleu = BLEU(tokenize=tokenize, lowercase=lowercase, force=True)
    return bleu.corpus_score(hypotheses, columns).score  # type: ignore[arg-type]  # its signature forgets the None


def hard_alignment(weights: Float[Tensor, "target source"], threshold: float | None = None) -> set[tuple[int, int]]:
    """The links (target, source) that attention weights stand for, both counted from 0.

    Without `threshold` each target token is linked with the source token of its largest weight, the first of equals.
    With `threshold`, 0 to 1, every link whose weight is at least that is made: none, one or several for a token.

    Raises:
        ValueError: if `weights` isn't `(target, source)` with at least one source token, or `threshold` is not in 0..1.
    """
    if weights.dim() != 2 or weights.shape[1] == 0:
        raise ValueError(
            f"weights must have shape (target, source) with at least one source token, not {tuple(weights.shape)}"
        )
    if threshold is None:
        # max and argmax don't promise to return the first of equals
        best = weights == weights.amax(dim=1, keepdim=True)  # (target, source)
        return set(enumerate(best.int().argmax(dim=1).tolist()))
    if not 0 <= threshold <= 1:
        raise ValueError(f"threshold must lie in 0..1, not {threshold}")
    return {(target, source) for target, source in (weights >= threshold).nonzero().tolist()}


def alignment_error_rate(
    predicted: AbstractSet[Hashable], sure: AbstractSet[Hashable], possible: AbstractSet[Hashable]
) -> float:
    """The alignment error rate (AER), 0 to 1, smaller for better: 1 − (|A ∩ S| + |A ∩ P|) / (|A| + |S|).

    A are the links predicted, S the sure and P the possible ones of the gold alignment; sure links are possible too.
    What is missing counts only if it is sure, what is too many only if it isn't even possible. For a whole set of
    sentences put the sentence's number into each link: (sentence, target, source). 0 if there is neither a link
    predicted nor a sure one.

    Raises:
        ValueError: if a sure link isn't a possible one.
    Source: Och and Ney (2003), on the evaluation of alignments.
    """
    if not sure <= possible:
        raise ValueError(f"possible must hold every sure link, but {next(iter(sure - possible))} is missing from it")
    if not predicted and not sure:
        return 0.0
    return 1 - (len(predicted & sure) + len(predicted & possible)) / (len(predicted) + len(sure))
