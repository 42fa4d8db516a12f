"""The sentences that the course translates: the phrasebook, real pairs from Tatoeba, and how both become token ids.

- `phrasebook` (from `helpers.phrasebook`): made-up sentences with gold alignments, the default everywhere;
- `tatoeba`: a file of real sentence pairs;
- `split` and `split_new_combinations`: training, validation and test sets that share no English sentence;
- `train_tokenizer` and `encode_batch`: from sentences to ids.
"""

import random
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

import pooch
import torch
from jaxtyping import Int
from tokenizers import Regex, Tokenizer
from tokenizers.models import WordLevel
from tokenizers.normalizers import Lowercase
from tokenizers.pre_tokenizers import Split as SplitAt
from tokenizers.trainers import WordLevelTrainer
from torch import Tensor

from helpers.phrasebook import Language, Pair, phrasebook, to_text

__all__ = [
    "SPECIAL_TOKENS",
    "Example",
    "Language",
    "Pair",
    "Splits",
    "encode_batch",
    "normalize",
    "phrasebook",
    "split",
    "split_new_combinations",
    "tatoeba",
    "to_text",
    "token_id",
    "train_tokenizer",
]

# ---------------------------------------------------------------------------------------------------------------------
# Real sentences
# ---------------------------------------------------------------------------------------------------------------------

_PAGE = "https://www.manythings.org/anki/"  # the Tatoeba pairs, CC BY 2.0 FR
_ARCHIVES = {"fra": ("fra-eng.zip", "fra.txt"), "cmn": ("cmn-eng.zip", "cmn.txt")}
# The page replaces its files now and then and publishes no checksums, so there is none to hold a download against.
_CHECKSUMS: dict[str, str | None] = {"fra": None, "cmn": None}

# One apostrophe for all; and nothing for what has no width.
_SAME_CHARACTER = str.maketrans({"’": "'", "‘": "'", "ʼ": "'", "\u200b": None, "\ufeff": None})


@dataclass(frozen=True)
class Example:
    """An English sentence and all its translations, in the order of the file."""

    source: str
    references: tuple[str, ...]


def normalize(text: str) -> str:
    """One way to write what looks the same: NFKC (which turns the narrow spaces before French punctuation into plain
    ones, and Chinese full-width signs such as ，？！ into , ? !), the plain apostrophe, single spaces.
    """
    return " ".join(unicodedata.normalize("NFKC", text).translate(_SAME_CHARACTER).split())


def tatoeba(language: Language, path: str | Path | None = None) -> list[Example]:
    """English sentences from the Tatoeba project with their French ("fra") or Chinese ("cmn") translations.

    Each line of the file at `path` (UTF-8) holds an English sentence, a tab and its translation; a third column, the
    attribution, is not used. Everything is normalised (see `normalize`), and translations of the same English sentence
    are kept together, without repeats. Without `path` the file is downloaded once and kept in pooch's cache.

    Raises:
        ValueError: if `language` is neither "fra" nor "cmn", or a line is not as it should be.
        FileNotFoundError: if there is no file at `path`, or the download failed; the message says what to do.
    Source: https://tatoeba.org, through https://www.manythings.org/anki/, CC BY 2.0 FR.
    """
    if language not in _ARCHIVES:
        raise ValueError(f'language must be "fra" (French) or "cmn" (Chinese), not {language!r}')
    path = Path(path) if path is not None else _download(language)
    if not path.is_file():
        raise FileNotFoundError(f"path: there is no file {path}. {_how_to_get(language)}")
    references: dict[str, list[str]] = {}
    for number, line in enumerate(_read_lines(path, language), start=1):
        if not line.strip():
            continue
        columns = [normalize(column) for column in line.split("\t")]
        if len(columns) not in (2, 3) or not all(columns[:2]):
            raise ValueError(
                f"path: {path}, line {number}: expected an English sentence, a tab and its translation (and perhaps "
                f"another tab and the attribution), but found {len(columns)} column(s): {line.strip()[:80]!r}"
            )
        translations = references.setdefault(columns[0], [])
        if columns[1] not in translations:
            translations.append(columns[1])
    if not references:
        raise ValueError(f"path: {path} is empty; expected lines of an English sentence, a tab and its translation")
    return [Example(source, tuple(translations)) for source, translations in references.items()]


def _read_lines(path: Path, language: Language) -> list[str]:
    try:
        return path.read_text(encoding="utf-8-sig").split("\n")  # -sig: without the byte-order mark, if there is one
    except UnicodeDecodeError as error:
        archive, member = _ARCHIVES[language]
        raise ValueError(
            f"path: {path} is not UTF-8 text (byte {error.start} is not). If it is {archive}, unpack it and pass the "
            f"{member} that is in it; else save it as UTF-8"
        ) from None


def _how_to_get(language: Language) -> str:
    archive, member = _ARCHIVES[language]
    return (
        f"On a computer with internet, download {archive} from {_PAGE} and unpack it; then call "
        f'tatoeba("{language}", path="…/{member}"). The course itself needs no download: '
        f'phrasebook("{language}") is always there.'
    )


def _download(language: Language) -> Path:
    archive, member = _ARCHIVES[language]
    pooch.get_logger().setLevel("WARNING")
    try:
        files = pooch.retrieve(
            url=_PAGE + archive,
            known_hash=_CHECKSUMS[language],
            fname=archive,
            path=pooch.os_cache("attention-by-hand"),
            processor=pooch.Unzip(members=[member]),
            downloader=pooch.HTTPDownloader(timeout=30, headers={"User-Agent": "attention-by-hand (course)"}),
        )
    except Exception as error:  # no network, a proxy, a page that moved, a broken archive: all need the same advice
        raise FileNotFoundError(
            f"could not download {_PAGE}{archive} ({type(error).__name__}). {_how_to_get(language)}"
        ) from error
    return Path(files[0])


# ---------------------------------------------------------------------------------------------------------------------
# Training, validation and test sets
# ---------------------------------------------------------------------------------------------------------------------

_MIN_TRAINING = 10  # training sentences in which a word of the new-combination test must occur


class Splits(NamedTuple):
    """What to learn from, what to make choices with, and what to report; all three are `Pair`s or all `Example`s."""

    train: list[Pair] | list[Example]
    validation: list[Pair] | list[Example]
    test: list[Pair] | list[Example]


def split(
    items: Sequence[Pair] | Sequence[Example], seed: int = 0, validation: float = 0.1, test: float = 0.1
) -> Splits:
    """Split by English sentence: no sentence of one set is in another, not even with other capitals or punctuation
    ("Go!" and "Go."). `validation` and `test` are shares, 0 to 1, of the different sentences.

    Raises:
        ValueError: if `validation` or `test` is negative, or nothing is left to train on.
    """
    if validation < 0 or test < 0 or validation + test >= 1:
        raise ValueError(
            f"validation and test must be at least 0 and together less than 1, not {validation} and {test}"
        )
    sentences: dict[str, list] = {}
    for item in items:
        sentences.setdefault(_words_only(item), []).append(item)
    groups = list(sentences.values())
    random.Random(seed).shuffle(groups)
    first, second = round(len(groups) * test), round(len(groups) * (test + validation))
    parts = groups[second:], groups[first:second], groups[:first]
    return Splits(*([item for group in part for item in group] for part in parts))


def _words_only(item: Pair | Example) -> str:
    text = item.source if isinstance(item.source, str) else " ".join(item.source)
    return " ".join(re.findall(r"\w+", text.casefold()))


def split_new_combinations(
    pairs: Sequence[Pair], seed: int = 0, validation: float = 0.1, held_out: float = 0.05
) -> Splits:
    """A split whose test sentences combine known words in new ways.

    About the share `held_out` of all combinations (an adjective with its noun, a verb with its object: see `Pair`) is
    kept for the test: every test sentence has at least one of them, no other sentence has any. Every word of the test
    set, English or not, occurs in at least 10 training sentences. `validation` is a share, 0 to 1, of the sentences
    that are not for the test; they are like the training sentences.

    Raises:
        ValueError: if `validation` or `held_out` is out of range, or no combination can be held out because every one
            has a word that is too rare without it (too few sentences).
    """
    if not 0 <= validation < 1 or not 0 < held_out < 1:
        raise ValueError(f"validation must lie in 0..1 and held_out between 0 and 1, not {validation} and {held_out}")
    draw = random.Random(seed)
    shuffled = draw.sample(pairs, len(pairs))
    with_combination: dict[tuple[str, str], list[int]] = {}
    for index, pair in enumerate(shuffled):
        for combination in sorted(pair.combinations):
            with_combination.setdefault(combination, []).append(index)
    wanted = max(1, round(len(with_combination) * held_out))
    num_validation = round(len(shuffled) * validation)  # these come first, as far as they don't go to the test

    words = [{*pair.source, *((pair.language, token) for token in pair.target)} for pair in shuffled]
    in_training = Counter(word for index in range(num_validation, len(shuffled)) for word in words[index])
    test: set[int] = set()
    num_held_out = 0
    for combination in draw.sample(sorted(with_combination), len(with_combination)):
        if num_held_out == wanted:
            break
        added = set(with_combination[combination]) - test
        lost = Counter(word for index in added if index >= num_validation for word in words[index])
        needed = set().union(*(words[index] for index in added))
        if all(in_training[word] - lost[word] >= _MIN_TRAINING for word in needed | lost.keys()):
            in_training -= lost
            test |= added
            num_held_out += 1
    if not test:
        raise ValueError(f"pairs: too few ({len(pairs)}) to hold out a combination and still train on all its words")
    return Splits(
        train=[pair for index, pair in enumerate(shuffled) if index >= num_validation and index not in test],
        validation=[pair for index, pair in enumerate(shuffled[:num_validation]) if index not in test],
        test=[pair for index, pair in enumerate(shuffled) if index in test],
    )


# ---------------------------------------------------------------------------------------------------------------------
# Tokens
# ---------------------------------------------------------------------------------------------------------------------

SPECIAL_TOKENS = ("<pad>", "<bos>", "<eos>", "<unk>")  # their ids are 0 to 3

# French l', qu', … are words of their own (l' arbre), but aujourd'hui is one, and so is English don't.
_NUMBER = r"\d+(?:[.,:]\d+)+"
_ELIDED = r"(?:[cdjlmnst]|(?:jus|lors|puis|quoi)?qu)'(?=\w)"
_UNITS = {
    "token": r"\S+",
    "word": rf"{_NUMBER}|{_ELIDED}|\w+(?:['-]\w+)*|[^\w\s]",
    "character": rf"{_NUMBER}|\d+|\p{{Latin}}+(?:'\p{{Latin}}+)*|\S",
}


def train_tokenizer(
    sentences: Iterable[str], unit: Literal["token", "word", "character"], min_frequency: int = 1
) -> Tokenizer:
    """A tokenizer whose vocabulary is `SPECIAL_TOKENS` and the tokens that occur in `sentences`, most frequent first.

    The `unit` says what a token is. "token": what stands between spaces, for sentences that are in tokens already,
    such as `" ".join(pair.source)`. "word": an English or French word or a punctuation mark, in small letters.
    "character": a Chinese character, but a word in Latin letters or a number in one. What occurs fewer than
    `min_frequency` times is encoded as `<unk>`. The tokenizer adds no `<eos>` and no padding: see `encode_batch`.

    Raises:
        ValueError: if `unit` is none of the three, or `sentences` is a single string.
    """
    if unit not in _UNITS:
        raise ValueError(f'unit must be "token", "word" or "character", not {unit!r}')
    if isinstance(sentences, str):
        raise ValueError("sentences must be several sentences, such as a list of strings, not one string")
    tokenizer = Tokenizer(WordLevel(unk_token="<unk>"))
    tokenizer.pre_tokenizer = SplitAt(Regex(_UNITS[unit]), behavior="removed", invert=True)
    if unit != "token":
        tokenizer.normalizer = Lowercase()
    trainer = WordLevelTrainer(
        vocab_size=10**9,  # all of them: by default it would drop what doesn't fit into 30,000
        min_frequency=min_frequency,
        special_tokens=list(SPECIAL_TOKENS),
        show_progress=False,
    )
    tokenizer.train_from_iterator(sentences, trainer)
    return tokenizer


def token_id(tokenizer: Tokenizer, token: str) -> int:
    """The id of a token that the tokenizer must have.

    Raises:
        ValueError: if it lacks the token.
    """
    found = tokenizer.token_to_id(token)
    if found is None:
        raise ValueError(f"tokenizer must have the token {token} (train_tokenizer sees to it)")
    return found


def encode_batch(
    tokenizer: Tokenizer, sentences: Sequence[str]
) -> tuple[Int[Tensor, "batch length"], Int[Tensor, "batch"]]:
    """The token ids of several sentences, `<eos>` at the end of each row and `<pad>` after it, and each row's length
    with its `<eos>`. The longest sentence sets the length of all.

    Raises:
        ValueError: if `sentences` is a single string or empty, or `tokenizer` lacks `<eos>` or `<pad>`.
    """
    if isinstance(sentences, str) or len(sentences) == 0:
        raise ValueError(f"sentences must be a list of at least one sentence, not {sentences!r}")
    eos, pad = tokenizer.token_to_id("<eos>"), tokenizer.token_to_id("<pad>")
    if eos is None or pad is None:
        raise ValueError("tokenizer must have the tokens <eos> and <pad> (train_tokenizer sees to it)")
    rows = [torch.tensor([*encoding.ids, eos]) for encoding in tokenizer.encode_batch(list(sentences))]
    ids = torch.nn.utils.rnn.pad_sequence(rows, batch_first=True, padding_value=pad)
    return ids, torch.tensor([len(row) for row in rows])
