"""How many small mistakes in the labs' solutions the labs' own tests notice.

Run it with `python -m benchmarks.mutants [LAB …]`; without a lab, all are tried, which takes some minutes. What is not
noticed is listed; `tools/equivalent_mutants.py` says of each why it is no mistake.
"""

import sys

from tools.equivalent_mutants import EQUIVALENT
from tools.hidden_tests import SOLUTIONS
from tools.mutants import Lab, mutants_of


def main() -> None:
    labs = sys.argv[1:] or sorted(path.name for path in SOLUTIONS.iterdir() if path.is_dir())
    for name in labs:
        lab = Lab(name)
        total = rejected = equivalent = 0
        for cell in lab.solutions:
            for mutant in mutants_of(lab, cell):
                total += 1
                if lab.notices(mutant):
                    rejected += 1
                elif mutant.change in EQUIVALENT.get((name, cell), {}):
                    equivalent += 1
                else:
                    print(f"  not noticed: {cell}, {mutant.change}", flush=True)
        share = rejected / max(1, total - equivalent)
        print(
            f"{name}: {total} mutants, {equivalent} of them equivalent, "
            f"{rejected} of the other {total - equivalent} rejected ({share:.1%})",
            flush=True,
        )


if __name__ == "__main__":
    main()
