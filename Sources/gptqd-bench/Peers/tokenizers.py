"""What the tokenizers library makes of random strings and of a text. usage: TOKENIZER.JSON COUNT SEED TEXT RESULT

RESULT gets a JSON line of the library's version and its seconds for TEXT, then one for each string.
"""
import json
import os
import random
import sys
import time

os.environ["TOKENIZERS_PARALLELISM"] = "false"
import tokenizers

path, count, seed, text_path, result = sys.argv[1], int(sys.argv[2]), int(sys.argv[3]), sys.argv[4], sys.argv[5]
tokenizer = tokenizers.Tokenizer.from_file(path)
random.seed(seed)
added = [token["content"] for token in json.load(open(path)).get("added_tokens", [])] or ["<s>"]
words = "the of And LORD don't I'll we've 123 4567 3.14 hello World naïve Straße co-operate https://x.y/z?q=1 def\treturn".split()
# Blocks whose letters every Unicode version since 10 knows, with combining marks, Hangul, emoji and odd spaces.
ranges = [
    (0x20, 0x7E), (0xA0, 0x17F), (0x300, 0x36F), (0x370, 0x3FF), (0x400, 0x4FF), (0x5D0, 0x5EA), (0x620, 0x64A), (0x905, 0x939),
    (0xE01, 0xE3A), (0x1100, 0x11C2), (0x2000, 0x200F), (0x2028, 0x202F), (0x3041, 0x30FF), (0x4E00, 0x9FA5), (0xAC00, 0xD7A3),
    (0xFF01, 0xFF5E), (0x1F300, 0x1F64F), (0x1D400, 0x1D454), (0x00, 0x1F),
]


def piece():
    kind = random.random()
    if kind < 0.45:
        return random.choice(words)
    if kind < 0.55:
        return random.choice([" ", "  ", "\n", "\n\n", "\t", " \n ", "\r\n", "\u00a0", "   "])
    if kind < 0.62:
        return random.choice(added)
    low, high = random.choice(ranges)
    return "".join(chr(random.randint(low, high)) for _ in range(random.randint(1, 6)))


with open(result, "w") as out:
    text = open(text_path, encoding="utf-8").read()
    tokenizer.encode(text[:1000])
    start = time.perf_counter()
    # In lines, as texts are trained on: the library's time grows faster than a text's length.
    for line in text.splitlines(keepends=True):
        tokenizer.encode(line, add_special_tokens=False)
    out.write(json.dumps({"version": tokenizers.__version__, "seconds": time.perf_counter() - start}) + "\n")
    for _ in range(count):
        string = "".join(random.choice(["", "", " "]) + piece() for _ in range(random.randint(0, 24)))
        plain = tokenizer.encode(string, add_special_tokens=False).ids
        out.write(json.dumps({"text": string, "ids": plain, "with_special": tokenizer.encode(string).ids}) + "\n")
