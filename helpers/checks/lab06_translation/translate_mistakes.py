"""The mistakes that people make in `translate`, each with the wrong implementations that show it."""

import re
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from helpers.checks import mistakes
from helpers.checks.engine import Misconception
from helpers.checks.spoiling import remembering
from helpers.checks.translators import ScriptedTranslator


def _token_id(name: str) -> Callable[[ScriptedTranslator], int | None]:
    return lambda model: model.target_tokenizer.token_to_id(name)


_BOS, _EOS = _token_id("<bos>"), _token_id("<eos>")


def _as_tokens(model: ScriptedTranslator, ids: list[int]) -> list[str]:
    return [model.target_tokenizer.id_to_token(token_id) or "" for token_id in ids]


def _before_eos(model: ScriptedTranslator, ids: list[int]) -> list[str]:
    tokens = _as_tokens(model, ids)
    return tokens[: tokens.index("<eos>")] if "<eos>" in tokens else tokens


def _translating(
    evaluate: Callable = nn.Module.eval,
    restore: Callable = nn.Module.train,
    start: Callable = _BOS,
    end: Callable = _EOS,
    limit: Callable = lambda max_len: max_len,
    choose: Callable = lambda logits: int(logits[0, 0].argmax()),
    fed: Callable = lambda token, start: token,
    carried: Callable = lambda new, first: new,
    lens: Callable = lambda valid_lens, encoder_out: valid_lens,
    keep_end: bool = False,
    rows: Callable = lambda looked, count: looked[:count],
    columns: Callable = lambda weights, valid_lens: weights[:, : int(valid_lens)],
    empty: Callable = lambda encoder_out: torch.zeros(0, encoder_out.shape[1]),
    tokens: Callable = _as_tokens,
    result: Callable = lambda tokens, weights: (tokens, weights),
    stop: Callable = lambda token, end: token == end,
    first_state: Callable = lambda state: state,
    evaluate_late: bool = False,
) -> Callable:
    """An answer that is right but for what is changed."""

    def translate(model, sentence, max_len):
        was_training = model.training
        if not evaluate_late:
            evaluate(model)
        with torch.no_grad():
            encoder_out, state, valid_lens = model.encode(sentence)
            evaluate(model)
            first = state = first_state(state)
            last, ids, looked = start(model), [], []
            while len(looked) < limit(max_len):
                read = torch.tensor([[last]])
                logits, new_state, weights = model.step(read, state, encoder_out, lens(valid_lens, encoder_out))
                token = choose(logits)
                looked.append(weights)
                if stop(token, end(model)):
                    ids += [token] if keep_end else []
                    break
                ids.append(token)
                last, state = fed(token, start(model)), carried(new_state, first)
        restore(model, was_training)
        kept = rows(looked, len(ids))
        attended = torch.cat(kept) if kept else empty(encoder_out)
        return result(tokens(model, ids), columns(attended, valid_lens))

    return translate


def _going_on(**changes: Any) -> Callable:
    """`max_len` tokens, whatever they are; what comes back is cut, or isn't."""
    return _translating(stop=lambda token, end: False, **changes)


def _cut_at(id_of: int) -> Callable:
    return lambda model, ids: _as_tokens(model, ids[: ids.index(id_of)] if id_of in ids else ids)


def _columns_if_any(weights: Tensor, valid_lens: Tensor) -> Tensor:
    return weights[:, : int(valid_lens)] if len(weights) else weights


def _none_if_empty(weights: Tensor, valid_lens: Tensor) -> Tensor | None:
    return weights[:, : int(valid_lens)] if len(weights) else None


def _ending_at(*others: str) -> Callable:
    """Ends at `<eos>` and at other special tokens."""

    def translate(model, sentence, max_len):
        ends = {model.target_tokenizer.token_to_id(name) for name in ("<eos>", *others)}
        return _translating(stop=lambda token, end: token in ends)(model, sentence, max_len)

    return translate


def _counting(columns: Callable) -> Callable:
    """Counts the source's real tokens by itself, out of the sentence or of the weights."""
    return lambda model, sentence, max_len: _translating(
        columns=lambda weights, valid_lens: weights[:, : columns(sentence, weights)]
    )(model, sentence, max_len)


def _skipping_eos(model, sentence, max_len):
    """`<eos>` is left out, with its row, and the loop goes on until there are `max_len` tokens."""
    was_training, tokens, rows = model.training, [], []
    model.eval()
    with torch.no_grad():
        encoder_out, state, valid_lens = model.encode(sentence)
        token = torch.tensor([[_BOS(model)]])
        while len(tokens) < max_len:
            logits, state, weights = model.step(token, state, encoder_out, valid_lens)
            token = logits.argmax(-1)
            if token.item() != _EOS(model):
                tokens += _as_tokens(model, [int(token)])
                rows.append(weights[:, : int(valid_lens)])
    model.train(was_training)
    return tokens, torch.cat(rows)


def _leaving_the_mode(if_stopped: bool) -> Callable:
    """Puts the mode back only where the model has stopped by itself, or only where it was stopped."""

    def translate(model, sentence, max_len):
        was_training = model.training
        tokens, weights = _translating()(model, sentence, max_len)
        if (len(tokens) == max_len) != if_stopped:
            model.eval()
        else:
            model.train(was_training)
        return tokens, weights

    return translate


def _without_repetitions(model, sentence, max_len):
    """A word that was written before is taken out, with its row."""
    tokens, weights = _translating()(model, sentence, max_len)
    first = [place for place, token in enumerate(tokens) if token not in tokens[:place]]
    return [tokens[place] for place in first], weights[first]


def _without_doubles(model, sentence, max_len):
    """A word that was written just before is taken out, with its row."""
    tokens, weights = _translating()(model, sentence, max_len)
    first = [place for place, token in enumerate(tokens) if token not in tokens[max(place - 1, 0) : place]]
    return [tokens[place] for place in first], weights[first]


def _freezing(model, sentence, max_len):
    return _translating()(model.requires_grad_(False), sentence, max_len)


def _gradients_off(model, sentence, max_len):
    result = _translating()(model, sentence, max_len)
    torch.set_grad_enabled(False)
    return result


MISTAKES = (
    mistakes.EOS_IN_THE_RESULT.explained(
        "`<eos>` says that the translation is over. It is no word of it: it must neither be shown nor be scored.",
        *(
            _translating(keep_end=True),
            _translating(keep_end=True, rows=lambda looked, count: looked[: count - 1] if count > 1 else looked),
            _translating(keep_end=True, empty=lambda encoder_out: torch.zeros(0)),
        ),
    ),
    Misconception(
        "rows-after-eos-kept",
        "the weights have more rows than there are tokens",
        "A row belongs to a token that is shown. The row of `<eos>`, and whatever the model looked at after it, "
        "belongs to none: a heatmap with it has a row without a label.",
        (
            _translating(rows=lambda looked, count: looked),
            _going_on(tokens=_before_eos, rows=lambda looked, count: looked),
        ),
    ),
    Misconception(
        "rows-shifted",
        "each token has another token's row",
        "The weights that a step returns are those with which *that* step's token was chosen. Yours are one off.",
        (
            _translating(rows=lambda looked, count: looked[-count:] if count else []),
            _translating(rows=lambda looked, count: looked[1 : count + 1] if count else []),
            _translating(rows=lambda looked, count: looked[:count][::-1]),
            _translating(rows=lambda looked, count: looked[-1:] * count),
            _translating(rows=lambda looked, count: looked[:1] * count),
        ),
    ),
    Misconception(
        "padding-columns-kept",
        "the weights have columns for the padding",
        "The model pads the source; `valid_lens` says how many of its tokens are real. The others' columns are always "
        "0, and there is no word to write under them.",
        (
            _translating(columns=lambda weights, valid_lens: weights),
            _translating(columns=lambda weights, valid_lens: weights[:, : int(valid_lens) + 1]),
        ),
    ),
    Misconception(
        "eos-column-missing",
        "the column of the source's `<eos>` is missing",
        "The encoder reads `<eos>` as well, and the decoder may look at it (at the end it often does). Without its "
        "column the rows don't sum to 1.",
        (_translating(columns=lambda weights, valid_lens: weights[:, : int(valid_lens) - 1]),),
    ),
    mistakes.ATTENDS_TO_PADDING.explained(
        "`step` needs the `valid_lens` that `encode` has given: without them part of the weight goes to padding, and "
        "what you keep doesn't sum to 1.",
        _translating(lens=lambda valid_lens, encoder_out: torch.tensor([encoder_out.shape[1]])),
        _translating(lens=lambda valid_lens, encoder_out: None),
        _translating(lens=lambda valid_lens, encoder_out: None, columns=lambda weights, valid_lens: weights),
    ),
    Misconception(
        "goes-on-after-eos",
        "`<eos>` doesn't stop it",
        "The translation ends where the model says so. What it writes after that it was never trained to write.",
        (
            _going_on(),
            _translating(end=_token_id("<pad>")),
            _translating(end=_token_id("<bos>")),
            _going_on(tokens=lambda model, ids: [t for t in _as_tokens(model, ids) if t != "<eos>"]),
            _skipping_eos,
        ),
    ),
    Misconception(
        "never-stops",
        "`max_len` doesn't stop it",
        "A model may never write `<eos>`: one that has learned little often doesn't. Then `max_len` must end the loop.",
        (
            _translating(limit=lambda max_len: 10**6),
            _translating(limit=lambda max_len: 50),
            _translating(limit=lambda max_len: 100),
        ),
    ),
    Misconception(
        "one-more-or-less",
        "`max_len` is missed by one",
        "`max_len` counts the tokens that come back, without `<bos>` and `<eos>`: at most so many, and as many if the "
        "model doesn't stop.",
        (
            _translating(limit=lambda max_len: max_len - 1),
            _translating(limit=lambda max_len: max_len + 1),
        ),
    ),
    Misconception(
        "fails-on-an-empty-translation",
        "a translation of no tokens is too much for it",
        "If the first token is `<eos>`, there are no rows; the weights are `(0, S)` all the same. `torch.cat` and "
        "`torch.stack` want at least one tensor.",
        (
            _translating(empty=lambda encoder_out: torch.cat([])),
            _translating(empty=lambda encoder_out: torch.zeros(0), columns=_columns_if_any),
            _translating(empty=lambda encoder_out: torch.zeros(0, 0)),
            _translating(empty=lambda encoder_out: torch.zeros(1, encoder_out.shape[1])),
            _translating(empty=lambda encoder_out: torch.zeros(0, encoder_out.shape[1]), columns=_none_if_empty),
        ),
    ),
    mistakes.DECODES_IN_TRAINING_MODE.explained(
        "Dropout is for training. Left on, it drops what the model knows, and the same sentence gets another "
        "translation. `model.eval()` turns it off, for the encoder too.",
        _translating(evaluate=lambda model: None),
        _translating(evaluate_late=True),
        _translating(evaluate=nn.Module.train),
    ),
    mistakes.MODE_CHANGED.explained(
        "The caller may be in the middle of training. Note `model.training` first, and set it back at the end.",
        _translating(restore=lambda model, was_training: None),
        _translating(restore=lambda model, was_training: model.train()),
        _leaving_the_mode(if_stopped=False),
        _leaving_the_mode(if_stopped=True),
    ),
    mistakes.STATE_NOT_CARRIED.explained(
        "A step returns a new state, and the next one goes on from it. Otherwise the model doesn't know what it has "
        "written before the last token.",
        _translating(carried=lambda new, first: first),
        _translating(carried=lambda new, first: torch.zeros_like(first)),
    ),
    mistakes.DECODER_NOT_STARTED.explained(
        "`encode` gives the state from which the decoder starts.", _translating(first_state=torch.zeros_like)
    ),
    mistakes.FEEDS_THE_START_TOKEN.explained(
        "`<bos>` is for the first step. At the others the model reads the token that it has just written.",
        _translating(fed=lambda token, start: start),
    ),
    Misconception(
        "another-start",
        "another token than `<bos>` is read first",
        "In training the decoder read `<bos>` before the first word. It must be the same here.",
        (
            _translating(start=_token_id("<eos>")),
            _translating(start=_token_id("<pad>")),
            _translating(start=_token_id("<unk>")),
            _translating(start=lambda model: 0),
        ),
    ),
    mistakes.IDS_BY_HEART.explained(
        "Ask the *target's* tokenizer for the ids of `<bos>` and `<eos>`. Here they aren't what they are elsewhere.",
        _translating(start=lambda model: 1, end=lambda model: 2),
        _translating(start=lambda model: 1),
        _translating(end=lambda model: 2),
        _going_on(tokens=_cut_at(2)),
        _translating(
            start=lambda model: model.source_tokenizer.token_to_id("<bos>"),
            end=lambda model: model.source_tokenizer.token_to_id("<eos>"),
        ),
    ),
    Misconception(
        "stops-at-another-token",
        "it stops at another token than `<eos>`",
        "Only `<eos>` ends a translation.",
        (
            _translating(end=_token_id("<unk>")),
            _translating(stop=lambda token, end: token in (end, 3)),
            _ending_at("<pad>"),
            _ending_at("<bos>"),
            _ending_at("<pad>", "<bos>"),
        ),
    ),
    Misconception(
        "columns-counted-otherwise",
        "the source's real tokens aren't counted by `valid_lens`",
        "What a token is, the tokenizer says: a full stop is one, and an apostrophe may make two. `encode` has counted "
        "them for you, `<eos>` included. A weight of 0 says nothing: a real token may be one that nothing looks at.",
        (
            _counting(lambda sentence, weights: len(sentence.split()) + 1),
            _counting(lambda sentence, weights: len(re.findall(r"\w+|[^\w\s]", sentence)) + 1),
            _counting(lambda sentence, weights: int((weights.sum(0) > 0).sum())),
        ),
    ),
    mistakes.ANSWERS_FROM_MEMORY.row(remembering(_translating())),
    mistakes.SMALL_SIZES_ONLY.row(
        _translating(columns=lambda weights, valid_lens: weights[:, : min(int(valid_lens), 64)]),
        _translating(limit=lambda max_len: min(max_len, 64)),
    ),
    mistakes.UNK_DROPPED.explained(
        "The model wrote something there, and has a row of weights for it. `tokenizer.decode` leaves special tokens "
        "out if it isn't told otherwise; `id_to_token` doesn't.",
        _translating(tokens=lambda model, ids: model.target_tokenizer.decode(ids).split()),
        _translating(tokens=lambda model, ids: [t for t in _as_tokens(model, ids) if not t.startswith("<")]),
        _translating(tokens=lambda model, ids: [t for t in _as_tokens(model, ids) if t != "<unk>"]),
        _translating(stop=lambda token, end: token == end or token in (0, 1, 2, 3)),
    ),
    Misconception(
        "not-a-list-of-tokens",
        "the tokens aren't a list of strings",
        "One string for each token: a picture wants to write one at each row. No ids, and no whole sentence.",
        (
            _translating(tokens=lambda model, ids: ids),
            _translating(tokens=lambda model, ids: torch.tensor(ids)),
            _translating(tokens=lambda model, ids: " ".join(_as_tokens(model, ids))),
            _translating(tokens=lambda model, ids: model.target_tokenizer.decode(ids)),
            _translating(tokens=lambda model, ids: model.target_tokenizer.decode(ids, skip_special_tokens=False)),
        ),
    ),
    Misconception(
        "in-the-source-language",
        "the ids are read with the source's tokenizer",
        "An id means nothing by itself: 7 is one word in English and another in French.",
        (
            _translating(
                tokens=lambda model, ids: [str(model.source_tokenizer.id_to_token(token_id)) for token_id in ids]
            ),
            _translating(tokens=lambda model, ids: [model.source_tokenizer.id_to_token(token_id) for token_id in ids]),
        ),
    ),
    mistakes.START_IN_THE_RESULT.explained(
        "Nobody wrote the start token.",
        _translating(tokens=lambda model, ids: ["<bos>", *_as_tokens(model, ids)]),
        _translating(tokens=lambda model, ids: ["<bos>", *_as_tokens(model, ids), "<eos>"]),
    ),
    Misconception(
        "not-the-likeliest",
        "it isn't the likeliest token that is written",
        "Greedy decoding takes the token with the largest logit, at every step.",
        (
            _translating(choose=lambda logits: int(logits[0, 0].argmin())),
            _translating(choose=lambda logits: int(logits[0, 0].topk(2).indices[1])),
            _translating(choose=lambda logits: int(torch.multinomial(logits[0, 0].softmax(-1), 1))),
            _translating(choose=lambda logits: int(logits.argmax(1)[0, 0])),
        ),
    ),
    Misconception(
        "weights-in-another-shape",
        "the weights have another shape",
        "(T, S): a row for each token written, a column for each one read, and no axis for the batch.",
        (
            _translating(result=lambda tokens, weights: (tokens, weights.T)),
            _translating(result=lambda tokens, weights: (tokens, weights.unsqueeze(0))),
            _translating(result=lambda tokens, weights: (tokens, weights.unsqueeze(1))),
            _translating(result=lambda tokens, weights: (tokens, weights.tolist())),
            _translating(result=lambda tokens, weights: (tokens, list(weights))),
            _translating(result=lambda tokens, weights: (tokens, list(weights.unsqueeze(1)))),
            _translating(result=lambda tokens, weights: (tokens, weights.numpy())),
            _translating(result=lambda tokens, weights: (tokens, weights.flatten())),
        ),
    ),
    mistakes.ORDER_OF_THE_PAIR.explained(
        "First the tokens, then the weights.", _translating(result=lambda tokens, weights: (weights, tokens))
    ),
    mistakes.NOT_A_PAIR.explained(
        "Return the list of tokens and the tensor of weights: `tokens, weights`.",
        _translating(result=lambda tokens, weights: tokens),
        _translating(result=lambda tokens, weights: weights),
        _translating(result=lambda tokens, weights: " ".join(tokens)),
    ),
    mistakes.NO_REPETITIONS.row(_without_repetitions, _without_doubles),
    mistakes.CHANGES_THE_MODEL.explained(
        "Translating only reads. A parameter that `requires_grad_(False)` has frozen stays frozen, and the next "
        "training step would fail. `with torch.no_grad():` ends by itself.",
        _freezing,
    ),
    mistakes.GRADIENTS_OFF_FOR_ALL.explained(
        "Translating only reads. `set_grad_enabled(False)` holds for all that comes after, and the next training step "
        "would fail. `with torch.no_grad():` ends by itself.",
        _gradients_off,
    ),
    mistakes.nothing_returned(),
)
