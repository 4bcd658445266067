"""The development mail server: it delivers, it is ended with whoever started it, and it keeps nothing."""

import smtplib
from email.message import EmailMessage
from pathlib import Path

import psutil
import pytest
from imapclient import IMAPClient
from imapclient.exceptions import LoginError

from starter.stack import HOST, Mail, StackError


def letter(text: str) -> EmailMessage:
    message = EmailMessage()
    message["From"], message["To"] = "anna@example.org", "support@shop.example"
    message["Subject"] = text
    message.set_content("Hello")
    return message


def subjects(mail: Mail) -> int:
    client = mail.login("support@shop.example")
    client.select_folder("INBOX", readonly=True)
    found = len(client.search())
    client.shutdown()
    return found


def test_what_is_sent_is_read_and_gone_with_the_server() -> None:
    with Mail() as mail:
        mail.send(letter("first"))
        mail.send(letter("second"))
        assert subjects(mail) == 2

        mail.kill()
        with pytest.raises((OSError, smtplib.SMTPException)):
            mail.send(letter("nobody takes this"))
        mail.start()

        assert subjects(mail) == 0
        pid, home = mail.pid, mail.log.parent
    assert not psutil.pid_exists(pid)
    assert not Path(home).exists()


def test_its_password_is_its_own_and_no_argument() -> None:
    with Mail() as mail, Mail() as other:
        assert mail.password != other.password
        assert not any(mail.password in word for word in psutil.Process(mail.pid).cmdline())
        assert mail.log.parent.stat().st_mode & 0o077 == 0
        client = IMAPClient(HOST, other.port, ssl=False, timeout=5)
        with pytest.raises(LoginError):
            client.login("support@shop.example", mail.password)
        client.shutdown()


def test_a_server_that_is_not_running_has_no_number() -> None:
    mail = Mail()
    with pytest.raises(StackError):
        _ = mail.pid
    mail.close()
