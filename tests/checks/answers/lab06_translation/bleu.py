"""Answers to `bleu`, as students write them: right in many styles, wrong in many ways."""

import itertools
import re
import statistics

import sacrebleu
from sacrebleu.metrics import BLEU

from tests.checks.bank import Bank

BANK = Bank("bleu")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
def with_zip_longest(hypotheses, references):
    return BLEU().corpus_score(hypotheses, list(map(list, itertools.zip_longest(*references)))).score


@right
def by_the_function(hypotheses, references):
    most = max(len(each) for each in references)
    streams = []
    for i in range(most):
        streams.append([each[i] if len(each) > i else None for each in references])
    return sacrebleu.corpus_bleu(hypotheses, streams, force=True).score


@right
def with_the_first_repeated(hypotheses, references):
    """A reference that is there twice changes nothing."""
    most = max(map(len, references))
    full = [each + [each[0]] * (most - len(each)) for each in references]
    return float(sacrebleu.corpus_bleu(hypotheses, list(zip(*full, strict=True))).score)


@right
def from_counts(hypotheses, references):
    """The counts of each sentence, added up."""
    metric = BLEU(effective_order=True)  # makes no difference to the counts
    counts = [
        metric.sentence_score(hypothesis, several) for hypothesis, several in zip(hypotheses, references, strict=True)
    ]
    return BLEU.compute_bleu(
        correct=[sum(each.counts[n] for each in counts) for n in range(4)],
        total=[sum(each.totals[n] for each in counts) for n in range(4)],
        sys_len=sum(each.sys_len for each in counts),
        ref_len=sum(each.ref_len for each in counts),
        smooth_method="exp",
    ).score


# === Wrong ============================================================================================================


def streams(references):
    return [list(each) for each in itertools.zip_longest(*references)]


@wrong(named="mean-of-sentence-scores")
def mean_of_sentences(hypotheses, references):
    pairs = zip(hypotheses, references, strict=True)
    return statistics.mean(sacrebleu.sentence_bleu(hypothesis, several).score for hypothesis, several in pairs)


@wrong(named="swapped")
def references_for_hypotheses(hypotheses, references):
    return sacrebleu.corpus_bleu([each[0] for each in references], [hypotheses]).score


@wrong(named="characters")
def by_characters(hypotheses, references):
    return sacrebleu.corpus_bleu(hypotheses, streams(references), tokenize="char").score


@wrong(named="one-reference-of-several")
def only_the_first(hypotheses, references):
    return sacrebleu.corpus_bleu(hypotheses, [[several[0] for several in references]]).score


@wrong(named="references-not-transposed")
def handed_on(hypotheses, references):
    return sacrebleu.corpus_bleu(hypotheses, references).score


@wrong(named="as-many-references-for-all")
def zipped_short(hypotheses, references):
    return sacrebleu.corpus_bleu(hypotheses, [list(each) for each in zip(*references, strict=False)]).score


@wrong(named="as-many-references-for-all")
def filled_with_empty_strings(hypotheses, references):
    """Right unless a hypothesis is so short that the empty string is nearest to it in length."""
    return BLEU().corpus_score(hypotheses, list(itertools.zip_longest(*references, fillvalue=""))).score


@wrong(named="each-reference-by-itself")
def best_of_the_references(hypotheses, references):
    most = max(map(len, references))
    full = [each + each[-1:] * (most - len(each)) for each in references]
    return max(sacrebleu.corpus_bleu(hypotheses, [[each[i] for each in full]]).score for i in range(most))


@wrong(named="other-settings")
def in_small_letters(hypotheses, references):
    return sacrebleu.corpus_bleu(hypotheses, streams(references), lowercase=True).score


@wrong(named="other-settings")
def split_at_spaces(hypotheses, references):
    return sacrebleu.corpus_bleu(hypotheses, streams(references), tokenize="none", force=True).score


@wrong(named="another-scale")
def from_zero_to_one(hypotheses, references):
    return with_zip_longest(hypotheses, references) / 100


@wrong(named="not-a-float")
def the_whole_result(hypotheses, references):
    return BLEU().corpus_score(hypotheses, streams(references))


@wrong(named="no-brevity-penalty")
def brevity_free(hypotheses, references):
    result = BLEU().corpus_score(hypotheses, streams(references))
    return result.score / result.bp


@wrong(named="another-measure")
def words_in_common(hypotheses, references):
    return BLEU().corpus_score(hypotheses, streams(references)).precisions[0]


@wrong(named="writes-into-arguments")
def lists_filled_up(hypotheses, references):
    most = max(map(len, references))
    for each in references:
        each.extend(each[:1] * (most - len(each)))
    return BLEU().corpus_score(hypotheses, list(zip(*references, strict=True))).score


@wrong(named=None)
def a_little_too_much(hypotheses, references):
    return min(100.0, with_zip_longest(hypotheses, references) + 1)


@wrong(named="another-tokenizer")
def words_found_by_a_pattern(hypotheses, references):
    def words(text):
        return " ".join(re.findall(r"[a-zA-Z]+|[0-9]+|[^a-zA-Z0-9 ]", text))

    columns = itertools.zip_longest(*references)
    streams = [[None if text is None else words(text) for text in column] for column in columns]
    return sacrebleu.corpus_bleu([words(text) for text in hypotheses], streams, tokenize="none").score


@wrong(named="fails-on-nothing")
def sentences_without_a_word_left_out(hypotheses, references):
    pairs = [(text, several) for text, several in zip(hypotheses, references, strict=True) if text.strip()]
    texts, kept = [text for text, _ in pairs], [several for _, several in pairs]
    return BLEU().corpus_score(texts, [list(each) for each in itertools.zip_longest(*kept)]).score
