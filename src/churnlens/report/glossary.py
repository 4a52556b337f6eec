"""What do the words of the report mean, in one sentence each."""

from __future__ import annotations

from churnlens.results import Text

GLOSSARY: tuple[tuple[Text, Text], ...] = (
    (
        Text("Departure"),
        Text(
            "A client that stopped ordering, or whose orders fell by half or more and stayed low."
        ),
    ),
    (
        Text("Onset"),
        Text(
            "When ordering first fell. What is done after that is an answer to the "
            "leaving, not its cause."
        ),
    ),
    (
        Text("Expected"),
        Text(
            "Departures that tenure, season and the make-up of the book would lead one to expect."
        ),
    ),
    (
        Text("Driver"),
        Text("Something recorded that may make clients leave, such as a delay or a price."),
    ),
    (
        Text("Cause"),
        Text(
            "A driver that moved before they left and where they left, and that failed none of the "
            "checks that decide. Whether the more of it the more left, its page says."
        ),
    ),
    (
        Text("Symptom"),
        Text(
            "Something that follows the leaving, such as a discount offered to win a client back."
        ),
    ),
    (Text("Bystander"), Text("Something that changed at the same time and does nothing.")),
    (
        Text("Cannot tell"),
        Text("The records do not decide. The page says which record or trial would."),
    ),
    (
        Text("Unexplained"),
        Text("Departures above what was expected for which no recorded driver accounts."),
    ),
    (
        Text("95% interval"),
        Text("Made in this way, 19 of 20 such intervals hold the true figure."),
    ),
    (
        Text("Cost a year"),
        Text(
            "What the clients who left because of the issue brought in the year "
            "before their ordering fell; for those who left in part, that part."
        ),
    ),
    (
        Text("Comparable clients"),
        Text("Clients of the same kind, tenure and period who differ in the thing looked at."),
    ),
    (
        Text("Waterfall"),
        Text(
            "A chart that steps from one total to the next and shows what each "
            "part adds or takes away."
        ),
    ),
)
