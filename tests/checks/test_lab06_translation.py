"""What only lab 6's checks do; what all do is in test_banks.py."""

import pytest
import torch

from helpers.checks.catalogue import find_exercise
from helpers.checks.engine import Draw, examine
from helpers.checks.lab06_translation import bleu, bleu_mistakes, translate
from tests.checks.answers.lab06_translation.translate import gradients_off_for_good, with_a_for_loop


@pytest.fixture
def case():
    return translate._translate_case(Draw(0), 2, "le chat dort <eos>", 6)


def test_the_scripted_translator_writes_its_script_and_drops_numbers_in_training_only(case):
    script, sentence, _ = case.args
    model = script.build()
    evaluated = model.eval().encode(sentence)[0]
    trained = model.train().encode(sentence)[0]
    assert not torch.allclose(evaluated, trained)
    assert torch.equal(trained, model.encode(sentence)[0])
    assert with_a_for_loop(model, sentence, 6)[0] == ["le", "chat", "dort"]


def test_the_scripted_translator_pads_its_source(case):
    encoder_out, _, valid_lens = case.args[0].build().encode("she sleeps")
    assert encoder_out.shape[1] == 4
    assert valid_lens.tolist() == [3]


def test_the_scripted_translator_does_not_go_on_for_ever(case):
    model = case.args[0].build()
    encoder_out, state, valid_lens = model.encode("she sleeps")
    with pytest.raises(RuntimeError, match="no end"):
        while True:
            _, state, _ = model.step(torch.tensor([[0]]), state, encoder_out, valid_lens)


def test_the_same_translator_can_be_built_from_what_it_was_built_with(case):
    script, sentence, _ = case.args
    model = script.build()
    other = type(model)(*model.built_with)
    other.load_state_dict(model.state_dict())
    other.train(model.training)
    assert torch.equal(other.encode(sentence)[0], model.encode(sentence)[0])


def test_gradients_are_on_after_a_check_of_an_answer_that_turns_them_off():
    examine(gradients_off_for_good, find_exercise("translate"), seed=0)
    assert torch.is_grad_enabled()


def test_the_bleu_that_answers_are_held_against_is_sacrebleus():
    for cases in (bleu._several_references, bleu._ragged_references):
        for case in cases(Draw(1)):
            assert bleu_mistakes._corpus_bleu(*case.args) == pytest.approx(case.want)
