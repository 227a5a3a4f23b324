"""What is drawn follows from names: not from the order of rows, and hardly from the other names."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from magpie.indexer.draws import draw_key, draw_keys, in_random_order, random_partners

NAMES = [f"item-{n}" for n in range(2_000)]


def test_keys_are_uniform_and_belong_to_their_names() -> None:
    keys = draw_keys(NAMES)
    assert keys.dtype == np.int64 and keys.tolist() == [draw_key(name) for name in NAMES]
    shares = np.histogram(keys, bins=10, range=(0, 2.0**63))[0] / len(NAMES)
    assert np.abs(shares - 0.1).max() < 4 * np.sqrt(0.1 * 0.9 / len(NAMES))  # four standard deviations
    assert draw_key("\ud800") != draw_key("")


@given(st.permutations(list(range(30))))
def test_partners_are_the_same_whatever_the_order_of_rows(order: list[int]) -> None:
    names = np.array(NAMES[:30])
    keys, shuffled = draw_keys(names), names[order]
    rows = np.arange(30)
    partner_of = dict(zip(names, names[random_partners(rows, keys)], strict=True))
    again = dict(zip(shuffled, shuffled[random_partners(rows, draw_keys(shuffled))], strict=True))
    assert partner_of == again and sorted(partner_of.values()) == sorted(names)
    assert all(name != partner for name, partner in partner_of.items())
    assert shuffled[in_random_order(rows, draw_keys(shuffled))].tolist() == names[in_random_order(rows, keys)].tolist()


def test_one_more_name_changes_one_partner() -> None:
    rows = np.arange(100)
    before = random_partners(rows, draw_keys(NAMES[:100]))
    after = random_partners(np.arange(101), draw_keys(NAMES[:101]))[:100]
    assert (before != after).sum() == 1
