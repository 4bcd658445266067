"""A made-up shop's vendors in one process: Google Analytics 4, Amplitude, Mailchimp, Zendesk, Stripe.

For tests and the demo; from the `dev` extra; all data invented, loopback alone. Each vendor behaves as its
own documents say: state that lives through days on a clock that can be moved, credentials, limits.

    with Vendors(people=300) as vendors:      # the first 300 customers of the demo's shop
        httpx2.get(vendors.url("mailchimp") + "/3.0/lists", auth=("any", "mailchimp-key-us1"))
        vendors.advance("P30D")

The one rule: a client of a vendor needs nothing but the vendor's own address, credentials and answers;
whatever else it would need is a fault of the client.

One port; the path's first part stands for the vendor's host:

    here                 stands for                      credentials
    /google/token        oauth2.googleapis.com/token     the service account in `credentials()["google"]`
    /google/v1alpha      analyticsadmin.googleapis.com   its token, scope analytics.edit
    /google/analytics    www.googleapis.com/analytics    its token, scope analytics.user.deletion
    /amplitude           amplitude.com                   Basic amplitude-project-key:amplitude-project-secret
        .../dsar/        the same                        Basic amplitude-org-key:amplitude-org-secret
    /mailchimp           us1.api.mailchimp.com           Basic any:mailchimp-key-us1, or the key as Bearer
    /zendesk             made-up-shop.zendesk.com        Basic agent@shop.example/token:zendesk-token, or Bearer
    /stripe              api.stripe.com                  Basic sk_test_fake:, or Bearer; for jobs also a
                                                         Stripe-Version that ends in .preview

Amplitude's results lie in an object store under another host name (localhost, /store): a signed address that
refuses an Authorization header.

The operations, as faults and the record name them:

    google     token, delete, upsert
    amplitude  deletion.create, deletion.list, deletion.revoke, access.create, access.status, access.output,
               user.search, user.activity
    store      download
    mailchimp  ping, lists, list, search, members, member.add, member, member.put, member.update, member.archive,
               member.delete, member.activity, member.feed, member.tags, member.tag, member.notes,
               member.events, member.goals
    zendesk    user.search, users, user, user.update, user.delete, user.identities, user.related,
               user.requested, user.ccd, user.compliance, deleted.list, deleted, deleted.delete, ticket,
               ticket.update, ticket.delete, ticket.comments, deleted_ticket.list, deleted_ticket.delete, comment.redact
    stripe     customers.search, .list, .create, .get, .update, .delete; charges.list, invoices.list,
               payment_intents.list, .cancel; subscriptions.list, .cancel; jobs.create, .list, .get, .update,
               .validate, .run, .cancel, .errors

Limits that are enforced, on the vendors' clock: Google 500 a day (Pacific time) and 1.5 a second; Amplitude one
call a second and 100 ids a call for deletions, 360 lookups an hour, 14,400 DSAR cost an hour (POST 8, GET 1);
Mailchimp 10 simultaneous requests; Zendesk 700 requests a minute and 700 permanent deletions in 10 minutes;
Stripe 100 a second and 10 objects a job.

How long things take: Google hides a person after 72 hours and erases at the next two-monthly run; Amplitude runs
a batch 10 to 13 days after its first request (fixed 3 days before) and answers an access request in a day, for
two days; Zendesk's products complete after 10 minutes, a day and 3 days, and the bin is emptied after 30 days;
Stripe validates for half a minute and redacts for ten. A Google token expires after an hour on this clock.

The controls are `Vendors`' methods, or HTTP under /_control/:

    GET|POST clock             {"advance": "P30D", "frozen": true}
    GET|POST|DELETE faults     `faults.Fault`, or a list of them
    POST seed                  {"people": [...]} (`seeding.completed`) or {"count": 300} of the shop's customers
    POST reset                 a new world, at the machine's time
    GET dump?vendor=           the back door
    GET|DELETE traffic         ?vendor=&operation=&since=; every request, credentials as digests, `worked`
    POST callbacks             {"stripe": "http://127.0.0.1:8000/hook"}: events of redaction jobs
    GET credentials, GET health
"""

from starter.stack.vendors.process import Vendors

__all__ = ["Vendors"]
