"""Why a step is not done, as a closed list of codes, and what a person can do about each.

The one rule: a code is all that Temporal, logs and the clear ledger ever learn of a difficulty; no message of a driver,
which may quote a value, goes with it.
"""

from enum import StrEnum


class Code(StrEnum):
    """Every reason the engine knows for a step that is not done."""

    UNREACHABLE = "unreachable"
    BUSY = "busy"
    INTERNAL = "internal"
    CREDENTIALS = "credentials"
    RIGHTS = "rights"
    ROW_SECURITY = "row_security"
    SCHEMA = "schema"
    BLOCKED = "blocked"
    ENVIRONMENT = "environment"
    FUSE = "fuse"
    OBSERVE = "observe"
    NO_WRITER = "no_writer"
    SEVERAL_PEOPLE = "several_people"
    LEFT_BEHIND = "left_behind"
    MANUAL = "manual"
    HOLD = "hold"
    DEFERRED = "deferred"
    WITHDRAWN = "withdrawn"
    UNSUPPORTED = "unsupported"
    TOO_LARGE = "too_large"
    STORE = "store"
    APPROVAL = "approval"
    IDENTITY = "identity"
    UNTIED = "untied"
    MINOR = "minor"
    MINOR_IN_USE = "minor_in_use"
    MINOR_NOT_GONE = "minor_not_gone"
    QUEUED = "queued"
    MAP_CHANGED = "map_changed"
    RULED_OUT = "ruled_out"
    ADDRESS = "address"
    SHAPE = "shape"
    FAILED = "failed"
    REFUSED = "refused"
    LATE = "late"
    THIRD_PARTIES = "third_parties"
    QUOTA = "quota"
    TOO_MANY_LINKS = "too_many_links"
    INTERIM = "interim"
    DEADLINE = "deadline"
    APPEAL = "appeal"
    EGRESS = "egress"
    RECIPIENT = "recipient"
    PUBLISHED = "published"
    WORKED_OUT = "worked_out"
    ACKNOWLEDGE = "acknowledge"
    NOT_EXTENDED = "not_extended"
    LEGAL_HOLD = "legal_hold"
    MFA_DELETE = "mfa_delete"
    ARCHIVED = "archived"
    NO_PLACE = "no_place"
    NOT_DENIED = "not_denied"
    MENTIONS = "mentions"
    RESIDUE = "residue"
    NOT_SEARCHED = "not_searched"
    SIDE_EFFECTS = "side_effects"
    REPLICA = "replica"
    NOT_RECTIFIABLE = "not_rectifiable"
    VALUE = "value"
    NO_ROW = "no_row"
    CHANGED_BACK = "changed_back"
    DECISION = "decision"
    CONSULTATION = "consultation"
    FEE = "fee"
    NOT_GRANTED = "not_granted"
    COOLING = "cooling"
    STOPPED = "stopped"
    COPY_FIRST = "copy_first"
    JOINED = "joined"
    RECOURSE = "recourse"
    NOT_LOCKED = "not_locked"
    STILL_LOCKED = "still_locked"
    RESTRICTION_REVIEW = "restriction_review"
    REST_IN_USE = "rest_in_use"
    REST_REVIEW = "rest_review"
    ALSO_ASKED = "also_asked"
    """The text that came with a request may ask for another right as well."""
    USE_TOLD = "use_told"
    """The person is to hear of a use of their restricted data before anything is handed over for it."""
    ACCURACY = "accuracy"
    STATEMENT = "statement"
    WEIGH = "weigh"
    CONTESTED = "contested"
    NOWHERE = "nowhere"
    REVIEW = "review"
    NO_RECEIVER = "no_receiver"
    TRANSFER_REFUSED = "transfer_refused"
    POST_OUT = "post_out"
    POST_IN = "post_in"
    BOUNCED = "bounced"
    MAIL_REFUSED = "mail_refused"
    MAIL_UNSURE = "mail_unsure"
    RETURNED = "returned"
    RESTORED = "restored"
    INCIDENT = "incident"
    UNDONE = "undone"


ADVICE: dict[Code, str] = {
    Code.UNREACHABLE: "The system does not answer. Check that it runs and that the worker can reach it; the step goes on by itself when it does.",
    Code.BUSY: "The system answers but is locked or overloaded. The step tries again by itself.",
    Code.INTERNAL: "The connector failed in a way nobody foresaw. Look up the reference in the worker's log, then rule 'retry'.",
    Code.CREDENTIALS: "The system refuses the credentials. Correct the secret that the data map names, restart the worker, then rule 'retry'.",
    Code.RIGHTS: "The credential lacks a right on a part of the data map. Grant it (the page of the connector lists what it needs), then rule 'retry'.",
    Code.ROW_SECURITY: "Row security would hide rows from this role, and hidden rows would be missed. Give the role BYPASSRLS or use another, then rule 'retry'.",
    Code.SCHEMA: "A table or column of the data map is not in the system. Correct the map or the system (habeas map check), restart the worker, then rule 'retry'.",
    Code.BLOCKED: "The system refused the change because other rows still point to these. Add the missing collection or link to the data map, then rule 'retry'.",
    Code.ENVIRONMENT: "The system's environment mark is missing or is not the worker's, so nothing was destroyed. Make sure this is the right system, mark it (the page of the connector says how), then rule 'retry'.",
    Code.FUSE: "More people than max_people_per_hour would have been erased in this system. If that is expected, wait or raise the number in the data map, then rule 'retry'.",
    Code.OBSERVE: "The system is in mode 'observe', so nothing was destroyed. Read the preview; when you trust it, set mode: approve or auto in the data map, restart the worker, then rule 'retry'.",
    Code.NO_WRITER: "The data map names no writer credential for this system, so it can only be read. Add connection.writer, restart the worker, then rule 'retry'.",
    Code.SEVERAL_PEOPLE: "More than one row in a subject table matches, or a row is somebody else's too and the map says to ask. Compare the masked candidates and rule 'choose' with the numbers of those that are this person's.",
    Code.LEFT_BEHIND: "After the erasure a look still finds rows of this person. Something writes them again, or a link is missing from the data map. Find out which, then rule 'retry'.",
    Code.MANUAL: "Only a person can do this. Follow the instructions in the data map, then rule 'done' or 'retry'.",
    Code.HOLD: "A hold covers this person. What it covers is not destroyed while it is in force; it goes on by itself once it is released, and the person is answered by the due date in any case.",
    Code.DEFERRED: "What is left here waits for a date.",
    Code.WITHDRAWN: "The request was withdrawn, or passed on to another controller.",
    Code.UNSUPPORTED: "The connector cannot do this operation. Do it by hand in the system and rule 'done', or rule 'give_up' and say so in the answer.",
    Code.TOO_LARGE: "The system's description is larger than the connector can take on at once. Split it into several systems in the data map, restart the worker, then rule 'retry'.",
    Code.STORE: "The parcel store cannot be written to, most often because the disk is full. Make room; the step goes on by itself, or at once when ruled 'retry'.",
    Code.APPROVAL: "The erasure waits for approval. Read the preview (habeas request preview), then approve it.",
    Code.IDENTITY: "The asker's identity is not confirmed yet. Check it by the means you have, then confirm it.",
    Code.UNTIED: "Something was given beside what is proven, and nothing says that it is the same person's, so the request waits and nothing is looked for (habeas identity status names it). Have it proven (habeas identity send-code), vouch for it once it is compared (attest --proves), or leave it out of the request (leave-out).",
    Code.MINOR_IN_USE: "What is said to be a child's data was to be out of use within minutes of the report, and is not everywhere yet. See what the restriction waits on (habeas minor list names it, then habeas explain) and see to that, or have whoever runs the system take it out of use by hand. It goes off the desk by itself once everything is out of use, or once it is gone.",
    Code.MINOR_NOT_GONE: "A second person has said that this is a child's data, and it was to be gone within a day of that. See what the erasure waits on (habeas explain) and see to that; what a hold or a duty to keep covers stays, out of use. It goes off the desk by itself once the erasure is closed.",
    Code.MINOR: "Somebody says that this is a child's data, and it is put out of use; nothing is erased before somebody else says so too. Look into it, then say what it is (habeas minor rule): a child's, and it is erased at once; or not, and it is given free.",
    Code.QUEUED: "Waits for its turn in the system: until the system can take it, or is asked once for many people together. Nothing to do: it goes on by itself.",
    Code.MAP_CHANGED: "The data map this request was planned on is not the worker's any more. Rule 'retry' to plan again on the present map.",
    Code.RULED_OUT: "An agent ruled that this step is given up; the answer has to say so.",
    Code.ADDRESS: "The system's name, or a redirect of its own, leads to an address that is not allowed, so nothing was sent there. If the address is right, list it in the data map (options: hosts or private), restart the worker, then rule 'retry'.",
    Code.SHAPE: "The system answered in a shape that its file does not describe, at the place named, so nothing was concluded from it. Compare the answer with the vendor's documentation, correct the file, restart the worker, then rule 'retry'.",
    Code.REFUSED: "The system understood what it was asked, and will not do it; its file knows this answer. Look it up in the system (docs/vendors.md says what can be behind it), remove the cause, then rule 'retry'.",
    Code.FAILED: "The system took the work on, and says now that it failed. Look it up in the system, remove the cause, then rule 'retry': it is asked for again.",
    Code.LATE: "The system took the work on, and is not done within its own term. Ask the vendor; rule 'retry' to look again.",
    Code.THIRD_PARTIES: "Messages to be delivered also concern other people. Read them, then rule 'choose' with the numbers of those that may be delivered; the others are left out.",
    Code.TOO_MANY_LINKS: "The person's rows name more identities for other systems than the engine follows for one request, so nothing was concluded from the look. See whether a field of the data map with 'identity' or 'yields' holds what it should; what is really one person's has to be seen to by hand: then rule 'give_up', and say so in the answer.",
    Code.LEGAL_HOLD: "The system itself holds data of this person under a legal hold; everything else is erased. It is looked each day whether the hold is off; rule 'retry' to look at once. The answer says by its date that it stays, and what is left is come back to once a month.",
    Code.MFA_DELETE: "The bucket lets versions be deleted only by its owner with a second factor (MFA delete), so nothing was destroyed. Delete them by hand, or suspend MFA delete and rule 'retry'.",
    Code.ARCHIVED: "Objects of this person are archived and must be restored before they can be read. Restore them, or set restore_days in the data map and restart the worker, then rule 'retry'.",
    Code.NO_PLACE: "An identity has a slash or another character that the key template has no place for, so objects were not looked for by it. Look for them by hand; then rule 'give_up', and say in the answer what came of it.",
    Code.NOT_DENIED: "The bucket's policy, or the row security, view or policy of the table named, does not deny what is restricted, so a restriction would stop nobody. Add the statement (docs/s3.md; habeas map check --live prints the one for a table), then rule 'retry'.",
    Code.SIDE_EFFECTS: "The database changed more than the plan says, in the tables named: a cascade, a trigger or a rule; all of it was taken back. Add these tables to the data map, or name them under options: side_effects if that is meant to happen, restart the worker, then rule 'retry'.",
    Code.REPLICA: "The primary shows nothing of this person any more; the replica that the data map names is no streaming copy of it, or still shows rows though it has replayed past the erasure. Find out what that server is, and rebuild it or name another (connection.replica), restart the worker, then rule 'retry'.",
    Code.NOT_RECTIFIABLE: "The field named cannot be rectified: it tells rows apart or joins them, is worked out from other fields, is not in the data map, or nobody would be found by it any more. Nothing was changed. Correct the fields that it comes from, or do it by hand in the system; then rule 'give_up', and say so in the answer.",
    Code.VALUE: "The system does not take the new value of the field named: it is too long, of another type, empty where something must stand, breaks a rule of the table, another row has it, or a trigger makes something else of it. Nothing was changed. Correct what stands in the way and rule 'retry'; or do it by hand and rule 'give_up', and say so in the answer.",
    Code.NO_ROW: "The row that is to be rectified is not among this person's rows in the collection named (any more), so nothing was changed. Compare its key with the preview, then rule 'retry', or 'give_up' if nothing is left to correct.",
    Code.CHANGED_BACK: "The field named was rectified and says something else again: a trigger, the application or an import writes to it. Find out which and stop it, then rule 'retry'.",
    Code.NOT_LOCKED: "A look after the restriction still finds rows of this person that are not locked away. Something writes them, or takes the lock off. Find out which, then rule 'retry'.",
    Code.STILL_LOCKED: "The restriction was lifted, and a look still finds rows that it has locked away. Something puts the lock back, or at a vendor another request of the person keeps them locked as well: then they are put back by themselves once that one is over. Find out what, then rule 'retry'.",
    Code.RESTRICTION_REVIEW: "The restriction is due to be reviewed. See whether its ground still holds, then keep it (habeas restriction review) or have it lifted (habeas restriction lift).",
    Code.ALSO_ASKED: "By its words the text that came with the request may ask for this right as well. Read it (habeas request show), ask the person where it is not clear, open a request for it with the same --received-at, then rule 'done'; 'give_up' if it does not ask for it.",
    Code.REST_IN_USE: "What an erasure had to leave in this system is not locked away: its way of restricting would change rows that a hold keeps, or it could not be done. See that nobody uses these rows for anything but what they are kept for (docs/holds.md says what is tried where), then rule 'done', or 'give_up' if that cannot be. They go by themselves when nothing keeps them any more.",
    Code.REST_REVIEW: "What an erasure has kept on a ground without an end was kept for as long as was set. See whether that ground still holds, then keep it (habeas rest keep), have it erased (habeas rest erase), or, if it has to be used for what it is kept for, opened (habeas rest open).",
    Code.USE_TOLD: "The person is to be told that data whose use they had stopped is used on the ground of the use named, what of it, for whom and until when; and of a consent, how they take it back (habeas restriction uses REQUEST shows it). Tell them, then enter what was written (habeas restriction use-told). Nothing is handed over before.",
    Code.ACCURACY: "The person says that data is wrong. Check it, then say of each field whether it is corrected (habeas rectification decide).",
    Code.STATEMENT: "The person has given a statement that goes with their data in this system. Put it there (habeas rectification show prints it), then rule 'done'; rule 'give_up' if it has no place, and say so in the answer.",
    Code.WEIGH: "The person objects, on grounds of their own situation, and the data is restricted meanwhile. Weigh it (habeas objection show prints what was said), then say what came of it (habeas objection weigh): it is upheld unless there is a ground of the law that outweighs it, with evidence and an approver.",
    Code.CONTESTED: "The person wants an automated decision looked at by somebody. Whoever has not made it hears them (habeas automated show), looks at it anew, and says what came of it (habeas automated decide).",
    Code.NOWHERE: "No system of the data map says that it uses data for what is to stop, so nothing but our own list has been told. Say under uses or opt_out of the map where it happens, restart the worker and rule 'retry'; or see to it by hand and rule 'done'; rule 'give_up' if it happens nowhere.",
    Code.QUOTA: "The system has no room left for what has to be moved. Make room or raise its quota, then rule 'retry'.",
    Code.MENTIONS: "Texts that are not known to be this person's mention them. Read the rows, then rule 'choose' with the numbers of those that are this person's; the others stay as they are, and 'none' leaves all.",
    Code.RESIDUE: "What this person is known by still stands in the columns listed, or a table could not be searched, although all that the data map knows is done. Look into them: add the table to the data map or clean it up and rule 'retry', or rule 'choose' with the numbers of those that must still be cleaned; the others may stay, are said to be kept, and are asked about again only if they become more. 'none' lets all stay.",
    Code.NOT_SEARCHED: "The texts of the table named could not be searched, most often because that takes longer than statement_timeout allows, so nothing was concluded. Add the index that habeas map check --live names or raise the limit, restart the worker, then rule 'retry'.",
    Code.DECISION: "A decision on the request is proposed, and nothing is destroyed before it is settled. Read it (habeas decision show), then approve or drop it.",
    Code.CONSULTATION: "The data protection officer is asked about a decision, until the time shown with it. Read it (habeas decision show), then agree or dissent; without an answer it goes on then.",
    Code.FEE: "The person was asked for a fee, and nothing is done before it is paid. Enter that it was paid (habeas decision paid), or that it was not (unpaid): then the request is refused on the same ground.",
    Code.NOT_GRANTED: "A decision in force refuses the request, so nothing was destroyed.",
    Code.COOLING: "The cooling-off of the erasure is not over, so nothing was destroyed. Nothing to do: it goes on by itself.",
    Code.STOPPED: "Somebody with the token of the notice has stopped this erasure, and nothing is destroyed. Find out who asked for what, then two agents say so: habeas request review, release or withdraw.",
    Code.COPY_FIRST: "The same person has asked for a copy of the data, which is made before anything is erased. Nothing to do here: it goes on when that request has its parcel, or is closed.",
    Code.JOINED: "An earlier request of the same person asks the same. Nothing to do: the answer to that one names both.",
    Code.RECOURSE: "A copy of this person's data was refused or given in part, and the law keeps the data for as long as the person may complain (PIPEDA s. 8(8), Singapore's PDPA s. 22A), or they have appealed against that answer and it is not decided, so nothing was destroyed. Rule 'retry' once that is over, or 'give_up' and say so in the answer.",
    Code.EGRESS: "The register of recipients has no basis today for sending the recipient named anything: its contract is over, or its transfer abroad has no way that reaches its country or is overdue for review (habeas recipient check says which). Nothing was sent. Renew it and correct the register, restart the worker and rule 'retry', or rule 'give_up' and say so in the answer. Where it is about telling a recipient what was done, tell it in another way and enter what it answers (habeas recipient answered).",
    Code.RECIPIENT: "The recipient named was told what was done and has not answered yet, or not for its own processors. When it has, enter it: habeas recipient answered; ask again once the day named is past.",
    Code.PUBLISHED: "What is erased had been made public. Other controllers may have links to it, or copies: those whom the register names are told by themselves. See what else can reasonably be done to tell others (GDPR Art. 17(2)), do it, and enter it: habeas recipient published.",
    Code.WORKED_OUT: "What is named is worked out from data that was corrected. Have it made anew from what is right now, as your own job does it, or find that it does not rest on what was corrected; then enter it: habeas rectification remade.",
    Code.APPEAL: "The person appeals against the answer. Somebody who has not decided on the request decides, with reasons: habeas appeal decide, before the day that habeas appeal show names.",
    Code.DEADLINE: "The legal due date is three days away, or past. See what the request waits on (habeas explain) and see to that, or have the term extended while a notice is still in time (habeas clock extend); then rule 'done', or 'give_up' if nothing can be done.",
    Code.ACKNOWLEDGE: "The law sets a day by which the receipt has to be acknowledged, and it is near. Send the acknowledgement and enter it (habeas clock acknowledge), then rule 'done'; rule 'give_up' if none is to be sent.",
    Code.NOT_EXTENDED: "The notice of an extension went out, and extends nothing: too late, or the clock stood still by then. The due date is what it was (habeas clock show). Answer by it, then rule 'done'; rule 'give_up' if nothing can be done.",
    Code.REVIEW: "The copy is prepared, and may be about other people too, in the collections that the data map marks. Go through it (habeas review show), take out what is about others (habeas review redact), then let it be delivered (habeas review release).",
    Code.POST_OUT: "The letter named cannot be sent by mail. Print it (habeas letter show LETTER --text), post it or hand it over by the date named, then rule 'done' with --on and the day; rule 'give_up' if it is not to be sent.",
    Code.POST_IN: "Something is to come in by post until the date named. When it is here rule 'done' with --on and the day it came; rule 'give_up' if it is waited for no longer.",
    Code.BOUNCED: "The letter named came back: it could not be delivered. Find out how the person can be reached; rule 'retry' to send it again, 'done' with --on once it was brought over in another way, 'give_up' if it is not to be sent.",
    Code.MAIL_REFUSED: "The mail server would not take the letter named, or it lacks something it must say (habeas letter show tells which, and with --text what). Correct that and rule 'retry'; or bring it over in another way and rule 'done' with --on.",
    Code.MAIL_UNSURE: "The worker was cut off while it handed the letter named to the mail server, so it may have gone out or not. Look in the server's log or among its sent mail: rule 'done' if it went out, 'retry' to send it (again).",
    Code.NO_RECEIVER: "The data is to go to a receiver that the receivers file does not name, or there is no such file, so nothing was sent. Add the receiver (docs/portability.md), restart the worker, then rule 'retry'; rule 'give_up' to hand the parcel to the person instead.",
    Code.TRANSFER_REFUSED: "The receiver did not take the data in, or its receipt is not right; how far it has come there is not known. Ask them (their log says why), then rule 'retry', or 'give_up' to hand the parcel to the person instead.",
    Code.RETURNED: "Days after the request was answered a look finds the person again, where they had been erased, or a field that says again what was corrected; the request is open again. Find out what writes it. Rule 'retry' to do it once more; 'done' if the person has come back of their own accord and these rows are new; 'give_up' if it cannot be done.",
    Code.RESTORED: "The system was restored from a backup, so what was done there is done again. Nothing to do: it goes on by itself (habeas replay show).",
    Code.INCIDENT: "The request stands still for an incident: nothing of it is changed, handed over, sent or closed. It goes on by itself once that is lifted (habeas incident lift) or the incident is closed.",
    Code.UNDONE: "The system named was restored from a backup, which has undone what this request had done there, and what that was is destroyed by now, so the engine cannot do it again. Find out from your own records what it was (habeas request show says when and under which right), do it by hand in the system, then rule 'done'; rule 'give_up' if nobody can tell.",
    Code.INTERIM: "The due date comes near and the answer is not whole yet. Send the person what is done and what is outstanding (habeas request interim prints it), then rule 'done'; rule 'give_up' if it is not to be sent.",
}
"""For the person whose desk the task lies on; one or two sentences, the first says what is, the second what to do."""
