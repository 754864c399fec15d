"""extract.py SOURCE_ROOT FOLDER: writes the op of CONTRIBUTING.md, and the table with its row."""

import pathlib
import re
import sys

root, folder = map(pathlib.Path, sys.argv[1:])
text = (root / "CONTRIBUTING.md").read_text()
source, row = re.findall(r"^```cpp\n(.*?)^```\n", text, re.MULTILINE | re.DOTALL)
table = folder / "workers/ops/ops.def"
table.parent.mkdir(parents=True, exist_ok=True)
table.write_text((root / "workers/ops/ops.def").read_text() + row)
(folder / "op_text_head.cpp").write_text(source)
