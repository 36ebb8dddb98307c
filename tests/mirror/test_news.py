"""News of a mirror site: real feeds read by a real parser, what of them matters, and feeds that mean harm."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.matrix.tls import server
from tests.mirror.places import NOW, loopback, mirror, source
from trtdoctor.matrix import Matrix
from trtdoctor.mirror import news
from trtdoctor.mirror_facts import MirrorNews, MirrorSource
from trtdoctor.net.http import Client

__all__ = ["loopback"]

# The shape of TUNA's feed.xml (tuna/mirror-web at aa28144: RSS 2.0 by Jekyll), with posts of our own.
RSS = """<?xml version="1.0" encoding="UTF-8"?>
<rss version="2.0" xmlns:atom="http://www.w3.org/2005/Atom"><channel><title>mirrors</title><link>https://m.example/</link>
{}</channel></rss>"""
ITEM = "<item><title>{}</title><description>{}</description><pubDate>{}</pubDate><link>{}</link></item>"
DAY = "Sun, 09 Aug 2026 12:00:00 +0800"


def feed(*entries: tuple[str, str], day: str = DAY) -> bytes:
    items = (ITEM.format(title, text, day, "https://m.example/news/") for title, text in entries)
    return RSS.format("".join(items)).encode()


def titles(matrix: Matrix, *entries: tuple[str, str], day: str = DAY) -> list[str]:
    read = news.read(feed(*entries, day=day), "application/xml")
    assert read is not None
    return [entry.title for entry in news.matters(read, matrix, (), now=NOW)]


@pytest.mark.parametrize(
    ("title", "text", "tells"),
    [
        ("关于移除若干软件镜像的通知", "Anaconda, OpenWrt, Flutter", False),
        ("关于移除若干软件镜像的通知", "Anaconda, OpenWrt, PyPI", True),
        ("关于移除PyPI镜像的通知", "", True),
        ("镜像站维护通知", "all services", True),
        ("Anaconda 镜像即将恢复", "", False),
        ("PyPI mirror restored", "", True),
        ("New mirror: nvidia-cuda", "", False),
        ("The CUDA mirror is retired", "", True),
        ("Scheduled maintenance of Alpine", "", False),
        ("Removed: pipewire", "the pipewire repository", False),
        ("Dark mode and more", "docker pypi nvidia", False),
    ],
)
def test_what_matters_is_told_by_topic_and_subject(matrix: Matrix, title: str, text: str, tells: bool) -> None:
    assert (titles(matrix, (title, text)) == [title]) is tells


def test_history_is_no_news(matrix: Matrix) -> None:
    entry = ("PyPI removed", "")
    assert titles(matrix, entry, day="Mon, 05 Aug 2024 12:00:00 +0000") == []
    assert titles(matrix, entry, day="no date") == ["PyPI removed"]


def test_atom_and_times_in_utc(matrix: Matrix) -> None:
    body = b"""<feed xmlns="http://www.w3.org/2005/Atom"><title>t</title><id>x</id>
    <entry><title>NGC proxy shut down</title><id>1</id><updated>2026-11-02T03:00:00+08:00</updated>
    <link href="https://u:s3cret@m.example/n?token=s3cret"/>
    <content type="html">&lt;p&gt;gone</content></entry></feed>"""
    read = news.read(body)
    assert read is not None
    (entry,) = news.matters(read, matrix, (), now=NOW)
    assert entry == MirrorNews("NGC proxy shut down", "2026-11-01T19:00:00Z", "https://m.example/n")


def test_words_of_the_source_itself_count(matrix: Matrix) -> None:
    read = news.read(feed(("vllm packages removed", "")))
    assert read is not None
    assert news.matters(read, matrix, (), now=NOW) == ()
    assert len(news.matters(read, matrix, ("vllm",), now=NOW)) == 1


def test_a_feed_of_a_site_is_asked_only_at_the_host_that_was_named(matrix: Matrix) -> None:
    tuna = "https://mirrors.tuna.tsinghua.edu.cn/static/tunasync.json"
    assert news.address_of(mirror(tuna), matrix) == "https://mirrors.tuna.tsinghua.edu.cn/feed.xml"
    assert news.address_of(mirror(tuna.replace("mirrors.", "mirror.")), matrix) is None
    assert news.address_of(mirror(tuna, kind="pypi"), matrix) is None
    assert news.address_of(mirror(tuna, news="https://n.example/f"), matrix) == "https://n.example/f"


def look(matrix: Matrix, body: bytes, *, status: int = 200, before: MirrorSource | None = None) -> MirrorSource:
    with server(lambda path, headers: (status, {"content-type": "text/xml"}, body)) as address, Client(20) as client:
        wanted = mirror("https://m.example/", news=f"http://{address}/feed.xml")
        return news.added(source(), wanted, matrix, client, before=before, now=NOW)


@pytest.mark.usefixtures("loopback")
def test_entries_come_into_the_source_and_stay_when_the_feed_is_gone(matrix: Matrix) -> None:
    found = look(matrix, feed(("PyPI removed", "")))
    assert [entry.title for entry in found.news] == ["PyPI removed"]
    side = found.side("news")
    assert side is not None
    assert side.state == "ok"
    later = look(matrix, b"no", status=404, before=found)
    assert later.news == found.news
    gone = later.side("news")
    assert gone is not None
    assert (gone.state, gone.detail) == ("absent", "HTTP 404")


@pytest.mark.usefixtures("loopback")
def test_what_is_no_feed_is_said(matrix: Matrix) -> None:
    for body, state in ((b"<html><p>hello", "other-kind"), (b"", "other-kind"), (b"x" * (2 << 20), "hostile")):
        side = look(matrix, body).side("news")
        assert side is not None
        assert side.state == state


@pytest.mark.usefixtures("loopback")
def test_a_feed_names_no_file_and_no_address_that_would_be_read(matrix: Matrix, tmp_path: Path) -> None:
    place = tmp_path / "feed.xml"
    place.write_bytes(feed(("PyPI removed", "")))
    assert news.read(str(place).encode()) is None
    assert news.read(place.as_uri().encode()) is None
    outside = (
        f'<!DOCTYPE r [<!ENTITY x SYSTEM "{place.as_uri()}">]><rss version="2.0"><channel><item><title>&x;</title>'
    )
    assert "removed" not in repr(news.read(outside.encode()))


_HEAD = b'<?xml version="1.0"?><rss version="2.0"><channel>'
_LAUGHS = b"".join(b'<!ENTITY %c "%s">' % (98 + n, b"&%c;" % (97 + n) * 10) for n in range(10))


@pytest.mark.parametrize(
    "body",
    [
        _HEAD + b"<a>" * (1 << 14),
        _HEAD + b"<item><title>" * (1 << 12),
        b'<!DOCTYPE r [<!ENTITY a "xxxxxxxxxx">' + _LAUGHS + b']><rss version="2.0"><channel><item><title>&k;</title>',
        b"<" * (1 << 16),
        _HEAD + b"<item><title>" + b"&" * (1 << 16),
        _HEAD + b"<item><title>\x1b[2J\xe2\x80\xae PyPI removed\xff</title></item></channel></rss>",
        bytes(range(256)) * 64,
    ],
    ids=["deep", "unclosed", "laughs", "lt", "amp", "escapes", "binary"],
)
def test_a_feed_that_means_harm_costs_little_and_shows_nothing(matrix: Matrix, body: bytes) -> None:
    started = time.monotonic()
    for entry in news.matters(news.read(body) or [], matrix, (), now=NOW):
        assert len(entry.title) <= 300
        assert entry.title.isprintable()
    assert time.monotonic() - started < 5
