"""A runner behind a proxy that speaks TLS."""

import shutil
import socket
import ssl
import subprocess
import threading
from contextlib import contextmanager, suppress

import pytest
from farm import daemons, watched
from places import job

pytestmark = pytest.mark.skipif(not shutil.which("openssl"), reason="no openssl to certify with")


@contextmanager
def proxy(folder, port):
    """A TLS door before a port of this machine; its address, and its certificate."""
    words = "req -x509 -newkey rsa:2048 -nodes -days 2 -subj /CN=localhost -addext"
    made = ["openssl", *words.split(), "subjectAltName=DNS:localhost"]
    certificate, key = folder / "certificate", folder / "key"
    subprocess.run([*made, "-keyout", key, "-out", certificate], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    threads = []
    with socket.create_server(("127.0.0.1", 0)) as door:

        def serve():
            with suppress(OSError):
                while True:
                    client, _ = door.accept()
                    run(pass_on, context, client, port)

        def run(work, *arguments):
            threads.append(threading.Thread(target=work, args=arguments))
            threads[-1].start()

        run(serve)
        yield f"https://localhost:{door.getsockname()[1]}", certificate
        door.shutdown(socket.SHUT_RDWR)
    for each in threads:
        each.join()


def pass_on(context, client, port):
    """Pass one connection on, if its client trusts us."""
    with (
        client,
        suppress(OSError),
        context.wrap_socket(client, server_side=True) as outer,
        socket.create_connection(("127.0.0.1", port)) as inner,
    ):
        back = threading.Thread(target=copy, args=(inner, outer))
        back.start()
        copy(outer, inner)
        back.join()


def copy(source, sink):
    with suppress(OSError):
        while data := source.recv(65536):
            sink.sendall(data)
    with suppress(OSError):
        sink.shutdown(socket.SHUT_RDWR)
    with suppress(OSError):
        source.shutdown(socket.SHUT_RDWR)


def test_a_runner_is_spoken_to_by_https_and_must_be_trusted(tmp_path, monkeypatch):
    with daemons(tmp_path / "farm") as (runner,), proxy(tmp_path, runner.port) as (url, trusted):
        with watched(tmp_path / "state", [url]) as watcher:
            watcher.until(lambda: "CERTIFICATE" in watcher.executor.runners().runners[0].said)
        monkeypatch.setenv("SSL_CERT_FILE", str(trusted))

        with watched(tmp_path / "state", [url]) as watcher:
            hello = job(tmp_path, 0, "echo hello")
            watcher.submit(hello)

            assert watcher.end(hello.key).cause is None
