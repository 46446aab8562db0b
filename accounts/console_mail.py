"""Mail on the console, where no mail server is named: who, what and the text. Files are named, not printed."""

from django.core.mail import EmailMessage
from django.core.mail.backends.console import EmailBackend as DjangoConsole


class EmailBackend(DjangoConsole):
    """A PDF in base64 would hide everything else that a console says."""

    def write_message(self, message: EmailMessage) -> None:
        files = ", ".join(str(attachment[0]) for attachment in message.attachments)
        lines = [f"Mail to {', '.join(message.to)}", f"Subject: {message.subject}", "", str(message.body)]
        lines += [f"Attached: {files}"] if files else []
        self.stream.write("\n".join(lines) + "\n" + "-" * 79 + "\n")
