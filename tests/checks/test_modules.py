"""How the checks look at an answer that is a class."""

import pytest
import torch
from torch import Tensor, nn

from helpers.checks.engine import CannotObserve, Case, Exercise, Property, examine
from helpers.checks.judging import equals, gradient_of, output
from helpers.checks.modules import (
    Built,
    forbidden_in_class,
    has_parameters,
    parameter_gradients,
    parameters,
    right_parameter_gradients,
    through,
)
from helpers.checks.report import Report

WEIGHTS = {"W.weight": torch.tensor([[1.0, 2.0]])}
X = torch.tensor([[3.0, 4.0]])


class Layer(nn.Module):
    def __init__(self, width: int, bias: bool = False):
        super().__init__()
        self.W = nn.Linear(width, 1, bias=bias)
        self.dropout = nn.Dropout(0.5)

    def forward(self, x):
        return self.dropout(self.W(x))

    def twice(self, x):
        return 2 * self.W(x)


class WithBias(Layer):
    def __init__(self, width: int):
        super().__init__(width, bias=True)


class Frozen(Layer):
    def __init__(self, width: int):
        super().__init__(width)
        self.requires_grad_(False)


class Detached(Layer):
    def forward(self, x):
        return x @ self.W.weight.detach().T


class Attending(Layer):
    def forward(self, x):
        return nn.functional.scaled_dot_product_attention(x, x, x)


def built(**more) -> Built:
    return Built({"width": 2}, WEIGHTS, **more)


def test_a_module_is_called_with_the_weights_of_the_case():
    assert through(output)(Layer, (built(), X)).item() == 11
    assert through(output, method="twice")(Layer, (built(), X)).item() == 22


def test_a_module_is_in_evaluation_mode_unless_the_case_trains():
    assert not built().build(Layer).training
    assert built(training=True).build(Layer).training


def test_an_observer_of_functions_sees_the_gradient_through_the_module():
    found = through(gradient_of(0))(Layer, (built(), X.clone()))
    assert torch.allclose(found, torch.tensor([[1.0, 2.0]]) * torch.tensor(1.0).sin())


def test_a_parameter_that_is_missing_or_of_another_shape_is_told():
    with pytest.raises(CannotObserve, match=r"no parameter `V.weight`; its parameters are `W.weight`"):
        Built({"width": 2}, {"V.weight": torch.zeros(1, 2)}).build(Layer)
    with pytest.raises(CannotObserve, match=r"`W.weight` has shape \(1, 3\), and should have \(1, 2\)"):
        Built({"width": 3}, WEIGHTS).build(Layer)


def test_what_is_no_module_is_told():
    with pytest.raises(CannotObserve, match="gives a NoneType"):
        built().build(lambda width: None)
    with pytest.raises(CannotObserve, match="gives a int"):
        parameters(lambda width: width, (built(),))


def test_names_and_shapes_of_the_parameters_are_judged():
    want = {"W.weight": (1, 2)}
    assert has_parameters(parameters(Layer, (built(),)), want) is None
    assert "shouldn't have: `W.bias`" in has_parameters(parameters(WithBias, (built(),)), want)
    assert "no parameter `V.weight`" in has_parameters(parameters(Layer, (built(),)), {"V.weight": (1, 2)})
    assert "and should have (2, 1)" in has_parameters(parameters(Layer, (built(),)), {"W.weight": (2, 1)})


def test_a_parameter_that_should_not_be_there_gets_the_same_numbers_every_time():
    first, second = (through(output)(WithBias, (built(), X)) for _ in range(2))
    assert torch.equal(first, second)
    assert first.item() != 11


def test_the_gradients_of_the_parameters_are_observed_and_judged():
    found = parameter_gradients()(Layer, (built(), X))
    assert right_parameter_gradients(found, {"W.weight": X * torch.tensor(1.0).sin()}) is None
    assert "is wrong" in right_parameter_gradients(found, {"W.weight": 2 * X})
    doubled = parameter_gradients(pick=lambda result: result / 2, method="twice")(Layer, (built(), X))
    assert torch.allclose(doubled["W.weight"], found["W.weight"])


@pytest.mark.parametrize("answer", [Frozen, Detached])
def test_a_parameter_that_no_gradient_reaches_is_told(answer):
    found = parameter_gradients()(answer, (built(), X.clone().requires_grad_()))
    assert right_parameter_gradients(found, {"W.weight": X}) == "no gradient reaches `W.weight`"


def test_a_module_that_the_check_hands_over_is_not_changed_by_the_answer():
    handed = nn.Linear(2, 1, bias=False)
    before = handed.weight.detach().clone()

    def spoiling(layer):
        nn.init.zeros_(layer.weight)
        return layer

    assert through(output)(spoiling, (Built({"layer": handed}), X)).item() == 0
    assert torch.equal(handed.weight, before)


def test_the_random_numbers_around_a_check_go_on_as_if_it_had_not_been():
    before = torch.get_rng_state()
    through(output)(Layer, (built(training=True), X))
    parameters(Layer, (built(),))
    parameter_gradients()(Layer, (built(training=True), X))
    forbidden_in_class(Layer, (built(),))
    assert torch.equal(torch.get_rng_state(), before)


def test_a_forbidden_call_inside_a_class_is_found():
    assert forbidden_in_class(Layer, (built(),)) == ()
    assert forbidden_in_class(Attending, (built(),)) == ("torch.nn.functional.scaled_dot_product_attention",)


def test_the_smallest_failing_example_shows_how_the_module_was_built():
    def cases(draw) -> list[Case]:
        return [Case((built(), X), torch.zeros(1, 1))]

    exercise = Exercise("Layer", ("Layer", "x"), (Property("is zero", cases, through(output), equals),), ())
    findings, _ = examine(Layer, exercise, seed=0)
    text = Report(exercise, 0, findings, (), "").text
    assert "Layer = built with (width=2), with these weights:" in text
    assert "W.weight = [[1, 2]]" in text
    assert "x = tensor of shape (1, 2)" in text


def test_large_weights_are_told_by_their_shape():
    many: dict[str, Tensor] = {"W.weight": torch.zeros(5, 5)}
    assert "W.weight = a tensor of shape (5, 5)" in str(Built({"width": 5}, many))
