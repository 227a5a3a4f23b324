"""Why an event or a search is filtered: the reasons that the log keeps, and that exports and metrics show.

A filtered record stays in the log and in its export, with its reason, and counts in nothing that is derived from it.
"""

# known when the record comes (events/event_validation.py, events/personal_fields.py)
BOT = "bot"
FORGED = "forged query id"
TOO_LATE = "long after its search"
WRONG_CLOCK = "time that is not now"
UNREACHABLE = "position that no search shows"
# known then, or from the log later
TOO_EARLY = "click before its search"
# known from the log only (spam/click_spam.py, spam/item_promotion.py)
FLOOD = "flood"
NOT_SHOWN = "clicked item was not shown"
BEYOND = "position that its search did not show"
EVERYTHING = "clicked everything at once"
PROMOTION = "clicks little but one item that is pushed"
REPEATED = "repeated clicks"

# all of ours; imported records may bring others
REASONS = (
    *(BOT, FORGED, TOO_EARLY, TOO_LATE, WRONG_CLOCK, UNREACHABLE),
    *(FLOOD, NOT_SHOWN, BEYOND, EVERYTHING, PROMOTION, REPEATED),
)
