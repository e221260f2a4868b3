"""What holds of the relay holds of a BIND: tests of test_relay.py, with
sessions that are opened the other way round."""
import functools

import pytest

import bind
import test_relay
from streams import MB

start = test_relay.start
gateway = test_relay.gateway


@pytest.fixture(params=["never", "always"])
def transport(request):
    """Urgent data is among it, which TLS cannot do."""
    return request.param


both_sides = pytest.mark.parametrize("who", ["client", "server"])


@pytest.fixture
def start_gateway(start_gateway):
    def start(**settings):
        made = start_gateway(rules=bind.BOTH, **settings)
        made.open = functools.partial(bind.open_session, made)
        return made
    return start


@pytest.mark.feature
@both_sides
def test_who_closes_first_still_gets_the_answer(gateway, who):
    """[V4-3.3-11] [V4-4.3-5]"""
    test_relay.test_who_closes_first_still_gets_the_answer(gateway, who, MB)


def test_both_directions_carry_at_once(gateway):
    """[V4-4.3-5]"""
    test_relay.test_both_directions_carry_at_once(gateway)


@both_sides
def test_a_reset_is_passed_on_as_a_reset(gateway, who):
    """[V4-3.3-11]"""
    test_relay.test_a_reset_is_passed_on_as_a_reset(gateway, who)


@both_sides
def test_what_came_before_a_reset_is_delivered(gateway, who):
    """[V4-1-2]"""
    test_relay.test_what_came_before_a_reset_is_delivered(gateway, who, 100)


@both_sides
def test_a_reset_after_a_half_close_is_a_reset(gateway, who):
    test_relay.test_a_reset_after_a_half_close_is_a_reset(gateway, who)


@pytest.mark.feature
@both_sides
def test_urgent_data_stays_urgent_and_in_its_place(gateway, who):
    """[V4-3.3-11]"""
    test_relay.test_urgent_data_stays_urgent_and_in_its_place(
        gateway, who, 4 * MB, b"behind")


def test_both_legs_have_no_delay_and_urgent_data_in_line(start):
    """The peer's inherits them from the listening socket."""
    test_relay.test_both_legs_have_no_delay_and_urgent_data_in_line(start)


def test_many_transfers_at_once_are_all_exact(gateway):
    """Ended ones give their place among a client's BINDs back."""
    test_relay.test_many_transfers_at_once_are_all_exact(gateway)
