"""Answers to `translate`, as students write them: right in many styles, wrong in many ways."""

import torch

from tests.checks.bank import Bank

BANK = Bank("translate")
right, wrong = BANK.right, BANK.wrong


# === Right ============================================================================================================


@right
@torch.no_grad()
def with_a_for_loop(model, sentence, max_len):
    mode = model.training
    model.eval()
    encoder_out, state, valid_lens = model.encode(sentence)
    target = model.target_tokenizer
    token = torch.tensor([[target.token_to_id("<bos>")]])
    tokens, rows = [], []
    for _ in range(max_len):
        logits, state, weights = model.step(token, state, encoder_out, valid_lens)
        token = logits.argmax(-1)
        if token.item() == target.token_to_id("<eos>"):
            break
        tokens.append(target.id_to_token(token.item()))
        rows.append(weights[:, : int(valid_lens)])
    model.train(mode)
    return tokens, torch.cat(rows) if rows else torch.zeros(0, int(valid_lens))


@right
def with_a_while_loop(model, sentence, max_len):
    was_training = model.training
    try:
        model.eval()
        with torch.no_grad():
            encoder_out, state, valid_lens = model.encode(sentence)
            words, table = [], torch.empty(0, encoder_out.size(1))
            last = model.target_tokenizer.token_to_id("<bos>")
            while len(words) < max_len:
                logits, state, row = model.step(torch.tensor([[last]]), state, encoder_out, valid_lens)
                last = int(torch.argmax(logits))
                word = model.target_tokenizer.id_to_token(last)
                if word == "<eos>":
                    break
                words += [word]
                table = torch.vstack([table, row])
    finally:
        model.train(was_training)
    return words, table[:, : valid_lens.item()]


@right
def cut_afterwards(model, sentence, max_len):
    """`max_len` steps, come what may; then the end is looked for."""
    was_training = model.training
    model.eval()
    with torch.no_grad():
        encoder_out, state, valid_lens = model.encode(sentence)
        token = torch.full((1, 1), model.target_tokenizer.token_to_id("<bos>"))
        ids, rows = [], []
        for _ in range(max_len):
            logits, state, weights = model.step(token, state, encoder_out, valid_lens)
            token = logits[:, -1].topk(1).indices
            ids.append(token.item())
            rows.append(weights)
    model.train(was_training)
    end = model.target_tokenizer.token_to_id("<eos>")
    count = ids.index(end) if end in ids else len(ids)
    return [model.target_tokenizer.id_to_token(i) for i in ids[:count]], torch.cat(rows)[:count, : valid_lens[0]]


@right
def recursive(model, sentence, max_len):
    tokenizer = model.target_tokenizer

    def go_on(token, state, left):
        if left == 0:
            return [], []
        logits, state, weights = model.step(token, state, encoder_out, valid_lens)
        token = logits.softmax(-1).max(-1).indices
        if token == tokenizer.token_to_id("<eos>"):
            return [], []
        tokens, rows = go_on(token, state, left - 1)
        return [tokenizer.id_to_token(int(token)), *tokens], [weights, *rows]

    was_training = model.training
    model.train(False)
    with torch.inference_mode():
        encoder_out, state, valid_lens = model.encode(sentence)
        tokens, rows = go_on(torch.tensor([[tokenizer.token_to_id("<bos>")]]), state, max_len)
        weights = torch.cat([encoder_out.new_zeros(0, encoder_out.shape[1]), *rows])[:, : int(valid_lens)]
    model.train(was_training)
    return tuple(tokens), weights.clone()


@right
def into_a_table(model, sentence, max_len):
    """With gradients left on: nobody asked to turn them off."""
    was_training = model.training
    encoder_out, state, valid_lens = model.eval().encode(sentence)
    weights, ids = torch.zeros(max_len, int(valid_lens)), []
    vocab = model.target_tokenizer.get_vocab()
    words = {number: word for word, number in vocab.items()}
    ids.append(vocab["<bos>"])
    for step in range(max_len):
        logits, state, row = model.step(torch.tensor(ids[-1:]).view(1, 1), state, encoder_out, valid_lens)
        best = max(range(logits.numel()), key=lambda i: logits.view(-1)[i].item())
        if best == vocab["<eos>"]:
            break
        weights[step] = row[0, : int(valid_lens)]
        ids.append(best)
    model.train(was_training)
    return [words[number] for number in ids[1:]], weights[: len(ids) - 1]


# === Wrong ============================================================================================================


def steps(model, sentence, max_len, stop=True, evaluate=True, lens=None, first=None):
    """The ids with the end, and a row for each."""
    was_training = model.training
    if evaluate:
        model.eval()
    with torch.no_grad():
        encoder_out, state, valid_lens = model.encode(sentence)
        token = torch.tensor([[model.target_tokenizer.token_to_id("<bos>") if first is None else first]])
        ids, rows = [], [torch.zeros(0, encoder_out.shape[1])]
        while len(ids) < max_len:
            logits, state, weights = model.step(token, state, encoder_out, valid_lens if lens is None else lens)
            token = logits.argmax(-1)
            ids.append(token.item())
            rows.append(weights)
            if stop and ids[-1] == model.target_tokenizer.token_to_id("<eos>"):
                break
    model.train(was_training)
    return ids, torch.cat(rows), int(valid_lens)


def words_of(model, ids):
    words = [model.target_tokenizer.id_to_token(each) for each in ids]
    return words[: words.index("<eos>")] if "<eos>" in words else words


@wrong(named="eos-in-the-result")
def end_shown(model, sentence, max_len):
    ids, rows, length = steps(model, sentence, max_len)
    return [model.target_tokenizer.id_to_token(each) for each in ids], rows[:, :length]


@wrong(named="rows-after-eos-kept")
def a_row_for_the_end(model, sentence, max_len):
    ids, rows, length = steps(model, sentence, max_len)
    return words_of(model, ids), rows[:, :length]


@wrong(named="rows-after-eos-kept")
def rows_to_the_last_step(model, sentence, max_len):
    ids, rows, length = steps(model, sentence, max_len, stop=False)
    return words_of(model, ids), rows[:, :length]


@wrong(named="padding-columns-kept")
def all_columns(model, sentence, max_len):
    ids, rows, _ = steps(model, sentence, max_len)
    words = words_of(model, ids)
    return words, rows[: len(words)]


@wrong(named="eos-column-missing")
def columns_for_words_only(model, sentence, max_len):
    ids, rows, length = steps(model, sentence, max_len)
    words = words_of(model, ids)
    return words, rows[: len(words), : length - 1]


@wrong(named="attends-to-padding")
def padding_looked_at(model, sentence, max_len):
    whole = torch.tensor([model.encode(sentence)[0].shape[1]])
    ids, rows, length = steps(model, sentence, max_len, lens=whole)
    words = words_of(model, ids)
    return words, rows[: len(words), :length]


@wrong(named="never-stops")
def until_the_end_of_time(model, sentence, max_len):
    ids, rows, length = steps(model, sentence, 10**9)
    words = words_of(model, ids)
    return words, rows[: len(words), :length]


@wrong(named="goes-on-after-eos")
def end_not_looked_for(model, sentence, max_len):
    ids, rows, length = steps(model, sentence, max_len, stop=False)
    return [model.target_tokenizer.id_to_token(each) for each in ids], rows[:, :length]


@wrong(named="decodes-in-training-mode")
def in_whatever_mode(model, sentence, max_len):
    ids, rows, length = steps(model, sentence, max_len, evaluate=False)
    words = words_of(model, ids)
    return words, rows[: len(words), :length]


@wrong(named="mode-changed")
def left_in_evaluation(model, sentence, max_len):
    model.eval()
    return with_a_for_loop(model, sentence, max_len)


@wrong(named="ids-by-heart")
def ends_at_two(model, sentence, max_len):
    ids, rows, length = steps(model, sentence, max_len, stop=False)
    count = ids.index(2) if 2 in ids else len(ids)
    return [model.target_tokenizer.id_to_token(each) for each in ids[:count]], rows[:count, :length]


@wrong(named="another-start")
def starts_with_the_end(model, sentence, max_len):
    ids, rows, length = steps(model, sentence, max_len, first=model.target_tokenizer.token_to_id("<eos>"))
    words = words_of(model, ids)
    return words, rows[: len(words), :length]


@wrong(named="unk-dropped")
def decoded(model, sentence, max_len):
    ids, rows, length = steps(model, sentence, max_len)
    return model.target_tokenizer.decode(ids).split(" "), rows[: len(words_of(model, ids)), :length]


@wrong(named="not-a-list-of-tokens")
def a_sentence(model, sentence, max_len):
    words, weights = with_a_for_loop(model, sentence, max_len)
    return " ".join(words), weights


@wrong(named="weights-in-another-shape")
def sources_first(model, sentence, max_len):
    words, weights = with_a_for_loop(model, sentence, max_len)
    return words, weights.T


@wrong(named="fails-on-an-empty-translation")
def stacked(model, sentence, max_len):
    words, weights = with_a_for_loop(model, sentence, max_len)
    return words, torch.stack(list(weights))


@wrong(named="one-more-or-less")
def one_short(model, sentence, max_len):
    words, weights = with_a_for_loop(model, sentence, max_len - 1)
    return words, weights


@wrong(named="rows-shifted")
def rows_from_the_second_on(model, sentence, max_len):
    ids, rows, length = steps(model, sentence, max_len)
    words = words_of(model, ids)
    return words, rows[1 : len(words) + 1, :length]


@wrong(named="gradients-off-for-all")
def gradients_off_for_good(model, sentence, max_len):
    torch.set_grad_enabled(False)
    return with_a_while_loop(model, sentence, max_len)


@wrong(named="no-repetitions")
def without_repetitions(model, sentence, max_len):
    """A word that was just written is not written again, though it is the likeliest."""
    words, weights = with_a_for_loop(model, sentence, max_len)
    keep = [i for i, word in enumerate(words) if word not in words[:i]]
    return [words[i] for i in keep], weights[keep]


@wrong(named="no-repetitions")
def without_stammering(model, sentence, max_len):
    """The same word twice in a row is taken for a slip."""
    words, weights = with_a_for_loop(model, sentence, max_len)
    kept, rows = [], []
    for word, row in zip(words, weights, strict=True):
        if not kept or word != kept[-1]:
            kept.append(word)
            rows.append(row)
    return kept, torch.stack(rows) if rows else weights


@wrong(named="goes-on-after-eos")
def leaves_eos_out_and_goes_on(model, sentence, max_len):
    mode = model.training
    model.eval()
    target, tokens, rows = model.target_tokenizer, [], []
    with torch.no_grad():
        encoder_out, state, lens = model.encode(sentence)
        token = target.token_to_id("<bos>")
        while len(tokens) < max_len:
            logits, state, weights = model.step(torch.tensor([[token]]), state, encoder_out, lens)
            token = int(logits.argmax())
            if target.id_to_token(token) != "<eos>":
                tokens.append(target.id_to_token(token))
                rows.append(weights[0, : lens[0]])
    model.train(mode)
    return tokens, torch.stack(rows)


def changed_at_the_end(named, change):
    """A wrong answer that is right until `change` has had its hand on the result."""

    def translate(model, sentence, max_len):
        tokens, weights = with_a_for_loop(model, sentence, max_len)
        return change(model, sentence, tokens, weights, max_len)

    translate.__name__ = change.__name__
    return wrong(named)(translate)


def cut_at(*ends):
    def cut(model, sentence, tokens, weights, max_len):
        places = [place for place, token in enumerate(tokens) if token in ends]
        count = places[0] if places else len(tokens)
        return tokens[:count], weights[:count]

    cut.__name__ = "ends_at_" + "_".join(end.strip("<>") for end in ends)
    return cut


changed_at_the_end("stops-at-another-token", cut_at("<pad>"))
changed_at_the_end("stops-at-another-token", cut_at("<bos>"))


def a_column_for_each_word(model, sentence, tokens, weights, max_len):
    return tokens, weights[:, : len(sentence.split(" ")) + 1]


def columns_that_weigh_something(model, sentence, tokens, weights, max_len):
    looked_at = (weights != 0).any(0)
    return tokens, weights[:, looked_at] if tokens else weights


def mode_lost_if_stopped(model, sentence, tokens, weights, max_len):
    if len(tokens) == max_len:
        model.eval()
    return tokens, weights


def mode_lost_if_empty(model, sentence, tokens, weights, max_len):
    if not tokens:
        model.eval()
    return tokens, weights


changed_at_the_end("columns-counted-otherwise", a_column_for_each_word)
changed_at_the_end("columns-counted-otherwise", columns_that_weigh_something)
changed_at_the_end("mode-changed", mode_lost_if_stopped)
changed_at_the_end("mode-changed", mode_lost_if_empty)
