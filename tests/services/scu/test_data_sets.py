"""Between raw elements and pydicom's data sets."""

import threading
import warnings

import pytest

from isocenter.services.data_sets import quiet_pydicom


@pytest.mark.filterwarnings("error")
def test_threads_that_quieten_pydicom_leave_the_warnings_as_they_were() -> None:
    first_is_in, second_is_in = threading.Event(), threading.Event()
    first_may_go, second_may_go = threading.Event(), threading.Event()

    def quieten(is_in: threading.Event, may_go: threading.Event) -> None:
        with quiet_pydicom():
            is_in.set()
            may_go.wait(10)

    filters = list(warnings.filters)
    first = threading.Thread(target=quieten, args=(first_is_in, first_may_go))
    second = threading.Thread(target=quieten, args=(second_is_in, second_may_go))
    first.start()
    assert first_is_in.wait(10)
    second.start()
    second_is_in.wait(0.2)  # only where nothing keeps it out
    first_may_go.set()
    first.join(10)
    second_may_go.set()
    second.join(10)
    assert list(warnings.filters) == filters
