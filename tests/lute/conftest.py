import pytest
from servers import serving


@pytest.fixture
def server():
    with serving() as server:
        yield server
