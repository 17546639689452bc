"""Copy the front-end files that esante serves from node_modules to its `web/static/vendor/`.

htmx 2 rather than 4: it can be told by configuration to evaluate nothing, to run no script that an answer
brings and to keep no page in the browser's storage (`allowEval`, `allowScriptTags`, `historyCacheSize`), so a
strict Content-Security-Policy is its second guard and not its only one.

The reader of codes on packs (zxing-wasm) with its WebAssembly, for the page that uses a camera.

Inter in the two subsets that the four languages need, with the stylesheet that declares them; for paper, which takes
no variable fonts, the Latin subset in the two weights that the bulletin is set in.
"""

import re
import shutil
import sys
from pathlib import Path

from fontTools.ttLib import TTFont
from fontTools.varLib.instancer import instantiateVariableFont

ROOT = Path(__file__).resolve().parent.parent
MODULES = ROOT / "node_modules"
VENDOR = ROOT / "src/esante/core/web/static/vendor"

HTMX = MODULES / "htmx.org"
INTER = MODULES / "@fontsource-variable/inter"
ZXING = MODULES / "zxing-wasm"
READER = {
    ZXING / "dist/iife/reader/index.js": "zxing_reader.js",
    ZXING / "dist/reader/zxing_reader.wasm": "zxing_reader.wasm",
}
SUBSETS = ("latin", "latin-ext")
FONTS = tuple(f"inter-{subset}-wght-normal.woff2" for subset in SUBSETS)
PAPER = {"Regular": 400, "SemiBold": 600}
# Written last: make takes it for the sign that the directory is complete.
LICENCES = "LICENCES.txt"


def main() -> int:
    """Fill the directory anew, so that nothing of an earlier version stays."""
    sources = [HTMX / "dist/htmx.min.js", *(INTER / "files" / font for font in FONTS)]
    needed = (*sources, *READER, INTER / "wght.css")
    missing = [str(path.relative_to(ROOT)) for path in needed if not path.is_file()]
    if missing:
        print(f"Missing: {', '.join(missing)}. Run `npm ci` first.", file=sys.stderr)
        return 1
    shutil.rmtree(VENDOR, ignore_errors=True)
    VENDOR.mkdir(parents=True)
    for source in sources:
        shutil.copyfile(source, VENDOR / source.name)
    for source, name in READER.items():
        shutil.copyfile(source, VENDOR / name)
    (VENDOR / "inter.css").write_text(font_faces((INTER / "wght.css").read_text("utf-8")), "utf-8")
    for style, weight in PAPER.items():
        make_paper_font(INTER / "files" / FONTS[0], VENDOR / f"Inter-{style}.ttf", weight)
    (VENDOR / LICENCES).write_text(licences(), "utf-8")
    return 0


def font_faces(stylesheet: str) -> str:
    """The `@font-face` rules of our subsets, pointing to files beside the stylesheet."""
    rules = re.findall(r"@font-face\s*\{[^}]*\}", stylesheet)
    ours = [rule for rule in rules if any(f"/{font})" in rule for font in FONTS)]
    if len(ours) != len(FONTS):
        raise SystemExit(f"{INTER}/wght.css has {len(ours)} rules for {SUBSETS} instead of {len(FONTS)}.")
    return "\n".join(rule.replace("url(./files/", "url(./") for rule in ours) + "\n"


def make_paper_font(source: Path, target: Path, weight: int) -> None:
    """One weight of the variable font, as TrueType; the same bytes every time."""
    font = TTFont(source, recalcTimestamp=False)
    fixed = instantiateVariableFont(font, {"wght": weight})
    fixed.flavor = None
    fixed["OS/2"].usWeightClass = weight
    fixed.save(target)


def licences() -> str:
    """The licences under which the copied files are passed on."""
    parts = [("htmx", HTMX / "LICENSE"), ("Inter", INTER / "LICENSE"), ("zxing-wasm", ZXING / "LICENSE")]
    return "\n\n".join(f"{name}\n\n{path.read_text('utf-8').strip()}" for name, path in parts) + "\n"


if __name__ == "__main__":
    sys.exit(main())
