import pytest

from segue.store.server_url import shown, without_secrets


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://ann:s3cret@host/lab",
        "postgresql://ann:s3cret@one:1,two:2/lab?sslmode=require",
        "postgresql://host/lab?user=ann&password=s3cret",
        "redis://:s3cret@host:6379/0",
        "rediss://host/0?password=s3cret#x",
        "oracle://ann:s3cret@host",
    ],
)
def test_a_password_is_never_shown(url):
    assert "s3cret" not in shown(url)
    assert "s3cret" not in without_secrets(f"cannot reach {url} (s3cret)", url)


@pytest.mark.parametrize(
    "url", ["postgresql:///lab", "redis://host:6379/0?prefix=a:b@c", "sqlite:///a/b:c@d.db"]
)
def test_a_url_without_a_password_is_shown_as_it_is(url):
    assert shown(url) == url
