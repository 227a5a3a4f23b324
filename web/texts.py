"""Every sentence of the page, by name and language, so that another language is one more dictionary."""

from collections.abc import Callable

ENGLISH = {
    "tagline": "Search with words, with a picture, or with both",
    "search": "Search",
    "search_label": "Search the catalogue",
    "placeholder": "What are you looking for?",
    "placeholder_compose": "Add words, for example “in red”",
    "picture_button": "Search with a picture",
    "picture_submit": "Search with this picture",
    "picture_hint": "Choose, paste or drop a picture to search with it",
    "drop_here": "Drop the picture to search with it",
    "skip": "Skip to the results",
    "results": "Results",
    "results_for": "Results for “{q}”",
    "everything": "Have a look around",
    "like_headline": "More like “{title}”",
    "picture_headline": "What looks like your picture",
    "with_words": "{headline}, and “{q}”",
    "count_none": "No results",
    "count_one": "1 result",
    "count_many": "{n} results",
    "filters": "Filters",
    "filters_active": "Filters ({n})",
    "close_filters": "Show results",
    "filter_by": "Filter by {field}",
    "apply": "Apply",
    "from": "From",
    "to": "to",
    "show_more_values": "Show all {n}",
    "remove_filter": "Remove the filter {filter}",
    "clear_all": "Clear all",
    "chip_not": "not {text}",
    "chip_picture": "Your picture",
    "chip_like": "Like {title}",
    "remove_picture": "Search without the picture",
    "remove_like": "Search without the item",
    "sort": "Sort by",
    "sort_relevance": "Best match",
    "sort_browse": "As they come",
    "sort_price": "Price, low to high",
    "sort_-price": "Price, high to low",
    "sort_newest": "Newest",
    "sort_title": "Name, A to Z",
    "more_like_this": "More like this",
    "more_like_title": "More like {title}",
    "show_more": "Show more",
    "shown_of": "{shown} of {total}",
    "end": "These are all.",
    "nothing": "Nothing really matches.",
    "nothing_q": "Nothing really matches “{q}”.",
    "nothing_hint": "Try other or fewer words, or search with a picture.",
    "nothing_filters": "The filters may be too narrow.",
    "without_filters": "Search without filters",
    "nearest": "The nearest there is",
    "empty_title": "There is nothing to search yet",
    "empty_body": "Import a catalogue and build its index, then come back to this page:",
    "problem_title": "That did not work",
    "back_to_search": "Back to the search",
    "inferred": "probably {value}",
    "details": "Details",
    "outward": "See it at its own place",
    "similar": "Similar things",
    "no_picture": "No picture",
    "category": "Category",
    "price": "Price",
    "suggestions": "Suggestions",
    "suggestions_count": "{n} suggestions, use the arrow keys",
    "searching": "Searching …",
    "failed": "The search did not go through. Is the server running?",
    "api": "For programs",
    "yes": "Yes",
    "no": "No",
}

LANGUAGES = {"en": ENGLISH}


def texts_for(language: str) -> Callable[..., str]:
    """The function that gives a named sentence of this language, filled with what it is about."""
    texts = LANGUAGES.get(language, ENGLISH)

    def text(name: str, **values: object) -> str:
        return texts[name].format(**values) if values else texts[name]

    return text
