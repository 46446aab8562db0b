"""The last step to a PDF: typst sets words that others made. Fonts and layout are read once a thread, not once a document.

Text reaches typst as JSON strings, which it never reads as markup, so a customer's name can hold any character.
"""

import json
import threading
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any, Literal

import font_lato
import typst
from django.utils.translation import get_language

from invoices.facturx_pdf import marked
from invoices.paper_words import layout_words
from usage.periods import to_ms

TEMPLATE = Path(__file__).parent / "layout" / "invoice.typ"
# Lato, and below layout/ a font for what Lato lacks: Japanese.
FONTS = (Path(font_lato.__file__).parent / "files", TEMPLATE.parent / "fonts")
_of_this_thread = threading.local()


def paper(content: Mapping[str, Any], xml: str | None, at: datetime) -> bytes:
    """Return the document as PDF/A, with XML inside as Factur-X; `at` stands in it as the time it was made.

    PDF/A allows no missing glyph. Where a name has a character that the font lacks it is plain PDF: an invoice with one box
    in it is better than none.
    """
    try:
        return marked(_compiled(content, xml, at, "a-3b")) if xml else _compiled(content, None, at, "a-2b")
    except typst.TypstError as error:
        if "could not be displayed with font" not in error.message:
            raise
        return _compiled(content, None, at, None)


def _compiled(content: Mapping[str, Any], xml: str | None, at: datetime, standard: Literal["a-2b", "a-3b"] | None) -> bytes:
    made = _compiler().compile(
        format="pdf",
        sys_inputs={"invoice": json.dumps({**content, **_setting(), "xml": xml}, ensure_ascii=False)},
        pdf_standards=standard,
        timestamp=to_ms(at) // 1000,
    )
    assert isinstance(made, bytes)  # noqa: S101 - without an output path it is the document
    return made


def _setting() -> dict[str, Any]:
    """What the layout says and in which language, which is the active one."""
    return {"words": layout_words(), "language": (get_language() or "en").split("-")[0]}


def _compiler() -> typst.Compiler:
    """The thread's own: no two may use one at a time."""
    if not hasattr(_of_this_thread, "compiler"):
        _of_this_thread.compiler = typst.Compiler(
            TEMPLATE, root=TEMPLATE.parent, font_paths=list(FONTS), ignore_system_fonts=True
        )
    found: typst.Compiler = _of_this_thread.compiler
    return found
