"""Where runs, tasks, attempts and history are kept."""
