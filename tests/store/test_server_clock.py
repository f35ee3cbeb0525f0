from segue.store.server_clock import ServerClock


def clock(server, own):
    return ServerClock(lambda: server, lambda: own)


def test_times_are_translated_where_the_clocks_differ():
    ahead = clock(server=1000.0, own=400.0)

    assert (ahead.to_server(500.0), ahead.from_server(1100.0)) == (1100.0, 500.0)


def test_times_are_left_alone_where_the_clocks_nearly_agree():
    assert clock(server=1000.4, own=1000.0).to_server(500.1) == 500.1


def test_never_stays_never():
    assert clock(server=1000.0, own=400.0).from_server(0.0) == 0.0
