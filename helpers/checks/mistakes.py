"""The mistakes that answers to several exercises make: each has one id and one title, wherever it is made.

An exercise makes a row of its own out of one, with its own wrong implementations. What those exercises say about
the mistake stands here too, with places for the words in which they differ. Where an exercise has something of its own
to say, its row says it.
"""

from collections.abc import Callable
from dataclasses import dataclass

from helpers.checks.engine import Misconception


@dataclass(frozen=True)
class Mistake:
    """A mistake that several exercises know. `explanation` may have places for an exercise's own words: `{what}`."""

    id: str
    title: str
    explanation: str | None = None

    def row(self, *wrong: Callable, **words: str) -> Misconception:
        """The row of an exercise that says about the mistake what others say, with its own words in their places."""
        assert self.explanation is not None, f"each exercise explains {self.id!r} by itself"
        return Misconception(self.id, self.title, self.explanation.format(**words), wrong)

    def explained(self, explanation: str, *wrong: Callable) -> Misconception:
        """The row of an exercise that has something of its own to say about the mistake."""
        return Misconception(self.id, self.title, explanation, wrong)


# What comes back.
NOTHING_RETURNED = Mistake(
    "nothing-returned",
    "nothing is returned",
    "Your function computes something and keeps it to itself: what comes back is None. Does its last line `return` it?",
)
NOT_A_TENSOR = Mistake("not-a-tensor", "what comes back isn't a tensor")
NOT_A_PAIR = Mistake(
    "not-a-pair",
    "what comes back isn't a pair",
    "Return two tensors: `{pair}`.",
)
ORDER_OF_THE_PAIR = Mistake(
    "order-of-the-pair",
    "the pair comes in the other order",
    "Both are there, in the other order: `{pair}`.",
)
ORDER_OF_THE_THREE = Mistake("order-of-the-three", "the three come in another order")
RETURNS_A_PAIR = Mistake("returns-a-pair", "something else comes back than the one tensor asked for")
NOT_A_FLOAT = Mistake(
    "not-a-float",
    "what comes back isn't a float",
    "A tensor of one number isn't a number yet: `.item()` or `float(...)` turns it into one.",
)
NOT_WHOLE_NUMBERS = Mistake("not-whole-numbers", "what comes back isn't whole numbers")
NOT_BOOLEAN = Mistake("not-boolean", "the mask isn't boolean")
TYPE_CHANGED = Mistake(
    "type-changed",
    "the result has another type than what went in",
    "What comes back has the type of what went in: {dtype} in, {dtype} out.",
)
AXIS_LEFT_OVER = Mistake("axis-left-over", "there is an axis too many")
AXIS_LOST = Mistake(
    "axis-lost",
    "an axis of size 1 gets lost",
    "`squeeze()` removes *every* axis of size 1: a batch of one, or a single query, loses its axis as well. Say which "
    "axis you mean.",
)
START_IN_THE_RESULT = Mistake("start-in-the-result", "the start token is part of the result")
WEIGHTS_AFTER_DROPOUT = Mistake("weights-after-dropout", "the weights to look at are those after dropout")
UNMASKED_WEIGHTS = Mistake("unmasked-weights", "the weights to look at are from before the mask")
SCORES_FOR_WEIGHTS = Mistake(
    "scores-for-weights",
    "scores stand in the place of the weights",
    "The second of the pair is what the {what} were weighed with: the scores *after* the softmax.",
)
OLD_STATE_RETURNED = Mistake("old-state-returned", "the state that comes back isn't the new one")
LOGITS_FOR_TOKENS = Mistake("logits-for-tokens", "logits come back, not tokens")

SMALL_SIZES_ONLY = Mistake(
    "small-sizes-only",
    "it is right at small sizes only",
    "Small inputs come out right, and a larger one doesn't. Is there a fixed number in your code where a size of the "
    "input should stand?",
)

# What a call leaves behind.
ANSWERS_FROM_MEMORY = Mistake(
    "answers-from-memory",
    "something is kept from one call to the next",
    "The first call is right. After that the same result keeps coming, though the arguments have changed.",
)
WRITES_INTO_ARGUMENTS = Mistake(
    "writes-into-arguments",
    "an argument is changed",
    "The result is right, but the caller's {arguments} are no longer what they were. An operator such as `+=`, and a "
    "method whose name ends in `_`, write in place.",
)
CHANGES_THE_MODEL = Mistake("changes-the-model", "the model isn't what it was")
MODE_CHANGED = Mistake("mode-changed", "the model is left in another mode")
GRADIENTS_OFF_FOR_ALL = Mistake("gradients-off-for-all", "gradients stay off after the call")
IGNORES_GENERATOR = Mistake(
    "ignores-generator",
    "the random numbers don't come from the generator",
    "Random numbers that come from the caller's `generator` can be drawn again: the same seed gives the same result, "
    "and nobody else's numbers change. PyTorch's random functions take it as an argument. Don't seed anything, and "
    "don't make a generator of your own.",
)

# Gradients and learned weights.
DETACHED_GRADIENT = Mistake(
    "detached-gradient",
    "no gradient gets through",
    "The numbers are right, but the result isn't connected to {inputs}, so nothing upstream could learn: `.detach()`, "
    "`.data`, `.item()`, `torch.tensor(...)` and `torch.no_grad()` all cut the connection.",
)
NAN_GRADIENT = Mistake("nan-gradient", "NaN is hidden in the output, and comes back in the gradient")
NO_MODULE = Mistake(
    "no-module",
    "what is built isn't an `nn.Module`",
    "A layer is a class derived from `nn.Module`, whose `__init__` begins with `super().__init__()`: that is how its "
    "weights are found, saved and trained.",
)
OTHER_PARAMETERS = Mistake(
    "other-parameters",
    "the parameters aren't the ones asked for",
    "Trained weights are saved and loaded by name, so yours must have the very names and shapes that the text gives. "
    "A layer kept as `self.W` has its matrix in `W.weight`, of shape (outputs, inputs) as `nn.Linear` has it, and its "
    "bias in `W.bias`.",
)
OTHER_LAYERS = Mistake("other-layers", "the layers aren't the ones asked for")
BIAS = Mistake("bias", "there is a bias")
NOTHING_LEARNED = Mistake(
    "nothing-learned",
    "something that should be learned isn't",
    "Every parameter is used by the forward pass, and a gradient reaches it. A frozen or a detached one stays as it "
    "is for ever.",
)
NO_LINEAR_LAYER = Mistake("no-linear-layer", "the linear layer is left out")
ACTIVATION_ADDED = Mistake("activation-added", "there is an activation that nobody asked for")
OTHER_ACTIVATION = Mistake("other-activation", "it is another activation than the one asked for")
NO_TANH = Mistake("no-tanh", "there is no tanh")
FORBIDDEN_CALL = Mistake(
    "forbidden-call",
    "PyTorch is left to do the work",
    "PyTorch has attention built in, and in practice you would use it. This lab is about what happens inside: build "
    "it from products, sums and a softmax.",
)

# Scores.
NEVER_SCALES = Mistake("never-scales", "the scores are not scaled")
SCORES_SCALED = Mistake("scores-scaled", "the scores are scaled, and shouldn't be")
DIVIDES_BY_D = Mistake("divides-by-d", "the scores are divided by d, not by √d")
ROOT_OF_ANOTHER_SIZE = Mistake("root-of-another-size", "the scores are divided by the root of another size")
MULTIPLIES_BY_ROOT_D = Mistake(
    "multiplies-by-root-d",
    "the scores are multiplied by √d",
    "The scale makes large scores smaller. Which way does yours go?",
)
FLOAT32_ONLY = Mistake(
    "float32-only",
    "it stops at any type but float32",
    "With float32 all is well. Given float16 or float64, a tensor of yours is still float32, and PyTorch refuses to "
    "multiply the two. What you make yourself needs the type of what came in.",
)
SCALED_REVERSED = Mistake(
    "scaled-reversed",
    "`scaled` does the opposite of what it says",
    "You divide by √d where `scaled` is False, and leave the scores plain where it is True.",
)
ARGUMENTS_OF_SCORE_SWAPPED = Mistake("arguments-of-score-swapped", "`score` is given the keys first")
QUERIES_AND_KEYS_SWAPPED = Mistake(
    "queries-and-keys-swapped",
    "a row is a key's, not a query's",
    "Your scores are (batch, key, query): each row belongs to a key. In the course a row holds one query's scores.",
)
RESHAPE_FOR_TRANSPOSE = Mistake("reshape-for-transpose", "the keys are reshaped, not transposed")
PAIRS_IN_STEP = Mistake("pairs-in-step", "each query meets only one key")
MINUS_MISSING = Mistake("minus-missing", "the minus is missing")
W_ON_THE_QUERY = Mistake("W-on-the-query", "the matrix is applied to the query, not to the keys")
W_UNUSED = Mistake("W-unused", "the matrix has no part in the score")

# The softmax.
NO_SOFTMAX = Mistake(
    "no-softmax",
    "there is no softmax",
    "Scores may be negative and sum to anything. The softmax turns them into weights.",
)
SOFTMAX_INSIDE = Mistake(
    "softmax-inside",
    "what comes back has gone through a softmax",
    "A score is what goes *into* the softmax. Leave the softmax to the function that uses the scores: it has to mask "
    "them first.",
)
SOFTMAX_TWICE = Mistake(
    "softmax-twice",
    "the weights go through a softmax a second time",
    "The weights go through a second softmax, which makes them nearly equal. Scores need it once.",
)
SOFTMAX_OVER_WRONG_AXIS = Mistake(
    "softmax-over-wrong-axis",
    "the softmax runs over the wrong axis",
    "Each *query* spreads a weight of 1 over the keys, so every row (…, query, :) sums to 1. Which axis is that?",
)
SOFTMAX_OVER_BATCH = Mistake("softmax-over-batch", "the softmax runs over the batch")
SOFTMAX_OVER_QUERIES = Mistake("softmax-over-queries", "the softmax runs over the queries")
SOFTMAX_OVER_EVERYTHING = Mistake("softmax-over-everything", "one softmax runs over queries and keys together")
SOFTMAX_FIRST = Mistake(
    "softmax-first",
    "a softmax is applied before a loss that has one inside",
    "`cross_entropy` and `log_softmax` take *logits*. Given probabilities, which all lie between 0 and 1, they can't "
    "tell a good model from a bad one.",
)
OVERFLOW = Mistake("overflow", "the exponential overflows")
DIAGONAL_ONLY = Mistake("diagonal-only", "only the diagonal of the Jacobian is there")

# Lengths and masks.
ATTENDS_TO_PADDING = Mistake(
    "attends-to-padding",
    "the padding is attended to",
    "Your weights are the same with `valid_lens` and without: whatever stands in the padding gets its share. Where "
    "does `valid_lens` enter your computation?",
)
PADDING_COUNTED = Mistake("padding-counted", "the padding is counted")
PADDING_IN_FRONT = Mistake("padding-in-front", "the padding comes first")
INVERTED_MASK = Mistake(
    "inverted-mask",
    "the mask is the wrong way round",
    "You attend to the padding and leave the real {keys} out. True means *keep*.",
)
MASK_AFTER_SOFTMAX = Mistake(
    "mask-after-softmax",
    "the mask comes after the softmax",
    "By then the padding has taken its share, and the real {keys} share what is left: less than 1. Mask the scores "
    "first (dividing by the sum afterwards fails where the padding's scores are so high that nothing is left).",
)
MASKS_WITH_ZERO = Mistake(
    "masks-with-zero",
    "masked scores are set to 0",
    "exp(0) is 1: a score of 0 is an ordinary score. Which score has the exponential 0?",
)
FILL_NOT_LOW_ENOUGH = Mistake(
    "fill-not-low-enough",
    "the fill is not far enough below the real scores",
    "A finite fill keeps out what is masked only while every real score lies far above it. "
    "Which number is below all of them, however low they are?",
)
CAUSAL_AS_WELL = Mistake(
    "causal-as-well",
    "a causal mask is laid on top",
    "Query i sees no key after key i. A decoder that writes its own keys needs that. Here queries and keys come from "
    "two places: every query may look at every {key} that isn't padding.",
)
ONE_STEP_AHEAD = Mistake("one-step-ahead", "each query sees one key too many")
MASK_IGNORED = Mistake("mask-ignored", "the mask has no effect")
OFF_BY_ONE = Mistake(
    "off-by-one",
    "each length is off by one",
    "A length of 2 means the {what} 0 and 1. Count the {what} that you keep.",
)
ONE_LENGTH_FOR_ALL = Mistake(
    "one-length-for-all",
    "every sequence is given the same length",
    "A batch of one works, but in a larger one each {sequence} has a length of its own.",
)
LENGTHS_ON_THE_WRONG_AXIS = Mistake(
    "lengths-on-the-wrong-axis",
    "the lengths are repeated along the wrong axis",
    "Each length belongs to a *sequence*, and all the queries of that sequence share it. Yours go to the queries in "
    "turn.",
)
IGNORES_1D_LENGTHS = Mistake(
    "ignores-1d-lengths",
    "lengths of shape (batch,) have no effect",
    "One length for a whole sequence counts for each of its queries.",
)
IGNORES_2D_LENGTHS = Mistake(
    "ignores-2d-lengths",
    "lengths of shape (batch, query) aren't used as such",
    "With lengths of shape (batch, query) each query has its own. Yours share one, have none, or stop the code.",
)
EMPTY_ROW_KEEPS_ONE = Mistake("empty-row-keeps-one", "a length of 0 is treated as one of 1")
DIVIDES_BY_PADDED_LENGTH = Mistake("divides-by-padded-length", "the sum is divided by the padded length")

# Sums, means and batches.
ONE_SEQUENCE_FOR_ALL = Mistake(
    "one-sequence-for-all",
    "the sequences of a batch aren't kept apart",
    "A batch of one works, but in a larger one each {sequence} has {what} of its own.",
)
SUM_FOR_MEAN = Mistake("sum-for-mean", "the sum isn't divided by how many were added")
MEAN_OF_MEANS = Mistake("mean-of-means", "each row's mean is taken first, then the mean of these")
MEAN_TWICE = Mistake("mean-twice", "the weighted sum is divided once more")
POOLS_KEYS_FOR_VALUES = Mistake(
    "pools-keys-for-values",
    "the keys are averaged, not the values",
    "Keys say *where* to look, values say *what* is found there. The output is made of values.",
)
SHARED_DRAW = Mistake("shared-draw", "trials share a query or a key")
IGNORES_TRIALS = Mistake("ignores-trials", "the number of trials is fixed")
POSITIONS_FROM_1 = Mistake("positions-from-1", "positions are counted from 1")

# Heads.
HEADS_MIXED = Mistake("heads-mixed", "positions and heads are mixed up")
HEADS_IN_THE_BATCH = Mistake("heads-in-the-batch", "the heads are put into the batch's axis")
HEADS_REVERSED = Mistake("heads-reversed", "the heads come in reverse order")
COLUMNS_DEALT_OUT = Mistake("columns-dealt-out", "the columns are dealt out to the heads in turn")

# Dropout.
DROPOUT = Mistake("dropout", "there is dropout")
DROPOUT_NEVER = Mistake(
    "dropout-never",
    "nothing is ever dropped",
    "In training mode some of the weights should be dropped. Is `dropout` used, in `forward` as well as in `__init__`?",
)
DROPOUT_FIXED = Mistake(
    "dropout-fixed",
    "something is dropped whatever `dropout` says",
    "The argument says how much is dropped; its default is 0.0.",
)
DROPOUT_IN_EVALUATION = Mistake("dropout-in-evaluation", "dropout goes on in evaluation mode")
DROPOUT_NOT_SCALED = Mistake(
    "dropout-not-scaled",
    "what is kept isn't divided by 1 − dropout",
    "With some of the weights gone the output would be smaller in training than in evaluation. What is kept is "
    "divided by 1 − dropout, so that the mean stays.",
)
DROPOUT_BEFORE_THE_SOFTMAX = Mistake("dropout-before-the-softmax", "after dropout every row still sums to 1")
DROPOUT_ON_THE_OUTPUT = Mistake(
    "dropout-on-the-output",
    "dropout hits something else than the weights",
    "Dropout of attention means that a query has to do without some of its *keys*: weights are dropped, before the "
    "values meet them. Yours cuts holes into the vectors.",
)
DROPPED_TOGETHER = Mistake(
    "dropped-together",
    "weights are dropped together, not one by one",
    "Each weight is dropped or kept by itself. In yours, whole {what} go together.",
)
SHARE_KEPT_FOR_DROPPED = Mistake(
    "share-kept-for-dropped",
    "`dropout` is taken for the share that is kept",
    "`dropout=0.2` means that a fifth of the weights is dropped. Yours keeps a fifth.",
)

# Decoders.
STATE_LEFT_OUT = Mistake("state-left-out", "the GRU doesn't start from the state that was passed in")
STATE_NOT_CARRIED = Mistake("state-not-carried", "the state isn't carried from step to step")
DECODER_NOT_STARTED = Mistake("decoder-not-started", "the decoder doesn't start from the encoder's state")
CONTEXT_LEFT_OUT = Mistake("context-left-out", "the context is left out")
CONCATENATED_IN_THE_OTHER_ORDER = Mistake(
    "concatenated-in-the-other-order",
    "what is put side by side comes in the other order",
)
ATTENDS_WITH_THE_NEW_STATE = Mistake("attends-with-the-new-state", "the new state attends, not the previous one")
WRONG_CONTEXT = Mistake(
    "wrong-context",
    "`get_context_vector` is wrong, and this method uses it",
    "This method may well be right: what it gives is what comes of a wrong context. Correct exercise 1 first, and "
    "then run this cell again.",
)
NO_TEACHER_FORCING = Mistake("no-teacher-forcing", "the decoder reads its own predictions")
FEEDS_THE_START_TOKEN = Mistake("feeds-the-start-token", "the decoder reads the start token at every step")
IGNORES_START = Mistake("ignores-start", "`start` has no effect")
DECODES_IN_TRAINING_MODE = Mistake("decodes-in-training-mode", "the model isn't in evaluation mode while it decodes")
ARGMAX_OVER_WRONG_AXIS = Mistake("argmax-over-wrong-axis", "the argmax runs over the wrong axis")
KEEPS_A_GRAPH = Mistake("keeps-a-graph", "gradients are on while the model decodes")
EOS_IN_THE_RESULT = Mistake("eos-in-the-result", "`<eos>` is among the tokens")
NEVER_ENDS = Mistake("never-ends", "the first token of the vocabulary is never chosen")
LEAST_LIKELY = Mistake("least-likely", "the least likely token is chosen")
SAMPLING = Mistake("sampling", "tokens are drawn at random")
IDS_BY_HEART = Mistake("ids-by-heart", "an id is a number that you know by heart")
NO_REPETITIONS = Mistake(
    "no-repetitions",
    "nothing is written twice",
    "A token that comes again is left out, or another one is taken for it. But texts do repeat themselves: the "
    "likeliest token counts, also where it has been written before.",
)
UNK_DROPPED = Mistake("unk-dropped", "`<unk>` is left out")


def nothing_returned(wrong: Callable = lambda *args: None) -> Misconception:
    """The row for an answer that returns nothing."""
    return NOTHING_RETURNED.row(wrong)


def no_module() -> Misconception:
    """The row for a class that isn't a module, or a function in a module's place."""
    return NO_MODULE.row(lambda *arguments: lambda *args: None, lambda *arguments: None)
