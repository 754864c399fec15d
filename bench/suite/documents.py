"""The documents that servers fetch: arrays of records such as an API answers with."""

import itertools
import json
import random

from .servers import DOCUMENTS

SIZES = {
    "tiny.json": 0,  # as small as one can be
    "1k.json": 1_000,
    "16k.json": 16_000,
    "100k.json": 100_000,
    "256k.json": 256_000,
    "1m.json": 1_000_000,
    "4m.json": 4_000_000,
    "64m.json": 64_000_000,
}
_LANGUAGES = ("en", "ja", "es", "pt", "ar", "fr", "ko", "tr", "id", "de", "ru", "it")
_WORDS = 'fetch worker queue latency shared event loop parse json café 東京 данные "quoted"'.split()


def write():
    """Writes those that are missing; the same bytes on every machine."""
    DOCUMENTS.mkdir(parents=True, exist_ok=True)
    for name, size in SIZES.items():
        path = DOCUMENTS / name
        if not path.exists():
            path.write_text(_array(size) if size else '{"lang":"en"}', encoding="utf-8")
            path.chmod(0o644)


def _array(size):
    chance = random.Random(size)
    # The largest ones repeat themselves, which no reader of them notices.
    some = [_record(chance, number) for number in range(min(1000, size // 300))]
    records, length = [], 2
    for record in itertools.cycle(some):
        length += len(record.encode()) + 1
        if records and length > size:
            return "[" + ",".join(records) + "]"
        records.append(record)
    raise AssertionError("unreachable")


def _record(chance, number):
    fields = {
        "id": 505874924095815700 + number,
        "created_at": f"Sun Aug 31 00:29:{number % 60:02} +0000 2014",
        "text": " ".join(chance.choices(_WORDS, k=chance.randint(6, 18))),
        "user": {
            "id": chance.randrange(2**31),
            "screen_name": f"user_{chance.randrange(2**30):x}",
            "followers_count": chance.randrange(100_000),
            "verified": chance.random() < 0.1,
            "location": chance.choice(["", "東京", "Berlin", "São Paulo"]),
        },
        "lang": chance.choice(_LANGUAGES),
        "score": round(chance.uniform(0, 1000), 4),
        "favorited": False,
        "in_reply_to": None,
        "entities": {"hashtags": chance.choices(_WORDS, k=2), "indices": [number % 70, 90]},
    }
    return json.dumps(fields, ensure_ascii=False, separators=(",", ":"))
