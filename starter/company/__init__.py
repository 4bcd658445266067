"""What the shop's company has besides its database: a mailbox, and accounts at two vendors. For demo and `habeas dev`.

The one rule: everything is invented and lies on this machine. The vendors are stand-ins, and whatever is printed of
them says so.
"""

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from typing import Final

from starter.company.letters import ACCOUNT, letters
from starter.stack import Mail, Vendors
from starter.stack.vendors import amplitude, mailchimp
from starter.stack.vendors.seeding import shop_people

KNOWN: Final = (4, 3)
"""Of each four customers the third uses the app and gets the newsletter."""
AT_VENDORS: Final = ("amplitude", "mailchimp")
MAPS: Final = ("analytics", "newsletter", "support")


class Company:
    """The servers, and what is in them. They are ready once `start` returns, and ended by `close`."""

    def __init__(self, mail: Mail, vendors: Vendors, *, every: str = "2s") -> None:
        """`every`: how often a vendor is asked how its work stands, as the vendors' files write a time."""
        self.mail, self.vendors = mail, vendors
        self._every = every

    def maps(self, environment: str, mode: str) -> dict[str, str]:
        """The data maps by system. They can be written before anything is started."""
        words = {
            "mode: auto ": f"mode: {mode} ",
            "ENVIRONMENT": environment,
            "EVERY": self._every,
            "VENDORS": self.vendors.base,
        }
        return {name: _filled(f"{name}.yaml", words) for name in MAPS}

    def secrets(self) -> dict[str, str]:
        """What the maps name under `file:secrets/`."""
        return {
            "support_mailbox": self.mail.url(ACCOUNT),
            "newsletter_key": mailchimp.KEY,
            "analytics_key": amplitude.PROJECT_KEY[0],
            "analytics_secret": amplitude.PROJECT_KEY[1],
            "analytics_org_key": amplitude.ORG_KEY[0],
            "analytics_org_secret": amplitude.ORG_KEY[1],
        }

    def start(self, environment: str) -> None:
        """Start the servers side by side, and fill those that are empty.

        Raises:
            StackError: one cannot be started.
        """
        with ThreadPoolExecutor(2) as both:
            parts = [both.submit(self._open_mailbox, environment), both.submit(self._open_accounts)]
            for part in parts:
                part.result()

    def close(self) -> None:
        """End the servers."""
        self.mail.close()
        self.vendors.close()

    def _open_mailbox(self, environment: str) -> None:
        self.mail.start()
        client = self.mail.login(ACCOUNT)
        try:
            # The mark of the environment: an erasure refuses a mailbox that bears another, or none.
            client.create_folder(f"Habeas-environment-{environment}")
            made = {"INBOX"}
            for letter in letters():
                if letter.folder not in made:
                    client.create_folder(letter.folder)
                    made.add(letter.folder)
                client.append(letter.folder, letter.raw, [b"\\Seen"] if letter.seen else [], letter.at)
        finally:
            client.logout()

    def _open_accounts(self) -> None:
        self.vendors.start()
        if not any(self.vendors.dump("mailchimp")["members"].values()):
            every, which = KNOWN
            self.vendors.seed(shop_people(2000)[which - 1 :: every], AT_VENDORS)


def _filled(name: str, words: Mapping[str, str]) -> str:
    text = (resources.files("starter.company") / name).read_text()
    for word, value in words.items():
        text = text.replace(word, value)
    return text
