"""The deployment's mail, from its settings.

The one rule: secrets are resolved here, at the start, and a worker that lacks one does not start.
"""

from activities.mailsetup import Mail
from activities.reports import Mailbox
from activities.smtp import MailServer, loopback
from connectors.mailbox.account import read_url
from connectors.registry import SetupError, resolve
from starter.groups import MailSettings


def build_mail(mail: MailSettings) -> Mail:
    """The deployment's mail, without connecting yet.

    Raises:
        SetupError: a secret it needs is missing, or plaintext is asked for to a server elsewhere.
    """
    if mail.plaintext and not loopback(mail.host):
        raise SetupError("mail.plaintext is for a mail server on this machine only: leave it out")
    server = MailServer(
        host=mail.host,
        port=mail.port,
        sender=mail.sender,
        name=mail.name,
        user=resolve(mail.user) if mail.user else "",
        password=resolve(mail.password) if mail.password else "",
        returns=mail.returns,
        copy_to=mail.copy_to,
        ca_file=mail.ca_file,
        clear=mail.plaintext,
    )
    mailbox = None
    if mail.mailbox:
        try:
            account = read_url(resolve(mail.mailbox), "mail.mailbox", plaintext=mail.plaintext)
        except ValueError as error:
            raise SetupError(str(error)) from None
        mailbox = Mailbox(
            account,
            folder=mail.folder,
            copies=mail.copies,
            ca_file=mail.ca_file,
            domain=server.domain,
            own=(mail.copy_to,) if mail.copy_to else (),
        )
    return Mail(server, mailbox, per_minute=mail.per_minute, patience=mail.patience, read_every=mail.read_every)
