"""Translating sentences: a model with its two tokenizers, and how it is trained.

A *make_model* function builds the model: it gets the sizes of the two vocabularies and returns a `Seq2Seq`, such as

    def attending(source_vocab, target_vocab):
        encoder = Encoder(source_vocab, 96, 128, bidirectional=True)
        return Seq2Seq(encoder, LuongDecoder(target_vocab, 96, 128), target_vocab, 128)
"""

import random
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import torch
from jaxtyping import Float
from safetensors import safe_open
from safetensors.torch import load_file, save_file
from tokenizers import Tokenizer
from torch import Tensor

from helpers.corpora import Example, Pair, encode_batch, token_id, train_tokenizer
from helpers.seq2seq import Seq2Seq, greedy_decode, sequence_cross_entropy, shift_right
from helpers.training import History, device, fit, seed_everything

MakeModel = Callable[[int, int], Seq2Seq]
_TOKENIZERS = ("source_tokenizer", "target_tokenizer")


@dataclass(frozen=True)
class Translation:
    """What a model wrote, and where it looked: a row of weights for each token written, a column for each one read."""

    source_tokens: tuple[str, ...]  # with the <eos>, which the model reads too
    tokens: tuple[str, ...]  # without
    weights: Float[Tensor, "target source"] | None  # None if the decoder doesn't attend


class Translator:
    """A model with the tokenizers that it was trained with.

    Raises:
        ValueError: if a tokenizer lacks one of the special tokens that translating needs.
    """

    def __init__(self, model: Seq2Seq, source_tokenizer: Tokenizer, target_tokenizer: Tokenizer):
        for name, tokenizer in zip(_TOKENIZERS, (source_tokenizer, target_tokenizer), strict=True):
            missing = [token for token in ("<pad>", "<bos>", "<eos>") if tokenizer.token_to_id(token) is None]
            if missing:
                raise ValueError(f"{name} must have the token {missing[0]} (train_tokenizer sees to it)")
        self.model = model
        self.source_tokenizer = source_tokenizer
        self.target_tokenizer = target_tokenizer

    def translate(self, sentences: Sequence[str], max_len: int = 30, batch_size: int = 256) -> list[Translation]:
        """Translate each sentence greedily, up to `<eos>` or `max_len` tokens.

        The model is in evaluation mode meanwhile, and left in the mode it was in. A word that isn't in the vocabulary
        is read as `<unk>`.

        Raises:
            ValueError: if `sentences` is a single string or empty, or `max_len` or `batch_size` is less than 1.
        """
        if isinstance(sentences, str) or len(sentences) == 0:
            raise ValueError(f"sentences must be a list of at least one sentence, not {sentences!r}")
        if max_len < 1 or batch_size < 1:
            raise ValueError(f"max_len and batch_size must be at least 1, not {max_len} and {batch_size}")
        translations = []
        for first in range(0, len(sentences), batch_size):
            translations += self._translate_batch(sentences[first : first + batch_size], max_len)
        return translations

    def _translate_batch(self, sentences: Sequence[str], max_len: int) -> list[Translation]:
        ids, valid_lens = encode_batch(self.source_tokenizer, sentences)
        start, end = (token_id(self.target_tokenizer, token) for token in ("<bos>", "<eos>"))
        written, weights = greedy_decode(self.model, ids, max_len, start, valid_lens)
        translations = []
        for row, source, length in zip(range(len(ids)), ids.tolist(), valid_lens.tolist(), strict=True):
            target = written[row].tolist()
            target = target[: target.index(end)] if end in target else target
            translations.append(
                Translation(
                    source_tokens=_tokens(self.source_tokenizer, source[:length]),
                    tokens=_tokens(self.target_tokenizer, target),
                    weights=None if weights is None else weights[row, : len(target), :length].clone(),
                )
            )
        return translations

    def save(self, path: str | Path) -> None:
        """Write the model's parameters and both tokenizers to one file, in the safetensors format."""
        tokenizers = {name: getattr(self, name).to_str() for name in _TOKENIZERS}
        # Each by itself: on a GPU the parameters of a recurrent layer share one piece of memory, which safetensors
        # refuses.
        parameters = {name: each.detach().cpu().clone() for name, each in self.model.state_dict().items()}
        save_file(parameters, str(path), metadata=tokenizers)

    @classmethod
    def load(cls, path: str | Path, make_model: MakeModel) -> "Translator":
        """What `save` wrote, with the model that `make_model` builds, on the GPU if there is one.

        Raises:
            FileNotFoundError: if there is no file at `path`.
            ValueError: if the file wasn't written by `save`, or `make_model` builds another model than was saved.
        """
        if not Path(path).is_file():
            raise FileNotFoundError(f"path: there is no file {path}")
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
        if not metadata.keys() >= set(_TOKENIZERS):
            raise ValueError(f"path: {path} holds no tokenizers, so it wasn't written by Translator.save")
        source_tokenizer, target_tokenizer = (Tokenizer.from_str(metadata[name]) for name in _TOKENIZERS)
        model = make_model(source_tokenizer.get_vocab_size(), target_tokenizer.get_vocab_size())
        try:
            model.load_state_dict(load_file(path))
        except RuntimeError as error:
            raise ValueError(f"make_model must build the model that was saved in {path}: {error}") from None
        return cls(model.to(device()), source_tokenizer, target_tokenizer)


def train_translator(
    items: Sequence[Pair] | Sequence[Example],
    make_model: MakeModel,
    steps: int,
    seed: int = 0,
    batch_size: int = 128,
    max_lr: float = 5e-3,
    unit: Literal["token", "word", "character"] = "token",
    min_frequency: int = 1,
    evaluate: Callable[[Translator], float] | None = None,
    watch: Callable[[History], None] | None = None,
    every: int = 100,
) -> tuple[Translator, History]:
    """Train a model to translate, on the GPU if there is one.

    English is split into words, and what is between spaces in the phrasebook's translations is a token; see
    `train_tokenizer`. So `pair.source_text`, as one writes it, can be translated, and what comes out can be compared
    with `pair.target`. Every translation of an `Example` makes a training pair.

    Args:
        items: the training set; both vocabularies are made of it alone.
        make_model: called with the sizes of the two vocabularies.
        steps: how many batches to train on. Batches are random, but of translations of about the same length; every
            pair comes once before any comes again.
        seed: for the parameters, the batches and the dropout; seeds PyTorch's global generators.
        unit: what a token of the translations is: "token" for the phrasebook, for real sentences "word" (French) or
            "character" (Chinese).
        min_frequency: a word that occurs less often is read and written as `<unk>`.
        evaluate: called with the translator every so many steps; returns a score, larger for better.

    For `batch_size` (pairs), `max_lr`, `watch` and `every` see `fit`.

    Raises:
        ValueError: if `items` is empty or `batch_size` is less than 1; see also `fit` and `train_tokenizer`.
    """
    if len(items) == 0 or batch_size < 1:
        raise ValueError(
            f"items must have at least one pair, and batch_size be at least 1, not {len(items)} and {batch_size}"
        )
    sources, targets = zip(*_texts(items), strict=True)
    source_tokenizer = train_tokenizer(sources, "word", min_frequency)
    target_tokenizer = train_tokenizer(targets, unit, min_frequency)
    encoded = *encode_batch(source_tokenizer, sources), *encode_batch(target_tokenizer, targets)
    start = token_id(target_tokenizer, "<bos>")

    seed_everything(seed)
    model = make_model(source_tokenizer.get_vocab_size(), target_tokenizer.get_vocab_size()).to(device())
    translator = Translator(model, source_tokenizer, target_tokenizer)

    def loss(model: Seq2Seq, x: Tensor, x_lens: Tensor, y: Tensor, y_lens: Tensor) -> Tensor:
        return sequence_cross_entropy(model(x, shift_right(y, start), x_lens), y, y_lens)

    score = None if evaluate is None else lambda _: evaluate(translator)
    next_batch = _Batches(*encoded, batch_size)
    history = fit(model, next_batch, loss, steps, max_lr, evaluate=score, watch=watch, every=every)
    return translator, history


def _texts(items: Sequence[Pair] | Sequence[Example]) -> list[tuple[str, str]]:
    """The sentence pairs to train on, as text."""
    texts = []
    for item in items:
        if isinstance(item, Pair):
            texts.append((item.source_text, " ".join(item.target)))
        else:
            texts += [(item.source, reference) for reference in item.references]
    return texts


def _tokens(tokenizer: Tokenizer, ids: list[int]) -> tuple[str, ...]:
    tokens = []
    for each in ids:
        token = tokenizer.id_to_token(each)
        assert token is not None, f"the vocabulary has no token {each}"
        tokens.append(token)
    return tuple(tokens)


class _Batches:
    """Random batches of pairs whose translations are of about the same length, so that little of a batch is padding.

    Every pair comes once before any comes again.
    """

    def __init__(self, sources: Tensor, source_lens: Tensor, targets: Tensor, target_lens: Tensor, batch_size: int):
        self.data = sources, source_lens, targets, target_lens
        self.batch_size = batch_size
        self.waiting: list[Tensor] = []

    def __call__(self) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        if not self.waiting:
            # Sorted by length are only the pairs of 16 batches at a time: whom a pair meets in a batch stays random.
            for rows in torch.randperm(len(self.data[0])).split(16 * self.batch_size):
                by_length = rows[self.data[3][rows].argsort()]
                self.waiting += by_length.split(self.batch_size)
            random.shuffle(self.waiting)
        x, x_lens, y, y_lens = (tensor[self.waiting[-1]] for tensor in self.data)
        self.waiting.pop()
        return x[:, : x_lens.max()], x_lens, y[:, : y_lens.max()], y_lens
