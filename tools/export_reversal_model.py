"""Train notebook 00's reversal model and store it for the page: `helpers/reversal_model.safetensors`.

python -m tools.export_reversal_model    takes half a minute; then run the notebooks that show the model

The notebook's own cells train it. The weights are stored in half precision, and only if the model so rounded is as
good as the notebook says.
"""

from pathlib import Path
from typing import Any

import nbformat
import torch
from safetensors.torch import save_file

from helpers.metrics import exact_match
from helpers.reversal_model import WEIGHTS, load_reversal_model
from helpers.seq2seq import greedy_decode

NOTEBOOK = Path(__file__).parents[1] / "notebooks" / "00_start_here.ipynb"
CELLS = ("strings", "loss", "train-function", "train")  # from the first that deals with strings to the trained model


def main() -> None:
    names: dict[str, Any] = {"torch": torch}  # which the notebook imports further up
    cells = {cell.id: cell.source for cell in nbformat.read(NOTEBOOK, as_version=4).cells}
    for cell in CELLS:
        exec(cells[cell], names)
    save_file({name: tensor.cpu().half() for name, tensor in names["model"].state_dict().items()}, WEIGHTS)
    written, _ = greedy_decode(load_reversal_model(), names["test_x"], names["LENGTH"])
    score = exact_match(written, names["test_y"])
    print(f"{WEIGHTS.name}: {WEIGHTS.stat().st_size:,} bytes; {score:.1%} of the notebook's test strings are right.")
    assert score >= 0.99


if __name__ == "__main__":
    main()
