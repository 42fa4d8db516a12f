"""Real sentence pairs with all their wrinkles, splits that don't leak, and tokens."""

import http.server
import threading
import zipfile
from collections import Counter
from functools import cache
from pathlib import Path

import pooch
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer
from tokenizers.models import WordLevel

from helpers import corpora
from helpers.corpora import (
    SPECIAL_TOKENS,
    Example,
    Pair,
    encode_batch,
    normalize,
    phrasebook,
    split,
    split_new_combinations,
    tatoeba,
    train_tokenizer,
)

REAL = Path(__file__).parents[3] / "shared" / "corpora"

# --- Files of sentence pairs -----------------------------------------------------------------------------------------


@pytest.fixture
def write(tmp_path):
    """Write a file and give its path."""

    def write(content: str | bytes, name: str = "pairs.txt") -> Path:
        path = tmp_path / name
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return path

    return write


def test_two_columns_and_three_are_read(write):
    path = write("The soup is hot.\tLa soupe est chaude.\nIt snows.\tIl neige.\tsomebody, CC BY\n")
    assert tatoeba("fra", path) == [
        Example("The soup is hot.", ("La soupe est chaude.",)),
        Example("It snows.", ("Il neige.",)),
    ]


def test_all_translations_of_a_sentence_are_kept_together_in_order_and_without_repeats(write):
    path = write("It snows.\tIl neige.\nWho?\tQui ?\nIt snows.\tÇa neige.\nIt snows.\tIl neige.\tsomebody\n")
    assert tatoeba("fra", path) == [Example("It snows.", ("Il neige.", "Ça neige.")), Example("Who?", ("Qui ?",))]


@pytest.mark.parametrize("space", ["\u202f", "\u2009", "\u00a0", " ", "  "], ids=ascii)
def test_any_space_before_french_punctuation_becomes_a_plain_one(write, space):
    path = write(f"Snow!\tDe la neige{space}!\nSnow!\tDe la neige !\n")
    assert tatoeba("fra", path) == [Example("Snow!", ("De la neige !",))]


@pytest.mark.parametrize("apostrophe", ["'", "’", "‘", "ʼ"])
def test_all_apostrophes_become_one(write, apostrophe):
    path = write(f"It{apostrophe}s the tree.\tC{apostrophe}est l{apostrophe}arbre.\nIt's the tree.\tC'est l'arbre.\n")
    assert tatoeba("fra", path) == [Example("It's the tree.", ("C'est l'arbre.",))]


def test_a_byte_order_mark_is_no_part_of_the_first_sentence(write):
    assert tatoeba("fra", write(b"\xef\xbb\xbfSnow!\tDe la neige !\n"))[0].source == "Snow!"


def test_windows_line_ends_and_empty_lines_are_no_sentences(write):
    path = write("Snow!\t下雪了！\r\n\r\n\n  \nRain!\t下雨了！\t somebody\r\n")
    assert [example.source for example in tatoeba("cmn", path)] == ["Snow!", "Rain!"]


def test_composed_and_decomposed_letters_full_width_signs_and_zero_width_spaces_are_made_the_same():
    assert normalize("e\u0301te\u0301") == normalize("\u00e9t\u00e9")
    assert normalize("下雪了！\u200b") == "下雪了!"
    assert normalize("\ufeff a\u3000 b\t") == "a b"


@given(st.text())
@settings(max_examples=200, deadline=None)
def test_normalizing_twice_is_normalizing_once(text):
    once = normalize(text)
    assert normalize(once) == once


@pytest.mark.parametrize(
    ("line", "found"),
    [
        ("no tab here", "1 column"),
        ("one\tdeux\tthree\tfour", "4 column"),
        ("one\t", "2 column"),
        (" \tdeux", "2 column"),
    ],
)
def test_a_malformed_line_is_named_by_its_number_and_told_what_was_expected(write, line, found):
    path = write(f"It snows.\tIl neige.\n\n{line}\n")
    with pytest.raises(ValueError, match=rf"pairs.txt, line 3: expected an English sentence, a tab .*{found}"):
        tatoeba("fra", path)


@pytest.mark.parametrize("content", ["", "\n \n", "\ufeff"], ids=ascii)
def test_an_empty_file_is_refused(write, content):
    with pytest.raises(ValueError, match="is empty; expected lines"):
        tatoeba("fra", write(content))


def test_an_archive_or_another_encoding_is_refused_with_what_to_do(write):
    with pytest.raises(ValueError, match=r"not UTF-8 text .* unpack it and pass the fra.txt"):
        tatoeba("fra", write("Été\tÉté\n".encode("latin-1")))


def test_a_missing_file_is_refused_with_what_to_do(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no file .*nowhere.txt.*download cmn-eng.zip from https://www.many"):
        tatoeba("cmn", tmp_path / "nowhere.txt")


@pytest.mark.usefixtures("as_a_user")
def test_another_language_is_refused(write):
    with pytest.raises(ValueError, match=r"^language must be"):
        tatoeba("deu", write("one\teins\n"))


@pytest.fixture
def page(tmp_path, monkeypatch):
    """A page like the real one, on this machine; gives the list of what was asked for."""
    served, asked = tmp_path / "served", []
    served.mkdir()
    with zipfile.ZipFile(served / "fra-eng.zip", "w") as archive:
        archive.writestr("_about.txt", "about")
        archive.writestr("fra.txt", "It snows.\tIl neige.\tsomebody\n")
    (served / "cmn-eng.zip").write_bytes(b"no archive")

    class Handler(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=served)

        def log_message(self, *_):
            asked.append(self.path)

    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        monkeypatch.setattr(corpora, "_PAGE", f"http://127.0.0.1:{server.server_port}/")
        monkeypatch.setattr(pooch, "os_cache", lambda project: tmp_path / "cache" / project)
        yield asked
        server.shutdown()


def test_without_a_path_the_file_is_downloaded_once_and_nothing_is_said(page, capfd):
    assert tatoeba("fra") == tatoeba("fra") == [Example("It snows.", ("Il neige.",))]
    assert page == ["/fra-eng.zip"]
    assert capfd.readouterr() == ("", "")


def test_a_download_that_fails_says_what_to_do(page):
    with pytest.raises(FileNotFoundError, match=r'could not download .*cmn-eng.zip .*path="…/cmn.txt".*phrasebook'):
        tatoeba("cmn")


def test_a_download_with_another_checksum_is_refused(page, monkeypatch):
    monkeypatch.setitem(corpora._CHECKSUMS, "fra", "0" * 64)
    with pytest.raises(FileNotFoundError, match="could not download"):
        tatoeba("fra")


@pytest.mark.parametrize(
    ("language", "name", "lines"),
    [("fra", "fra-eng.tsv", 76_037), ("fra", "fra-eng-attributed.tsv", 5_000), ("cmn", "cmn-eng.tsv", 29_155)],
)
def test_real_files_are_read_whole_and_clean(language, name, lines):
    if not (REAL / name).exists():
        pytest.skip(f"needs the real corpora beside the repository (shared/corpora/{name})")
    examples = tatoeba(language, REAL / name)
    sources = [example.source for example in examples]
    references = [reference for example in examples for reference in example.references]
    assert len(set(sources)) == len(sources)
    assert 0.98 * lines < len(references) <= lines  # some pairs differ in nothing but their spaces or apostrophes
    assert any(len(example.references) > 5 for example in examples)
    assert not any(
        character in text for text in sources + references for character in "\u202f\u2009\u00a0\u200b’\t\ufeff"
    )
    assert not any("CC-BY" in text for text in references)
    parts = split(examples)
    assert not words_of(parts.train) & words_of(parts.test)


def words_of(examples) -> set[str]:
    return {example.source.rstrip(".!? ").casefold() for example in examples}


# --- Splits ----------------------------------------------------------------------------------------------------------


@cache
def pairs(language: str = "fra") -> list[Pair]:
    return phrasebook(language, size=4_000)


def test_a_split_has_every_pair_once_and_no_sentence_in_two_sets():
    parts = split(pairs())
    assert sorted(pair.source for part in parts for pair in part) == sorted(pair.source for pair in pairs())
    assert [len(part) for part in parts] == [3_200, 400, 400]


@given(st.lists(st.sampled_from(["Go.", "Go!", "go", "Stay.", "STAY", "Why?", "Wait.", "Run."])), st.integers(0, 99))
@settings(max_examples=100, deadline=None)
def test_sentences_with_the_same_words_stay_together(sources, seed):
    examples = [Example(source, (str(index),)) for index, source in enumerate(sources)]
    parts = split(examples, seed, validation=0.3, test=0.3)
    assert sum(map(len, parts)) == len(examples)
    for one, other in [(0, 1), (0, 2), (1, 2)]:
        assert not words_of(parts[one]) & words_of(parts[other])


def test_splits_depend_on_nothing_but_pairs_and_seed():
    assert split(pairs(), seed=1) == split(pairs(), seed=1) != split(pairs(), seed=2)
    assert split_new_combinations(pairs(), seed=1) == split_new_combinations(pairs(), seed=1)
    assert split_new_combinations(pairs(), seed=1).test != split_new_combinations(pairs(), seed=2).test


@pytest.mark.parametrize("language", ["fra", "cmn"])
@pytest.mark.parametrize("seed", [0, 1])
def test_a_new_combination_test_combines_known_words_in_ways_never_seen(language, seed):
    train, validation, test = split_new_combinations(pairs(language), seed)
    assert len(train) + len(validation) + len(test) == len(pairs(language))
    assert len({pair.source for part in (train, validation, test) for pair in part}) == len(pairs(language))
    seen = {combination for pair in train + validation for combination in pair.combinations}
    assert all(pair.combinations - seen for pair in test)
    for side in ("source", "target"):
        training_words = Counter(word for pair in train for word in set(getattr(pair, side)))
        assert all(training_words[word] >= 10 for pair in test for word in getattr(pair, side))
    assert 100 < len(test) < 0.2 * len(pairs(language))
    held_out = {combination for pair in test for combination in pair.combinations} - seen
    assert any(first in ("red", "black", "white", "grey", "blue", "green", "new", "old") for first, _ in held_out)
    assert any(first in ("buy", "sell", "read", "borrow", "eat", "go", "give", "like", "have") for first, _ in held_out)


def test_too_few_pairs_for_new_combinations_are_refused():
    with pytest.raises(ValueError, match=r"^pairs: too few"):
        split_new_combinations(pairs()[:20])


@pytest.mark.parametrize("shares", [(-0.1, 0.1), (0.5, 0.5), (0.1, 1.0)])
def test_shares_out_of_range_are_refused(shares):
    with pytest.raises(ValueError, match="validation"):
        split(pairs(), 0, *shares)
    with pytest.raises(ValueError, match="held_out"):
        split_new_combinations(pairs(), validation=0.1, held_out=1.0)


# --- Tokens ----------------------------------------------------------------------------------------------------------


def tokens(text: str, unit: str) -> list[str]:
    return train_tokenizer([text], unit).encode(text).tokens


def test_words_are_cut_at_punctuation_and_at_french_elisions():
    assert tokens("L'arbre qu'il a vu, c'est aujourd'hui !", "word") == (
        ["l'", "arbre", "qu'", "il", "a", "vu", ",", "c'", "est", "aujourd'hui", "!"]
    )
    assert tokens("I don't know Tom's grand-mère: 3.50?", "word") == (
        ["i", "don't", "know", "tom's", "grand-mère", ":", "3.50", "?"]
    )


def test_chinese_is_cut_into_characters_but_names_and_numbers_are_not():
    assert tokens("Tom有15本书,对吗?", "character") == ["tom", "有", "15", "本", "书", ",", "对", "吗", "?"]


def test_tokens_between_spaces_are_kept_as_they_are():
    assert tokens("I n' ai 那 摩托车 .", "token") == ["I", "n'", "ai", "那", "摩托车", "."]


def test_the_texts_of_the_phrasebook_are_cut_into_its_tokens():
    for pair in pairs()[:300]:
        assert tokens(pair.source_text, "word") == [token.lower() for token in pair.source]
        assert tokens(pair.target_text, "word") == [token.lower() for token in pair.target]


def test_the_special_tokens_come_first_and_the_rest_by_frequency():
    tokenizer = train_tokenizer(["b a", "b c", "b c"], "token")
    assert [tokenizer.id_to_token(index) for index in range(tokenizer.get_vocab_size())] == [
        *SPECIAL_TOKENS,
        "b",
        "c",
        "a",
    ]


def test_unknown_and_rare_words_are_encoded_as_unk():
    tokenizer = train_tokenizer(["a a b"], "token", min_frequency=2)
    assert tokenizer.encode("a b c").tokens == ["a", "<unk>", "<unk>"]


def test_the_same_sentences_give_the_same_vocabulary():
    sentences = [" ".join(pair.target) for pair in pairs()]
    assert train_tokenizer(sentences, "token").to_str() == train_tokenizer(sentences, "token").to_str()


@pytest.mark.usefixtures("as_a_user")
def test_an_unknown_unit_or_a_single_sentence_is_refused():
    with pytest.raises(ValueError, match=r"^unit must"):
        train_tokenizer(["a"], "syllable")
    with pytest.raises(ValueError, match=r"^sentences must"):
        train_tokenizer("a b", "word")


def test_a_batch_ends_each_row_in_eos_and_pads_to_the_longest():
    tokenizer = train_tokenizer(["a b c d"], "token")
    ids, valid_lens = encode_batch(tokenizer, ["a b", "d", "a b c d"])
    rows = [[tokenizer.id_to_token(index) for index in row] for row in ids.tolist()]
    assert rows == [
        ["a", "b", "<eos>", "<pad>", "<pad>"],
        ["d", "<eos>", "<pad>", "<pad>", "<pad>"],
        ["a", "b", "c", "d", "<eos>"],
    ]
    assert valid_lens.tolist() == [3, 2, 5]
    assert ids.dtype == valid_lens.dtype == torch.int64


def test_an_empty_sentence_is_nothing_but_eos():
    ids, valid_lens = encode_batch(train_tokenizer(["a"], "token"), ["", "a"])
    assert ids.tolist() == [[2, 0], [4, 2]]
    assert valid_lens.tolist() == [1, 2]


@pytest.mark.usefixtures("as_a_user")
def test_a_batch_that_is_none_is_refused():
    tokenizer = train_tokenizer(["a"], "token")
    for sentences in ("a", []):
        with pytest.raises(ValueError, match=r"^sentences must"):
            encode_batch(tokenizer, sentences)
    with pytest.raises(ValueError, match=r"^tokenizer must"):
        encode_batch(Tokenizer(WordLevel({"a": 0, "<unk>": 1}, unk_token="<unk>")), ["a"])
