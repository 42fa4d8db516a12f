"""Make the subset of Noto Sans CJK SC that the course's pictures need: see helpers/fonts/README.md."""

import re
import sys
from pathlib import Path

from fontTools import subset
from fontTools.ttLib import TTFont

HELPERS = Path(__file__).parents[1] / "helpers"
NAME, FILE_NAME = "Noto Sans CJK SC Subset", "NotoSansCJKscSubset-Regular"
PUNCTUATION = "，。、；：？！“”‘’（）《》…—·"


def main(collection: str) -> None:
    font = TTFont(collection, fontNumber=2)  # the collection's third font is the one for simplified characters
    sources = "".join(path.read_text(encoding="utf-8") for path in HELPERS.glob("phrasebook*.py"))
    options = subset.Options(hinting=False, layout_features=[], name_IDs=[0, 1, 2, 3, 4, 5, 6, 13, 14])
    options.drop_tables += ["BASE", "GPOS", "GSUB", "VORG", "vhea", "vmtx"]
    subsetter = subset.Subsetter(options)
    subsetter.populate(text="".join(re.findall(r"[\u4e00-\u9fff]", sources)) + PUNCTUATION)
    subsetter.subset(font)
    for name_id, text in {1: NAME, 3: f"2.004;{FILE_NAME}", 4: f"{NAME} Regular", 6: FILE_NAME}.items():
        for record in [record for record in font["name"].names if record.nameID == name_id]:
            record.string = text
    cff = font["CFF "].cff
    cff.fontNames[0], cff.topDictIndex[0].FamilyName, cff.topDictIndex[0].FullName = FILE_NAME, NAME, f"{NAME} Regular"
    font.save(HELPERS / "fonts" / "NotoSansCJKsc-subset.otf")


if __name__ == "__main__":
    main(sys.argv[1])
