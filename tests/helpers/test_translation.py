"""A translator: what goes in and out of it, saved and loaded; and training, which learns to translate."""

import pytest
import torch
from torch import nn

from helpers.corpora import Example, encode_batch, phrasebook, split, train_tokenizer
from helpers.seq2seq import BahdanauDecoder, Encoder, LuongDecoder, PlainDecoder, Seq2Seq
from helpers.training import device
from helpers.translation import Translation, Translator, train_translator

SENTENCES = ["The old doctor reads a letter.", "She sleeps.", "The old doctor reads.", "She reads."]
TARGETS = ["le vieux médecin lit une lettre .", "elle dort .", "le vieux médecin lit .", "elle lit ."]
EXAMPLES = [Example(source, (target,)) for source, target in zip(SENTENCES, TARGETS, strict=True)]
SOURCE_TOKENIZER, TARGET_TOKENIZER = train_tokenizer(SENTENCES, "word"), train_tokenizer(TARGETS, "token")
EOS = TARGET_TOKENIZER.token_to_id("<eos>")


@pytest.fixture(autouse=True)
def one_thread():
    """More would gain nothing on models this small, and lose much where other processes want the cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def attending(source_vocab, target_vocab, decoder=LuongDecoder, **options):
    encoder = Encoder(source_vocab, 12, 16, bidirectional=True, **options)
    return Seq2Seq(encoder, decoder(target_vocab, 12, 16, **options), target_vocab, 16)


def plain(source_vocab, target_vocab):
    return attending(source_vocab, target_vocab, PlainDecoder)


def two_lstm_layers(source_vocab, target_vocab):
    return attending(source_vocab, target_vocab, num_layers=2, dropout=0.1, rnn=nn.LSTM)


def additive(source_vocab, target_vocab):
    return attending(source_vocab, target_vocab, BahdanauDecoder, num_layers=2, dropout=0.1)


def untrained(make_model=attending, seed=0):
    torch.manual_seed(seed)
    model = make_model(SOURCE_TOKENIZER.get_vocab_size(), TARGET_TOKENIZER.get_vocab_size())
    return Translator(model.to(device()), SOURCE_TOKENIZER, TARGET_TOKENIZER)


class Script(nn.Module):
    """A decoder that writes what is laid down for it: a row of token ids for each sentence."""

    def __init__(self, rows, vocab_size):
        super().__init__()
        self.rows, self.vocab_size, self.step, self.read = torch.tensor(rows), vocab_size, 0, []
        self.nothing = nn.Parameter(torch.zeros(1))

    def forward(self, encoder_out, decoder_x, hidden_state, valid_lens=None):
        self.read.append(decoder_x[:, 0].tolist())
        outputs = nn.functional.one_hot(self.rows[:, self.step], self.vocab_size).float().unsqueeze(1)
        self.step += 1
        weights = torch.full((len(encoder_out), 1, encoder_out.shape[1]), float(self.step))
        return outputs + 0 * self.nothing, hidden_state, weights


def scripted(targets):
    """A translator on the CPU whose decoder writes `targets`, one string a sentence."""
    size = TARGET_TOKENIZER.get_vocab_size()
    rows = [[TARGET_TOKENIZER.token_to_id(token) for token in target.split()] for target in targets]
    model = Seq2Seq(Encoder(SOURCE_TOKENIZER.get_vocab_size(), 4, 4), Script(rows, size), size, size)
    model.linear.weight.data, model.linear.bias.data = torch.eye(size), torch.zeros(size)
    return Translator(model, SOURCE_TOKENIZER, TARGET_TOKENIZER)


# ---------------------------------------------------------------------------------------------------------------------
# Translating
# ---------------------------------------------------------------------------------------------------------------------


def test_a_translation_ends_before_the_first_eos():
    translator = scripted(["elle dort . <eos> . <eos>", "le vieux médecin lit . <eos>"])
    short, long = translator.translate(SENTENCES[1:3], max_len=6)
    assert short.tokens == ("elle", "dort", ".") and long.tokens == ("le", "vieux", "médecin", "lit", ".")
    assert translator.model.decoder.read[0] == [TARGET_TOKENIZER.token_to_id("<bos>")] * 2


def test_the_source_is_what_the_model_reads_with_eos():
    (translation,) = scripted(["elle <eos>"]).translate(["She SLEEPS ."], max_len=2)
    assert translation.source_tokens == ("she", "sleeps", ".", "<eos>")


def test_there_is_a_row_of_weights_for_each_token_written_and_a_column_for_each_one_read():
    short, long = scripted(["elle . <eos> . <eos>", "le vieux médecin lit ."]).translate(SENTENCES[1:3], max_len=5)
    assert torch.equal(short.weights, torch.tensor([[1.0], [2.0]]).expand(2, 4))
    assert torch.equal(long.weights, torch.arange(1.0, 6).unsqueeze(1).expand(5, 6))


def test_what_does_not_end_is_cut_at_max_len():
    (translation,) = scripted(["le le le le le"]).translate(["She reads."], max_len=3)
    assert translation.tokens == ("le", "le", "le") and translation.weights.shape == (3, 4)


def test_a_translation_may_be_empty():
    (translation,) = scripted(["<eos> elle"]).translate(["She reads."], max_len=2)
    assert translation.tokens == () and translation.weights.shape == (0, 4)


def test_a_decoder_that_does_not_attend_gives_no_weights():
    assert all(translation.weights is None for translation in untrained(plain).translate(SENTENCES))


def test_the_weights_of_every_token_sum_to_one_over_its_own_source():
    for translation in untrained().translate(SENTENCES, max_len=4):
        assert torch.allclose(translation.weights.sum(dim=1), torch.ones(len(translation.tokens)))


@pytest.mark.parametrize("make_model", [attending, two_lstm_layers, additive, plain])
def test_a_sentence_is_translated_the_same_whatever_is_beside_it(make_model):
    rounding = 1e-6 if device().type == "cpu" else 1e-3  # a GPU's recurrent layers reckon with ten bits (TF32)
    translator = untrained(make_model)
    together = translator.translate(SENTENCES, max_len=5)
    for batch_size in (1, 3):
        for one, other in zip(together, translator.translate(SENTENCES, max_len=5, batch_size=batch_size), strict=True):
            assert (one.source_tokens, one.tokens) == (other.source_tokens, other.tokens)
            assert one.weights is other.weights is None or torch.allclose(one.weights, other.weights, atol=rounding)


@pytest.mark.parametrize("training", [True, False])
def test_translating_is_without_dropout_and_leaves_the_model_in_the_mode_it_was_in(training):
    translator = untrained(two_lstm_layers)
    translator.model.train(training)
    first, second = translator.translate(SENTENCES), translator.translate(SENTENCES)
    assert [one.tokens for one in first] == [other.tokens for other in second]
    assert all(torch.equal(one.weights, other.weights) for one, other in zip(first, second, strict=True))
    assert translator.model.training == training and not first[0].weights.requires_grad


def test_unknown_words_and_an_empty_sentence_are_translated_too():
    unknown, empty = untrained().translate(["The doctor levitates.", ""], max_len=3)
    assert unknown.source_tokens == ("the", "doctor", "<unk>", ".", "<eos>") and empty.source_tokens == ("<eos>",)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"sentences": []}, r"sentences must be a list of at least one sentence, not \[\]"),
        ({"sentences": "She reads."}, "sentences must be a list of at least one sentence, not 'She reads.'"),
        ({"sentences": SENTENCES, "max_len": 0}, "max_len and batch_size must be at least 1, not 0 and 256"),
        ({"sentences": SENTENCES, "batch_size": 0}, "max_len and batch_size must be at least 1, not 30 and 0"),
    ],
    ids=["none", "one string", "max_len", "batch_size"],
)
def test_bad_arguments_of_translate_are_named(arguments, message):
    with pytest.raises(ValueError, match=message):
        untrained().translate(**arguments)


def test_a_tokenizer_without_special_tokens_is_refused():
    from tokenizers import Tokenizer, models

    bare = Tokenizer(models.WordLevel({"a": 0}, unk_token="a"))
    with pytest.raises(ValueError, match="target_tokenizer must have the token <pad>"):
        Translator(untrained().model, SOURCE_TOKENIZER, bare)


# ---------------------------------------------------------------------------------------------------------------------
# Saving and loading
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make_model", [attending, two_lstm_layers, additive, plain])
def test_what_is_saved_and_loaded_translates_the_same(make_model, tmp_path):
    translator, path = untrained(make_model), tmp_path / "model.safetensors"
    translator.save(path)
    torch.manual_seed(1)  # the model that is loaded starts from other parameters
    loaded = Translator.load(path, make_model)
    for one, other in zip(translator.translate(SENTENCES), loaded.translate(SENTENCES), strict=True):
        assert (one.source_tokens, one.tokens) == (other.source_tokens, other.tokens)
        assert one.weights is other.weights is None or torch.equal(one.weights, other.weights)


def test_a_model_is_saved_whose_recurrent_weights_share_their_memory_as_they_do_on_a_gpu(tmp_path):
    translator, path = untrained(), tmp_path / "model.safetensors"
    weights = list(translator.model.encoder.rnn.parameters())
    memory = torch.cat([weight.detach().flatten() for weight in weights])
    for weight, piece in zip(weights, memory.split([weight.numel() for weight in weights]), strict=True):
        weight.data = piece.view_as(weight)
    translator.save(path)
    loaded = Translator.load(path, attending)
    for one, other in zip(translator.model.parameters(), loaded.model.parameters(), strict=True):
        assert torch.equal(one, other)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"path: there is no file .*nothing\.safetensors"):
        Translator.load(tmp_path / "nothing.safetensors", attending)


def test_a_file_without_tokenizers_is_refused(tmp_path):
    from safetensors.torch import save_file

    save_file({"weight": torch.zeros(2)}, tmp_path / "other.safetensors")
    with pytest.raises(ValueError, match="holds no tokenizers, so it wasn't written by"):
        Translator.load(tmp_path / "other.safetensors", attending)


@pytest.mark.parametrize("other", [plain, two_lstm_layers, lambda s, t: attending(s, t + 1)])
def test_another_model_than_was_saved_is_refused(other, tmp_path):
    untrained().save(tmp_path / "model.safetensors")
    with pytest.raises(ValueError, match="make_model must build the model that was saved in"):
        Translator.load(tmp_path / "model.safetensors", other)


# ---------------------------------------------------------------------------------------------------------------------
# Training
# ---------------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make_model", [attending, two_lstm_layers, additive, plain])
def test_a_few_sentences_are_soon_known_by_heart(make_model):
    translator, history = train_translator(EXAMPLES, make_model, steps=120, batch_size=4, max_lr=3e-2, every=60)
    assert [translation.tokens for translation in translator.translate(SENTENCES)] == [
        tuple(target.split()) for target in TARGETS
    ]
    assert history.steps == [60, 120] and history.losses[-1] < history.losses[0]


def test_the_same_seed_trains_the_same_model():
    def parameters(seed):
        model = train_translator(EXAMPLES, two_lstm_layers, steps=3, seed=seed, batch_size=3)[0].model
        return torch.cat([parameter.detach().flatten() for parameter in model.parameters()])

    assert torch.equal(parameters(1), parameters(1)) and not torch.equal(parameters(1), parameters(2))


def seen_in_training(items, **options):
    """Every batch of source ids, source lengths, target ids and decoder inputs that the model gets in training."""
    seen = []

    def make_model(source_vocab, target_vocab):
        model = attending(source_vocab, target_vocab)
        model.register_forward_pre_hook(lambda _, inputs: seen.append(inputs))
        return model

    translator, _ = train_translator(items, make_model, **options)
    return translator, seen


def test_every_pair_comes_once_before_any_comes_again():
    pairs = phrasebook("fra", size=50)
    translator, seen = seen_in_training(pairs, steps=8, batch_size=16)
    assert sum(len(x) for x, _, _ in seen[:4]) == 50
    tokens = translator.source_tokenizer
    for four in (seen[:4], seen[4:]):
        read = [
            tokens.decode(row[: length - 1].tolist())
            for x, _, lens in four
            for row, length in zip(x, lens, strict=True)
        ]
        assert sorted(read) == sorted(" ".join(pair.source).lower() for pair in pairs)
    assert not all(torch.equal(one[0], other[0]) for one, other in zip(seen[:4], seen[4:], strict=True))


def test_a_batch_is_no_wider_than_its_longest_sentences_and_the_decoder_starts_with_bos():
    translator, seen = seen_in_training(phrasebook("fra", size=200), steps=10, batch_size=20)
    bos = translator.target_tokenizer.token_to_id("<bos>")
    pad = translator.target_tokenizer.token_to_id("<pad>")
    widths = set()
    for x, decoder_x, lens in seen:
        assert x.shape[1] == lens.max() and (decoder_x[:, 0] == bos).all()
        longest = (decoder_x != pad).sum(
            1
        )  # <bos> and the target without its <eos>, or without the last of its padding
        assert longest.max() == decoder_x.shape[1] and longest.max() - longest.min() <= 5
        widths.add(decoder_x.shape[1])
    assert len(widths) > 3


def test_padding_is_left_out_of_the_loss():
    # The batch of two has the loss of its tokens, whichever batch they are in: one long sentence pads the other.
    losses = []
    for pairs in (EXAMPLES[:2], EXAMPLES[:1], EXAMPLES[1:2]):
        model = untrained().model
        history = train_on(model, pairs)
        losses.append(history.losses[0])
    long, short = 8, 4  # tokens with <eos>
    assert losses[0] == pytest.approx((long * losses[1] + short * losses[2]) / (long + short), rel=1e-5)


def train_on(model, examples):
    """One step on `examples` of a model with the vocabularies of all."""
    import helpers.translation as translation

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(
            translation,
            "train_tokenizer",
            lambda sentences, unit, _: SOURCE_TOKENIZER if unit == "word" else TARGET_TOKENIZER,
        )
        return train_translator(examples, lambda *_: model, steps=1, batch_size=2)[1]


def test_the_vocabularies_come_from_the_training_set_alone_and_rare_words_are_unknown():
    translator, _ = train_translator(EXAMPLES, attending, steps=1, min_frequency=3)
    assert translator.source_tokenizer.token_to_id("reads") is not None  # three times
    assert translator.source_tokenizer.token_to_id("doctor") is None  # twice
    assert translator.target_tokenizer.token_to_id("médecin") is None
    translator, _ = train_translator(EXAMPLES[1:2], attending, steps=1)
    assert translator.target_tokenizer.get_vocab_size() == 4 + 3


def test_every_translation_of_an_example_is_trained_on():
    many = [Example("She sleeps.", ("elle dort .", "elle est endormie ."))]
    _, seen = seen_in_training(many, steps=1)
    assert len(seen[0][0]) == 2


def test_chinese_is_written_in_characters():
    chinese = [Example("She reads.", ("她读书。",))]
    translator, _ = train_translator(chinese, attending, steps=60, max_lr=3e-2, unit="character")
    assert translator.translate(["She reads."])[0].tokens == ("她", "读", "书", "。")


def test_phrasebook_pairs_are_trained_on_in_their_own_tokens():
    pairs = phrasebook("cmn", size=30)
    translator, _ = train_translator(pairs, attending, steps=1)
    sources = [translation.source_tokens for translation in translator.translate([pair.source_text for pair in pairs])]
    assert sources == [(*(word.lower() for word in pair.source), "<eos>") for pair in pairs]
    known = translator.target_tokenizer
    assert all(known.token_to_id(token) is not None for pair in pairs for token in pair.target)
    assert encode_batch(known, [" ".join(pairs[0].target)])[1].tolist() == [len(pairs[0].target) + 1]


def test_the_score_is_of_the_translator_and_watch_sees_it():
    seen = []

    def evaluate(translator):
        assert isinstance(translator, Translator) and isinstance(translator.translate(SENTENCES)[0], Translation)
        return 0.5

    options = {"evaluate": evaluate, "watch": lambda history: seen.append(len(history.scores)), "every": 2}
    _, history = train_translator(EXAMPLES, attending, steps=5, **options)
    assert history.scores == [0.5] * 3 and seen == [1, 2, 3]


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"items": []}, "items must have at least one pair, and batch_size be at least 1, not 0 and 128"),
        ({"batch_size": 0}, "batch_size be at least 1, not 4 and 0"),
        ({"steps": 0}, "steps and every must be at least 1"),
        ({"unit": "letter"}, "unit must be"),
    ],
    ids=["items", "batch_size", "steps", "unit"],
)
def test_bad_arguments_of_training_are_named(wrong, message, as_a_user):
    with pytest.raises(ValueError, match=message):
        train_translator(**({"items": EXAMPLES, "make_model": attending, "steps": 1} | wrong))


@pytest.mark.slow
def test_held_out_phrasebook_sentences_are_translated():
    pairs = phrasebook("cmn", size=4000)
    parts = split(pairs)

    def medium(source_vocab, target_vocab):
        encoder = Encoder(source_vocab, 48, 64, bidirectional=True)
        return Seq2Seq(encoder, LuongDecoder(target_vocab, 48, 64), target_vocab, 64)

    translator, _ = train_translator(parts.train, medium, steps=300, max_lr=1e-2)
    written = translator.translate([pair.source_text for pair in parts.test])
    right = sum(one.tokens == pair.target for one, pair in zip(written, parts.test, strict=True))
    assert right / len(parts.test) > 0.5
