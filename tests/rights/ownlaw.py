"""A file of own law for tests. Both provisions are made up, so that nobody takes them for law."""

from datetime import date

CODE, DENIED = "own_pt_1_2020_99", "own_us_tx_0"
LAST = date(2027, 12, 31)
LAW = """
version: "2026-11-27"
grounds:
  own_pt_1_2020_99:
    effect: exempt
    regimes: [eu-gdpr]
    rights: [access]
    article: "Art. 99 of Law 1/2020 (Portugal)"
    says: "business secrets of third parties"
    words:
      en: of business secrets of others, {{ which }} <we> keep
      fr: des secrets d'affaires de tiers
    approver: counsel
    limit: {state: PT, until: 2027-12-31, ends: reading, lifted_when: "nothing of it is secret any more"}
    verified: {by: s-17, day: 2026-11-20}
  own_us_tx_0:
    effect: refuse
    regimes: [us-tx]
    rights: [rectification]
    article: "Tex. Code 0.0 (made up)"
    says: "a made-up reason"
    words: {en: for a made-up reason}
    approver: delegate
    dpo: false
    limit: {state: US-TX, until: 2030-12-31, ends: law, lifted_when: "the made-up reason is gone"}
    verified: {by: s-17, day: 2026-11-20}
"""
