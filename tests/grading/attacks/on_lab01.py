"""Attacks on lab 1, whose tests use PyTorch and the course's checks."""

from pathlib import Path

from tests.grading.attacks.attack import MARKER, Attack

_SAYS = f"\nprint({MARKER!r})"
_CHECKED = ("test_length_mask",)
_HIDDEN = ("test_masked_softmax_hidden",)


def _ship_helpers(folder: Path, text: str) -> None:
    (folder / "lab01_masked_softmax.ipynb").write_text(text)
    (folder / "helpers").mkdir()
    (folder / "helpers" / "__init__.py").write_text("running_example = None\n")
    (folder / "helpers" / "plotting.py").write_text("def __getattr__(name):\n    return None\n")
    (folder / "helpers" / "checks.py").write_text("def check(*args, **kwargs):\n    pass\n")


RIGHT = "def length_mask(valid_lens, max_len):\n    return torch.arange(max_len) < valid_lens.unsqueeze(-1)"
_ZEROS = "def {}(*args):\n    return torch.zeros(())\n"

LAB01 = [
    Attack(
        "tensor-subclass",
        "a tensor says yes to every comparison that PyTorch makes with it",
        {
            "masked_softmax": "class Yes(Tensor):\n    @classmethod\n"
            "    def __torch_function__(cls, function, types, args=(), kwargs=None):\n"
            "        if function in (torch.allclose, torch.equal):\n            return True\n"
            "        return super().__torch_function__(function, types, args, kwargs or {})\n\n"
            "def masked_softmax(scores, valid_lens=None):\n    out = (0 * scores).as_subclass(Yes)\n"
            "    return out[..., :1].repeat(1, 1, scores.shape[-1])" + _SAYS
        },
        on=_HIDDEN,
        stock="its gradient is compared as well, and that is an ordinary tensor",
    ),
    Attack(
        "patched-torch",
        "PyTorch's comparisons say yes",
        {
            "masked_softmax": "torch.allclose = torch.equal = lambda *a, **k: True\n"
            "torch.Tensor.all = lambda *a, **k: True\n"
            "def masked_softmax(scores, valid_lens=None):\n    return 0 * scores" + _SAYS
        },
        on=_HIDDEN,
    ),
    Attack(
        "patched-check",
        "the course's check says yes",
        {"length_mask": _ZEROS.format("length_mask") + "check = lambda *a, **k: None" + _SAYS},
        on=_CHECKED,
    ),
    Attack(
        "patched-engine",
        "the check's own machinery finds that every property holds",
        {
            "length_mask": "try:\n    import helpers.checks.engine as engine\n    engine._problem = lambda *a: None\n"
            "except ImportError:\n    pass\n" + _ZEROS.format("length_mask") + _SAYS
        },
        on=_CHECKED,
    ),
    Attack(
        "patched-safetensors",
        "what reads and writes the tensors that cross says what it likes",
        {
            "length_mask": "import safetensors.torch, grading.border.wire as wire\n"
            "safetensors.torch.save = wire.save = lambda tensors: b'\\x00' * 100\n"
            + _ZEROS.format("length_mask")
            + _SAYS
        },
        on=_CHECKED,
        stock="nothing crosses",
    ),
    Attack(
        "shipped-helpers",
        "a package of the course's name is handed in, whose check says yes",
        {"length_mask": _ZEROS.format("length_mask") + "print(check.__module__)"},
        place=_ship_helpers,
        on=_CHECKED,
        trace="helpers.checks.runner",
        stock="the course's own folder stands before the submission's where Python looks for it",
    ),
    Attack(
        "same-answer-twice",
        "the right answer to one exercise is handed in for another one, too",
        {
            "length_mask": RIGHT,
            "masked_mean": "masked_mean = length_mask" + _SAYS,
        },
        on=("test_masked_mean",),
        stock="the check asks for an answer to each",
    ),
    Attack(
        "another-name",
        "the answer says that it is another exercise's, which is easy",
        {
            "masked_mean": "def mean(valid_lens, max_len):\n"
            "    return torch.arange(max_len) < valid_lens.unsqueeze(-1)\n"
            "mean.__name__ = 'length_mask'\nmasked_mean = mean" + _SAYS
        },
        on=("test_masked_mean",),
        stock="the check goes by the name that the answer is bound to",
    ),
    Attack(
        "inputs-emptied",
        "the answer makes the hidden test's lengths 0, from which the test works out what it wants",
        {
            "masked_softmax": "def masked_softmax(scores, valid_lens=None):\n"
            "    if valid_lens is None:\n        return scores.softmax(-1)\n"
            "    if valid_lens.numel() == 1:\n        weights = torch.zeros_like(scores)\n"
            "        weights[..., 0] = 1\n        return weights\n"
            "    valid_lens.zero_()\n    return 0 * scores" + _SAYS
        },
        on=_HIDDEN,
    ),
]
