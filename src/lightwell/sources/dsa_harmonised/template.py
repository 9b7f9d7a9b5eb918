"""What the template fixes: columns, codes and rows, in its order, and their English wording."""

import re

CODE = re.compile(r"TOTAL|(?:STATEMENT_CATEGORY|KEYWORD)_[A-Z0-9_]+")
FORM = re.compile(r"YYYY-MM-DD.*|Text to detail.*|\[?(?:\.\.\.|…)\]?|[A-Z]{2}, \[?…\]?, [A-Z]{2}")  # not filled in
RESTRICTIONS = ["removal", "disabled", "demoted", "age_restricted", "interaction_restricted", "labelled", "other"]
OWN = ["measures", "automated"] + [f"visibility_{kind}" for kind in RESTRICTIONS]
OWN += ["monetary_suspension", "monetary_termination", "monetary_other", "service_suspension", "service_termination"]
OWN += ["account_suspension", "account_termination"]
COLUMNS = {  # of each part by category: its numbers in the order of the template; as many columns of context follow
    "orders": ["act", "act_items", "act_receipt", "act_effect", "inform", "inform_receipt", "inform_effect"],
    "notices": [
        *["notices", "notices_trusted", "items", "items_trusted", "time", "time_trusted"],
        *["by_law", "by_law_trusted", "by_terms", "by_terms_trusted"],
    ],
    "own_illegal": OWN,
    "own_terms": OWN,
}
ILLEGAL = re.compile(
    "ill[eé]g|ileg|illicit|illecit|rechtswidrig|il[ií]cit|onrechtmatig|nielegal|ulovlig|olaglig|παράνομ"
)
TERMS = re.compile("incompat|unvereinbar|onverenigbaar|niezgodn|uforenelig|oförenlig|ασυμβίβαστ|conditions")

DECISIONS = ["upheld", "partially reversed", "reversed"]
COMPLAINT = ["total", *DECISIONS, "time"]
APPEALS: list[tuple[str, list[str]]] = [  # part 7: indicators and their scopes, in the order of the template
    ("complaints", [*COMPLAINT, "omitted"]),
    ("restrictions", ["total"]),
    *[(f"complaints about {about}", COMPLAINT) for about in ("visibility", "the service", "an account", "money")],
    *[(f"complaints about {about}", COMPLAINT) for about in ("no action", "no action for a trusted flagger")],
    ("disputes", [*COMPLAINT, "omitted", "implemented"]),
    *[(f"suspensions for {reason}", ["total"]) for reason in ("illegal content", "notices", "complaints")],
]
AUTOMATED = ["measures", "other measures", "accuracy", "precision", "recall"]
NOTICES = ["notices", "other notices", "accuracy", "precision", "recall"]
MEANS = [("all", AUTOMATED), ("own initiative", AUTOMATED), ("notices", NOTICES), ("trusted flaggers", NOTICES)]
PEOPLE = ["internal", "external", "linguistic"]
RATES = ("accuracy", "precision", "recall")


LANGUAGES = frozenset("bg cs da de el en es et fi fr ga hr hu it lt lv mt nl pl pt ro sk sl sv".split())  # noqa: SIM905
COUNTRIES = frozenset(
    "at be bg cy cz de dk ee el es fi fr gr hr hu ie is it li lt lu lv mt nl no pl pt ro se si sk".split()  # noqa: SIM905
)
OWN_HEADERS = [
    "Number of measures taken at the provider's own initiative",
    "Number of measures taken after detection with solely automated means",
    *[
        f"Visibility restriction {kind}"
        for kind in ("Removal", "Disable", "Demoted", "Age restricted", "Interaction restricted", "Labelled", "Other")
    ],
    *[f"Monetary restriction {kind}" for kind in ("Suspension", "Termination", "Other")],
    *["Provision of the service Suspension", "Provision of the service Termination"],
    *["Account restriction Suspension", "Account restriction Termination"],
]
HEADERS = {
    "orders": [
        "Number of orders to act against illegal content received",
        "Number of specific items of information included in the total number of orders to act against illegal content",
        "Median time to inform the authority of the receipt of the order to act against illegal content",
        "Median time to give effect to the order to act against illegal content",
        "Number of orders to provide information",
        "Median time to inform the authority of the receipt of the order to provide information",
        "Median time to give effect to the order to provide information",
    ],
    "notices": [
        "Number of notices received",
        "Number of notices received from Trusted flaggers",
        "Number of specific items of information included in the total number of notices",
        "Number of specific items of information included in the total number of notices by Trusted Flaggers "
        "(Trusted Flagger notices)",
        "Median time to take action",
        "Median time to take action (Trusted Flagger notices)",
        "Number of actions taken on the basis of the law",
        "Number of actions taken on the basis of the law (Trusted Flagger notices)",
        "Number of actions taken on the basis of the terms and conditions of the service",
        "Number of actions taken on the basis of the terms and conditions of the service (Trusted Flagger notices)",
    ],
    "own_illegal": OWN_HEADERS,
    "own_terms": OWN_HEADERS,
}

APPEALS_WORDS = {
    "number of complaints submitted to the internal-complaints mechanism": "complaints",
    "number of restrictions newly imposed as a result of an internal complaint": "restrictions",
    "complaint regarding a decision to remove or disable access to or restrict visibility of information": (
        "complaints about visibility"
    ),
    "complaint regarding a decision to suspend or terminate the provision of the service": (
        "complaints about the service"
    ),
    "complaint regarding a decision to suspend or terminate an account": "complaints about an account",
    "complaint regarding a decision to restrict the ability to monetise information": "complaints about money",
    "complaint regarding a decision not to take action on a notice submitted in accordance with article 16": (
        "complaints about no action"
    ),
    "complaint regarding a decision not to take action on a notice submitted by a trusted flagger in accordance with "
    "article 16": "complaints about no action for a trusted flagger",
    "number of disputes submitted to out-of-court dispute settlement bodies": "disputes",
    "number of suspensions enacted for the provision of manifestly illegal content": "suspensions for illegal content",
    "number of suspensions enacted for the provision of manifestly unfounded notices": "suspensions for notices",
    "number of suspensions enacted for the provision of manifestly unfounded complaints": "suspensions for complaints",
}
SCOPE_WORDS = {
    "total number": "total",
    "decisions upheld": "upheld",
    "decisions partially reversed": "partially reversed",
    "decisions reversed": "reversed",
    "median time": "time",
    "decision omitted": "omitted",
    "decisions omitted": "omitted",
    "percentage of outcomes implemented": "implemented",
}
MEANS_WORDS = {
    "number of measures solely taken by automated means": "measures",
    "number of measures not taken by automated means": "other measures",
    "number of notices solely processed by automated means": "notices",
    "number of notices not processed by automated means": "other notices",
    "accuracy of the automated means - accuracy": "accuracy",
    "accuracy of the automated means - precision": "precision",
    "accuracy of the automated means - recall": "recall",
}
MEANS_SCOPES = {
    "total number": "all",
    "own-initiative": "own initiative",
    "nam total": "notices",
    "nam trusted flagger": "trusted flaggers",
}
PEOPLE_WORDS = {
    "number of internal moderators employed by the provider": "internal",
    "number of external moderators contracted by the provider": "external",
    "number of total moderators with sufficient linguistic expertise": "linguistic",
}


def in_english(text: str, words: dict[str, str]) -> str:
    """What a printed text stands for, by the English wording of the template; empty where it is another."""
    return words.get(" ".join(text.casefold().replace("–", "-").split()), "")


def slug_of(code: str) -> str:
    """A code of the template as the declaration has it: `protection_of_minors`."""
    return re.sub("^(statement_category|keyword)_", "", code.lower())
