"""Lab 1's sample class. Cells that a student left alone aren't listed; the comments say what each one believes."""

# --- Right answers, in different styles ----------------------------------------------------------------------------

LENGTH_MASK_BY_BROADCASTING = """
def length_mask(valid_lens, max_len):
    return torch.arange(max_len) < valid_lens[..., None]
"""

LENGTH_MASK_BY_LOOPS = """
def length_mask(valid_lens, max_len):
    rows = []
    for length in valid_lens.flatten().tolist():
        rows.append([step < length for step in range(max_len)])
    return torch.tensor(rows).reshape(valid_lens.shape + (max_len,))
"""

LENGTH_MASK_BY_CUMSUM = """
# the n-th step is real if n ones fit into the length
length_mask = lambda valid_lens, max_len: torch.ones(max_len).cumsum(0) <= valid_lens.unsqueeze(-1)
"""

MASKED_SOFTMAX_BY_WHERE = """
def masked_softmax(scores, valid_lens=None):
    if valid_lens is None:
        return torch.softmax(scores, dim=-1)
    if valid_lens.dim() == 1:
        valid_lens = valid_lens[:, None]
    valid_lens = valid_lens[:, :, None]
    keep = torch.arange(scores.shape[2]) < valid_lens
    # an empty row keeps its scores for the moment, so that nothing is divided by zero
    scores = torch.where(keep | (valid_lens == 0), scores, -math.inf)
    return torch.where(keep, torch.softmax(scores, dim=-1), 0)
"""

MASKED_SOFTMAX_BY_LOOPS = """
def masked_softmax(scores, valid_lens=None):
    B, Q, K = scores.shape
    batch = []
    for b in range(B):
        rows = []
        for q in range(Q):
            if valid_lens is None:
                n = K
            elif valid_lens.dim() == 1:
                n = valid_lens[b].item()
            else:
                n = valid_lens[b, q].item()
            nothing = torch.zeros(K - n, dtype=scores.dtype)
            rows.append(torch.cat([scores[b, q, :n].softmax(0), nothing]))
        batch.append(torch.stack(rows))
    return torch.stack(batch)
"""

BREAKING_INPUT_WITH_AN_EMPTY_ROW = """
def breaking_input(buggy_masked_softmax):
    # the second sentence is all padding
    return torch.randn(2, 2, 4), torch.tensor([3, 0])
"""

BREAKING_INPUT_FOR_EACH_VERSION = """
def breaking_input(buggy_masked_softmax):
    if buggy_masked_softmax is fill_a_copy:
        # every key is padding, so the fill is all that the softmax sees
        return torch.tensor([[[1.0, 2.0]]]), torch.tensor([[0]])
    # the other two write into their input
    return torch.tensor([[[1.0, 2.0]]]), torch.tensor([1])
"""

MASKED_MEAN_BY_EINSUM = """
def masked_mean(values, valid_lens):
    keep = (torch.arange(values.shape[1]) < valid_lens[:, None]).to(values.dtype)
    count = valid_lens.clamp(min=1).to(values.dtype)
    return torch.einsum("blv,bl->bv", values, keep) / count[:, None]
"""

MASKED_MEAN_BY_LOOPS = """
def masked_mean(values, valid_lens):
    means = []
    for sequence, n in zip(values, valid_lens.tolist()):
        means.append(sequence[:n].mean(0) if n > 0 else 0 * sequence.sum(0))
    return torch.stack(means)
"""

# --- Wrong answers -------------------------------------------------------------------------------------------------

LENGTH_MASK_FOR_ONE_LENGTH_A_SEQUENCE = """
def length_mask(valid_lens, max_len):
    return torch.arange(max_len)[None, :] < valid_lens[:, None]
"""

MASKED_SOFTMAX_OVER_QUERIES = """
def masked_softmax(scores, valid_lens=None):
    if valid_lens is None:
        return scores.softmax(dim=1)
    if valid_lens.dim() == 1:
        valid_lens = valid_lens.unsqueeze(1)
    mask = torch.arange(scores.shape[-1]) < valid_lens.unsqueeze(-1)
    weights = scores.masked_fill(~mask, float("-inf")).softmax(dim=1)
    return weights
"""

MASKED_SOFTMAX_MASKED_AFTERWARDS = """
def masked_softmax(scores, valid_lens=None):
    weights = torch.softmax(scores, dim=-1)
    if valid_lens is not None:
        if valid_lens.dim() == 1:
            valid_lens = valid_lens.unsqueeze(1)
        mask = torch.arange(scores.shape[-1]) < valid_lens.unsqueeze(-1)
        weights = weights * mask
    return weights
"""

MASKED_SOFTMAX_WITH_A_FINITE_FILL = """
def masked_softmax(scores, valid_lens=None):
    if valid_lens is None:
        return scores.softmax(-1)
    if valid_lens.dim() == 1:
        valid_lens = valid_lens.unsqueeze(1)
    mask = torch.arange(scores.shape[-1]) < valid_lens.unsqueeze(-1)
    return scores.masked_fill(~mask, -1e9).softmax(-1)
"""

MASKED_SOFTMAX_WITHOUT_THE_EMPTY_ROW = """
def masked_softmax(scores, valid_lens=None):
    if valid_lens is None:
        return scores.softmax(-1)
    if valid_lens.dim() == 1:
        valid_lens = valid_lens.unsqueeze(1)
    mask = torch.arange(scores.shape[-1]) < valid_lens.unsqueeze(-1)
    return scores.masked_fill(~mask, -torch.inf).softmax(-1)
"""

MASKED_SOFTMAX_THAT_IS_NO_PYTHON = """
def masked_softmax(scores, valid_lens=None):
    if valid_lens is None
        return scores.softmax(-1)
    mask = length_mask(valid_lens, scores.shape[-1])
    return scores.masked_fill(~mask, -torch.inf).softmax(-1)
"""

BREAKING_INPUT_WITH_ORDINARY_PADDING = """
def breaking_input(buggy_masked_softmax):
    return torch.tensor([[[1.0, 2.0, 3.0]]]), torch.tensor([2])
"""

MASKED_MEAN_OVER_THE_PADDED_LENGTH = """
def masked_mean(values, valid_lens):
    mask = torch.arange(values.shape[1]) < valid_lens[:, None]
    return (values * mask[:, :, None]).mean(dim=1)
"""

MASKED_MEAN_WITHOUT_THE_EMPTY_SEQUENCE = """
def masked_mean(values, valid_lens):
    mask = torch.arange(values.shape[1]) < valid_lens[:, None]
    return (values * mask[:, :, None]).sum(dim=1) / valid_lens[:, None]
"""

# --- The students --------------------------------------------------------------------------------------------------

STUDENTS = {
    # Right throughout.
    "sample-ada": {
        "length_mask": LENGTH_MASK_BY_BROADCASTING,
        "masked_softmax": MASKED_SOFTMAX_BY_WHERE,
        "breaking_input": BREAKING_INPUT_WITH_AN_EMPTY_ROW,
        "masked_mean": MASKED_MEAN_BY_EINSUM,
        "written_masking": """
1. The softmax divides by the sum over the whole row. With −∞ the padding adds exp(−∞) = 0 to that sum. If I only put
   zeros there afterwards, the padding has already taken its share, and the rest sums to less than 1: with two real
   keys out of ten and equal scores, to 0.2. Short sentences in a batch with a long one suffer most.
2. There is nothing to attend to, so all zeros: the context vector is 0 and no gradient flows. NaN would be more honest
   if an empty sentence is a mistake in the data, because one notices it; zeros hide it.
""",
    },
    # Right throughout, in loops.
    "sample-bela": {
        "length_mask": LENGTH_MASK_BY_LOOPS,
        "masked_softmax": MASKED_SOFTMAX_BY_LOOPS,
        "breaking_input": BREAKING_INPUT_FOR_EACH_VERSION,
        "masked_mean": MASKED_MEAN_BY_LOOPS,
        "written_masking": """
Because e to the minus infinity is zero, the padded words do not count in the denominator. With 0 after the softmax they
do. An empty row should be zeros because no word can be attended to.
""",
    },
    # Each key's weights sum to 1, instead of each query's.
    "sample-chen": {
        "length_mask": LENGTH_MASK_BY_CUMSUM,
        "masked_softmax": MASKED_SOFTMAX_OVER_QUERIES,
        "breaking_input": BREAKING_INPUT_WITH_AN_EMPTY_ROW,
        "masked_mean": MASKED_MEAN_BY_EINSUM,
        "written_masking": """
−∞ before, so that the padding doesn't take part in the normalisation. If it is zeroed after the softmax, what is left
does not sum to 1 any more, and the shorter the sentence the worse it gets. A row of padding only should give a zero
vector; a uniform row would mix padding into the output.
""",
    },
    # The padding can be taken away once the softmax has been computed.
    "sample-dana": {
        "length_mask": LENGTH_MASK_BY_BROADCASTING,
        "masked_softmax": MASKED_SOFTMAX_MASKED_AFTERWARDS,
        "breaking_input": BREAKING_INPUT_WITH_AN_EMPTY_ROW,
        "masked_mean": MASKED_MEAN_OVER_THE_PADDED_LENGTH,
        "written_masking": """
Both ways the padding has weight 0 in the end, so it makes no difference to the output. I multiply by the mask
because it cannot give NaN. A row of padding then is all zeros by itself.
""",
    },
    # A large negative number is as good as −∞.
    "sample-emil": {
        "length_mask": LENGTH_MASK_BY_BROADCASTING,
        "masked_softmax": MASKED_SOFTMAX_WITH_A_FINITE_FILL,
        "breaking_input": BREAKING_INPUT_WITH_ORDINARY_PADDING,
        "masked_mean": MASKED_MEAN_BY_EINSUM,
        "written_masking": """
The fill must come before the softmax because the sum in the denominator has to leave the padding out. −1e9 does that as
well as −∞ and is safer. If everything is padding it doesn't matter what comes out, nobody uses that row.
""",
    },
    # Every sentence has a word in it.
    "sample-fumi": {
        "length_mask": LENGTH_MASK_FOR_ONE_LENGTH_A_SEQUENCE,
        "masked_softmax": MASKED_SOFTMAX_WITHOUT_THE_EMPTY_ROW,
        "breaking_input": BREAKING_INPUT_FOR_EACH_VERSION,
        "masked_mean": MASKED_MEAN_WITHOUT_THE_EMPTY_SEQUENCE,
        "written_masking": """
exp(−∞) = 0 exactly, so the softmax is that of the valid scores alone. Zeroing afterwards leaves rows that sum to less
than 1. An all-padding row gives 0/0, which is undefined, and I think NaN is the right answer because then one sees it.
""",
    },
    # Right as far as it goes: the second half is blank.
    "sample-gita": {
        "length_mask": LENGTH_MASK_BY_BROADCASTING,
        "masked_softmax": MASKED_SOFTMAX_BY_WHERE,
    },
    # Opened the lab, and handed it in.
    "sample-hugo": {},
    # A colon is missing in one cell.
    "sample-ines": {
        "length_mask": LENGTH_MASK_BY_BROADCASTING,
        "masked_softmax": MASKED_SOFTMAX_THAT_IS_NO_PYTHON,
        "breaking_input": BREAKING_INPUT_WITH_AN_EMPTY_ROW,
        "masked_mean": MASKED_MEAN_BY_LOOPS,
        "written_masking": """
If you put 0 after the softmax the probabilities of the real words were computed together with the padding's. With −∞
they are computed without it.
""",
    },
}

# The rest of a class of 30: what each has otherwise than ada, so that a report shows which mistakes are common.
_CLASSMATES: dict[str, dict[str, str]] = {
    "sample-jaro": {"masked_softmax": MASKED_SOFTMAX_MASKED_AFTERWARDS},
    "sample-kaja": {"masked_softmax": MASKED_SOFTMAX_MASKED_AFTERWARDS},
    "sample-liam": {"masked_softmax": MASKED_SOFTMAX_MASKED_AFTERWARDS, "masked_mean": MASKED_MEAN_BY_LOOPS},
    "sample-mira": {
        "masked_softmax": MASKED_SOFTMAX_MASKED_AFTERWARDS,
        "masked_mean": MASKED_MEAN_OVER_THE_PADDED_LENGTH,
    },
    "sample-nils": {
        "masked_softmax": MASKED_SOFTMAX_MASKED_AFTERWARDS,
        "breaking_input": BREAKING_INPUT_WITH_ORDINARY_PADDING,
    },
    "sample-olga": {"masked_softmax": MASKED_SOFTMAX_WITH_A_FINITE_FILL},
    "sample-pavel": {"masked_softmax": MASKED_SOFTMAX_WITH_A_FINITE_FILL},
    "sample-quin": {
        "masked_softmax": MASKED_SOFTMAX_WITH_A_FINITE_FILL,
        "breaking_input": BREAKING_INPUT_WITH_ORDINARY_PADDING,
    },
    "sample-rosa": {"masked_softmax": MASKED_SOFTMAX_WITHOUT_THE_EMPTY_ROW},
    "sample-sami": {
        "masked_softmax": MASKED_SOFTMAX_WITHOUT_THE_EMPTY_ROW,
        "masked_mean": MASKED_MEAN_WITHOUT_THE_EMPTY_SEQUENCE,
    },
    "sample-tara": {"masked_softmax": MASKED_SOFTMAX_OVER_QUERIES},
    "sample-udo": {"length_mask": LENGTH_MASK_FOR_ONE_LENGTH_A_SEQUENCE},
    "sample-vera": {"length_mask": LENGTH_MASK_FOR_ONE_LENGTH_A_SEQUENCE, "masked_mean": MASKED_MEAN_BY_LOOPS},
    "sample-will": {"breaking_input": BREAKING_INPUT_WITH_ORDINARY_PADDING},
    "sample-xenia": {"masked_mean": MASKED_MEAN_OVER_THE_PADDED_LENGTH},
    "sample-yann": {"masked_mean": MASKED_MEAN_WITHOUT_THE_EMPTY_SEQUENCE},
    "sample-zoe": {"masked_softmax": MASKED_SOFTMAX_BY_LOOPS},
    "sample-amir": {"length_mask": LENGTH_MASK_BY_CUMSUM},
    "sample-bina": {"length_mask": LENGTH_MASK_BY_LOOPS, "masked_softmax": MASKED_SOFTMAX_BY_LOOPS},
    "sample-cleo": {"breaking_input": BREAKING_INPUT_FOR_EACH_VERSION},
    "sample-dov": {},
}
_WRITTEN = [cells["written_masking"] for cells in STUDENTS.values() if "written_masking" in cells]
STUDENTS |= {
    student: STUDENTS["sample-ada"] | cells | {"written_masking": _WRITTEN[number % len(_WRITTEN)]}
    for number, (student, cells) in enumerate(_CLASSMATES.items())
}
