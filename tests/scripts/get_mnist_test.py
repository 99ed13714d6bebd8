#!/usr/bin/env python3
"""scripts/get_mnist against a local server, with small files in place of MNIST.

The script runs as it is; only its table of files is replaced. Exit code 77: no curl here.
"""

import gzip
import hashlib
import http.server
import os
import random
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import threading
import unittest

SCRIPT = os.path.join(os.path.dirname(__file__), "..", "..", "scripts", "get_mnist")
NAMES = (
    "train-images-idx3-ubyte",
    "train-labels-idx1-ubyte",
    "t10k-images-idx3-ubyte",
    "t10k-labels-idx1-ubyte",
)
CONTENTS = {name: random.Random(name).randbytes(40_000) for name in NAMES}
FILES = {f"{name}.gz": gzip.compress(data, mtime=0) for name, data in CONTENTS.items()}


class Mirror(http.server.ThreadingHTTPServer):
    """Serves `files`; `ranges` says whether it can continue; `cut` closes after so many bytes."""

    daemon_threads = True

    def __init__(self, files, ranges=True, cut=None):
        super().__init__(("127.0.0.1", 0), Handler)
        self.files, self.ranges, self.cut = files, ranges, cut
        self.requests = []
        threading.Thread(target=self.serve_forever, args=(0.01,), daemon=True).start()

    @property
    def url(self):
        return f"http://127.0.0.1:{self.server_port}"

    def __exit__(self, *error):
        self.shutdown()
        super().__exit__(*error)


class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        name, wanted = self.path.lstrip("/"), self.headers.get("Range")
        self.server.requests.append((name, wanted))
        body = self.server.files.get(name)
        if body is None:
            return self.send_error(404)
        start = 0
        if wanted and self.server.ranges:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted).group(1))
            if start >= len(body):
                return self.send_error(416)
            self.send_response(206)
            self.send_header("Content-Range", f"bytes {start}-{len(body) - 1}/{len(body)}")
        else:
            self.send_response(200)
        self.send_header("Content-Length", str(len(body) - start))
        self.end_headers()
        self.wfile.write(body[start : self.server.cut])

    def log_message(self, *_):
        pass


def closed_port():
    with Mirror({}) as mirror:
        url = mirror.url
    return url


class GetMnistTest(unittest.TestCase):
    def setUp(self):
        self.root = tempfile.mkdtemp()
        self.addCleanup(shutil.rmtree, self.root)
        self.data = os.path.join(self.root, "data")
        self.script = os.path.join(self.root, "get_mnist")
        with open(SCRIPT, encoding="utf-8") as file:
            text = file.read()
        table = "\n".join(
            f"{name} {len(data)} {hashlib.sha256(data).hexdigest()}" for name, data in CONTENTS.items()
        )
        text, replaced = re.subn(r'(readonly files=")[^"]*"', rf'\1\n{table}"', text)
        self.assertEqual(replaced, 1, "scripts/get_mnist has no table of files any more")
        with open(self.script, "w", encoding="utf-8") as file:
            file.write(text)

    def run_script(self, *mirrors):
        environment = dict(os.environ, EBB_MNIST_MIRRORS=" ".join(mirrors))
        environment = {k: v for k, v in environment.items() if not k.lower().endswith("_proxy")}
        return subprocess.run(
            ["bash", self.script, self.data], env=environment, capture_output=True, text=True, timeout=300
        )

    def put(self, name, content):
        os.makedirs(self.data, exist_ok=True)
        with open(os.path.join(self.data, name), "wb") as file:
            file.write(content)

    def assert_complete(self, answer):
        self.assertEqual(answer.returncode, 0, answer.stderr)
        self.assertEqual(sorted(os.listdir(self.data)), sorted(FILES))
        for name, data in CONTENTS.items():
            with gzip.open(os.path.join(self.data, f"{name}.gz")) as file:
                self.assertEqual(file.read(), data)

    def test_four_files_are_downloaded_and_a_second_run_asks_nobody(self):
        with Mirror(FILES) as mirror:
            self.assert_complete(self.run_script(mirror.url + "/"))
            self.assertEqual(len(mirror.requests), 4)
        again = self.run_script(closed_port())
        self.assert_complete(again)
        self.assertEqual(again.stdout.count("there, verified"), 4)

    def test_a_mirror_may_compress_differently(self):
        other = {name: gzip.compress(gzip.decompress(data), 1, mtime=7) for name, data in FILES.items()}
        with Mirror(other) as mirror:
            self.assert_complete(self.run_script(mirror.url))

    def test_an_interrupted_download_goes_on_where_it_stopped(self):
        name = f"{NAMES[0]}.gz"
        self.put(f"{name}.part", FILES[name][:15_000])
        with Mirror(FILES) as mirror:
            self.assert_complete(self.run_script(mirror.url))
            self.assertEqual(mirror.requests[0], (name, "bytes=15000-"))

    def test_what_a_broken_connection_delivered_is_kept_for_the_next_mirror(self):
        with Mirror(FILES, cut=10_000) as broken, Mirror(FILES) as sound:
            self.assert_complete(self.run_script(broken.url, sound.url))
            self.assertIn("bytes=10000-", [wanted for _, wanted in sound.requests])

    def test_a_server_that_cannot_continue_is_asked_for_the_whole_file(self):
        name = f"{NAMES[0]}.gz"
        self.put(f"{name}.part", FILES[name][:15_000])
        with Mirror(FILES, ranges=False) as mirror:
            self.assert_complete(self.run_script(mirror.url))

    def test_a_part_of_something_else_is_thrown_away(self):
        for size in (15_000, 200_000):
            with self.subTest(size=size), Mirror(FILES) as mirror:
                self.put(f"{NAMES[0]}.gz.part", b"x" * size)
                self.assert_complete(self.run_script(mirror.url))
                shutil.rmtree(self.data)

    def test_a_complete_part_needs_no_download(self):
        name = f"{NAMES[0]}.gz"
        self.put(f"{name}.part", FILES[name])
        with Mirror(FILES) as mirror:
            self.assert_complete(self.run_script(mirror.url))
            self.assertEqual(len(mirror.requests), 3)

    def test_a_mirror_that_sends_a_page_or_404_is_passed_over(self):
        page = {name: b"<html>403 Forbidden</html>" for name in FILES}
        with Mirror(page) as liar, Mirror({}) as empty, Mirror(FILES) as sound:
            answer = self.run_script(liar.url, empty.url, closed_port(), sound.url)
        self.assert_complete(answer)
        self.assertIn("that is not the MNIST file", answer.stderr)
        self.assertIn("HTTP status 404", answer.stderr)
        self.assertIn("no answer or broken off", answer.stderr)

    def test_a_damaged_file_is_fetched_again(self):
        name = f"{NAMES[1]}.gz"
        self.put(name, FILES[name][:-1])
        with Mirror(FILES) as mirror:
            answer = self.run_script(mirror.url)
        self.assert_complete(answer)
        self.assertIn(f"{name}: damaged", answer.stderr)

    def assert_kept(self, mirror, *words):
        """The script stops, says why, leaves every file as it is and does not prompt."""
        before = {}
        for name in os.listdir(self.data):
            path = os.path.join(self.data, name)
            before[name] = os.readlink(path) if os.path.islink(path) else self.content(path)
        answer = self.run_script(mirror.url)
        self.assertEqual(answer.returncode, 4, answer.stderr)
        for word in words:
            self.assertIn(word, answer.stderr)
        after = {}
        for name in os.listdir(self.data):
            path = os.path.join(self.data, name)
            after[name] = os.readlink(path) if os.path.islink(path) else self.content(path)
        self.assertEqual(before, after)
        self.assertEqual(mirror.requests, [])

    @staticmethod
    def content(path):
        if os.path.isdir(path):
            return sorted(os.listdir(path))
        with open(path, "rb") as file:
            return file.read()

    def test_another_data_set_of_the_same_names_is_kept(self):
        labels = struct.pack(">2I", 0x801, 40) + bytes(40)
        images = struct.pack(">4I", 0x803, 2, 28, 28) + bytes(2 * 784)
        for name, content in (
            (f"{NAMES[1]}.gz", gzip.compress(labels)),
            (f"{NAMES[3]}.gz", gzip.compress(b"any other text")),
            (NAMES[0], images),
            (f"{NAMES[0]}.gz", images),
            (NAMES[1].replace("-idx", ".idx"), labels),
        ):
            with self.subTest(name=name), Mirror(FILES) as mirror:
                self.put(name, content)
                self.assert_kept(mirror, name, "not MNIST", "It is kept")
                shutil.rmtree(self.data)

    def test_uncompressed_files_of_mnist_are_enough(self):
        for spelling in (lambda name: name, lambda name: name.replace("-idx", ".idx")):
            for name in NAMES:
                self.put(spelling(name), CONTENTS[name])
            with Mirror(FILES) as mirror:
                answer = self.run_script(mirror.url)
                self.assertEqual(answer.returncode, 0, answer.stderr)
                self.assertEqual(mirror.requests, [])
            self.assertEqual(answer.stdout.count("there, verified"), 4)
            shutil.rmtree(self.data)

    def test_links_and_directories_in_the_place_of_a_file_are_not_replaced(self):
        os.makedirs(os.path.join(self.data, f"{NAMES[0]}.gz"))
        with Mirror(FILES) as mirror:
            self.assert_kept(mirror, NAMES[0], "is a link or no file")
        shutil.rmtree(self.data)
        os.makedirs(self.data)
        os.symlink("elsewhere", os.path.join(self.data, f"{NAMES[2]}.gz"))
        with Mirror(FILES) as mirror:
            self.assert_kept(mirror, NAMES[2], "is a link or no file")

    def test_a_damaged_file_that_is_replaced_keeps_its_permissions(self):
        name = f"{NAMES[1]}.gz"
        self.put(name, FILES[name][:-1])
        os.chmod(os.path.join(self.data, name), 0o600)
        with Mirror(FILES) as mirror:
            self.assert_complete(self.run_script(mirror.url))
        self.assertEqual(os.stat(os.path.join(self.data, name)).st_mode & 0o777, 0o600)

    def test_wrong_files_everywhere_leave_nothing_behind(self):
        wrong = {name: gzip.compress(b"0" * 40_000) for name in FILES}
        with Mirror(wrong) as mirror:
            answer = self.run_script(mirror.url)
        self.assertEqual(answer.returncode, 4)
        self.assertEqual(os.listdir(self.data), [])

    def test_offline_it_says_what_to_put_where(self):
        url = closed_port()
        answer = self.run_script(url)
        self.assertEqual(answer.returncode, 4)
        self.assertEqual(answer.stdout, "")
        for name in FILES:
            self.assertIn(f"{url}/{name}", answer.stderr)
        self.assertIn(f"train_mnist --data {self.data}", answer.stderr)

    def test_a_directory_that_cannot_be_written_is_named(self):
        self.data = "/dev/null/mnist"
        answer = self.run_script(closed_port())
        self.assertEqual(answer.returncode, 4)
        self.assertIn("error: /dev/null/mnist: cannot write there", answer.stderr)


if __name__ == "__main__":
    if shutil.which("curl") is None:
        print("skipped: curl is not installed (scripts/install_deps data)")
        sys.exit(77)
    unittest.main()
