"""The words by which feeds say yes and no, in lower case."""

# fmt: off
YES = frozenset([
    "true", "yes", "y", "ja", "oui", "sí", "si", "sì", "sim", "tak", "ano", "igen", "evet", "да", "wahr", "vrai", "on",
])
NO = frozenset([
    "false", "no", "n", "nein", "non", "nee", "não", "nao", "nie", "ne", "nem", "hayır", "нет", "falsch", "faux", "off",
])
