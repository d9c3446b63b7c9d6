"""A worker at another place behaves as one beside the service does: the same tests, run on it."""

from __future__ import annotations

import pytest
from tests.gpu.test_worker_hang import (  # noqa: F401
    test_a_stopped_worker_is_found_by_its_missing_heartbeats,
    test_a_stuck_worker_is_found_by_its_missing_steps,
)
from tests.gpu.test_worker_load import (  # noqa: F401
    test_a_worker_tells_that_it_warms_up_before_it_is_ready,
)
from tests.gpu.test_worker_log import (  # noqa: F401
    test_a_flood_of_output_breaks_nothing,
    test_log_lines_come_with_the_correlation_id_of_their_request,
    test_prints_come_as_plain_lines_promptly_and_in_order,
)
from tests.gpu.test_worker_process import (  # noqa: F401
    test_a_worker_loads_answers_and_stops,
    test_a_worker_that_somebody_kills_is_noticed,
    test_hello_says_who_it_is,
    test_nothing_is_sent_to_a_process_that_is_gone,
    test_requests_are_answered_in_order_of_arrival,
    test_stop_before_the_process_is_there,
    test_stop_during_the_load_does_not_wait_for_it,
    test_stop_ends_a_worker_that_is_stopped_by_a_signal,
    test_stop_lets_the_request_in_hand_end_and_refuses_the_rest,
    test_stop_terminates_what_does_not_end_in_time,
    test_what_was_said_before_the_end_is_heard,
)
from tests.gpu.test_worker_requests import (  # noqa: F401
    test_a_cancelled_request_stops_within_a_step,
    test_a_deadline_mid_generation_stops_the_work,
    test_a_deadline_that_has_passed_starts_nothing,
    test_an_answer_over_the_wires_bound_is_a_failure,
    test_heartbeats_tell_steps_requests_and_memory,
)

pytestmark = pytest.mark.anyio
