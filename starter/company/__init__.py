"""What the shop's company has besides its database: a mailbox, a bucket, and accounts at two vendors.

The one rule: everything is invented and lies on this machine. The vendors are stand-ins, and whatever is printed of
them says so.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from importlib import resources
from typing import Final

from starter.company import uploads
from starter.company.letters import ACCOUNT, letters
from starter.stack import Mail, Objects, Vendors
from starter.stack.vendors import amplitude, mailchimp
from starter.stack.vendors.seeding import shop_people

KNOWN: Final = (4, 3)
"""Of each four customers the third uses the app and gets the newsletter."""
AT_VENDORS: Final = ("amplitude", "mailchimp")
MAPS: Final = ("analytics", "files", "newsletter", "support")


class Company:
    """The servers, and what is in them. They are ready once `start` returns, full after `fill`, ended by `close`."""

    def __init__(self, mail: Mail, objects: Objects, vendors: Vendors, *, every: str = "2s") -> None:
        """`every`: how often a vendor is asked how its work stands, as the vendors' files write a time."""
        self.mail, self.objects, self.vendors = mail, objects, vendors
        self._every = every

    def maps(self, environment: str, mode: str) -> dict[str, str]:
        """The data maps by system. They can be written before anything is started."""
        words = {
            "mode: auto ": f"mode: {mode} ",
            "ENVIRONMENT": environment,
            "EVERY": self._every,
            "OBJECTS": self.objects.endpoint,
            "VENDORS": self.vendors.base,
        }
        return {name: _filled(f"{name}.yaml", words) for name in MAPS}

    def start(self) -> None:
        """Start the servers side by side.

        Raises:
            StackError: one cannot be started.
        """
        _together(self.mail.start, self.objects.start, self.vendors.start)

    def secrets(self) -> dict[str, str]:
        """What the maps name under `file:secrets/`; the servers are up. Accounts are made once."""
        return {
            "support_mailbox": self.mail.url(ACCOUNT),
            "files_reader": self._bucket_account("reader"),
            "files_writer": self._bucket_account("writer"),
            "newsletter_key": mailchimp.KEY,
            "analytics_key": amplitude.PROJECT_KEY[0],
            "analytics_secret": amplitude.PROJECT_KEY[1],
            "analytics_org_key": amplitude.ORG_KEY[0],
            "analytics_org_secret": amplitude.ORG_KEY[1],
        }

    def fill(self, environment: str) -> None:
        """Fill what is empty."""
        _together(lambda: self._fill_mailbox(environment), lambda: self._fill_bucket(environment), self._fill_accounts)

    def close(self) -> None:
        """End the servers."""
        _together(self.mail.close, self.objects.close, self.vendors.close)

    def _bucket_account(self, role: str) -> str:
        kept = self.objects.home / f"{role}.account"
        if not kept.exists():
            made = self.objects.account(f"shop-{role}", *uploads.policy(role))
            kept.touch(mode=0o600)
            kept.write_text(f"{made.access_key}:{made.secret_key}")
        return kept.read_text()

    def _fill_mailbox(self, environment: str) -> None:
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

    def _fill_bucket(self, environment: str) -> None:
        door = self.objects.client()
        if uploads.open_bucket(door, environment):
            uploads.fill_bucket(door)

    def _fill_accounts(self) -> None:
        if not any(self.vendors.dump("mailchimp")["members"].values()):
            every, which = KNOWN
            self.vendors.seed(shop_people(2000)[which - 1 :: every], AT_VENDORS)


def _together(*parts: Callable[[], None]) -> None:
    with ThreadPoolExecutor(len(parts)) as pool:
        for done in [pool.submit(part) for part in parts]:
            done.result()


def _filled(name: str, words: Mapping[str, str]) -> str:
    text = (resources.files("starter.company") / name).read_text()
    for word, value in words.items():
        text = text.replace(word, value)
    return text
