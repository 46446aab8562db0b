"""What a mail says, before it is set as text and HTML: words, facts, a link, files. No picture and no address but ours in it."""

from dataclasses import dataclass

from django.template.loader import render_to_string
from django.utils.translation import get_language


@dataclass(frozen=True, slots=True)
class Attachment:
    """A file that goes with a letter."""

    name: str
    content: bytes
    kind: str


@dataclass(frozen=True, slots=True)
class Letter:
    """A mail's content in the reader's language, which is the active one while it is set."""

    subject: str
    paragraphs: tuple[str, ...]
    facts: tuple[tuple[str, str], ...] = ()
    link: tuple[str, str] | None = None
    """What to read on, and its whole address."""
    foot: str = ""
    attachments: tuple[Attachment, ...] = ()

    @property
    def line(self) -> str:
        """The subject as a header carries it: one line."""
        return " ".join(self.subject.split())[:200]

    def text(self) -> str:
        return render_to_string("mail/letter.txt", {"letter": self})

    def html(self) -> str:
        return render_to_string("mail/letter.html", {"letter": self, "language": get_language()})
