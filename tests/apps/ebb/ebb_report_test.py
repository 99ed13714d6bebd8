#!/usr/bin/env python3
"""`ebb report`, `ebb draw` and `ebb plot` from outside. The page in a browser: tests/report/."""

import base64
import html
import json
import re
import shutil
import signal
import subprocess
import time
import unittest

from ebb_case import EbbTest, main, program, provenance
from model_files import DDPM, read_safetensors, write_model, write_safetensors

QUICK = ("--fast", "--threads", "1", "--model", "m.safetensors")
IMAGE = re.compile(r'src="data:image/png;base64,([^"]+)"')
COMMAND = re.compile(r'<div class="command"><code>(.*?)</code>', re.DOTALL)


def commands_of(page: str) -> set:
    """The command lines of a page, whose words are elements."""
    return {html.unescape(re.sub(r"<[^>]*>", "", text)) for text in COMMAND.findall(page)}


class ReportTest(EbbTest):
    def report(self, *arguments, rc: int = 0) -> subprocess.CompletedProcess:
        return self.ebb("report", *QUICK, *arguments, rc=rc)

    def page(self, directory: str = "out") -> str:
        return (self.dir / directory / "index.html").read_text(encoding="utf-8")

    def test_holds_every_image_and_names_its_command(self) -> None:
        done = self.report("-o", "out", "--sections", "photos,samples", "--kernels", "direct")
        files = sorted((self.dir / "out" / "figures").iterdir())
        figures = {re.sub(r"-\d+$", "", file.stem) for file in files}
        self.assertRegex(done.stdout, rf"\Aout/index.html  {len(figures)} figures in ")
        page = self.page()
        embedded = {base64.b64decode(data) for data in IMAGE.findall(page)}
        self.assertEqual(embedded, {file.read_bytes() for file in files})
        commands = commands_of(page)
        self.assertEqual(commands, {" ".join(provenance(file)["argv"]) for file in files})
        self.assertIn("seeds 180 to 189", page)
        self.assertTrue(any("--seed 180 --kernels direct" in command for command in commands))

    def test_the_help_names_the_sections(self) -> None:
        error = self.report("-o", "out", "--sections", "nosuch", rc=2).stderr
        names = error[error.index("Choose from ") + len("Choose from "):].strip().rstrip(".")
        self.assertIn(names, " ".join(self.ebb("report", "--help").stdout.split()))

    def test_rerun_makes_every_figure_again_byte_for_byte(self) -> None:
        self.report("-o", "out", "--seed", "7")
        last = {}  # of the figures that are several files
        for file in sorted((self.dir / "out" / "figures").glob("*.png")):
            command = tuple(provenance(file)["argv"])
            self.assertEqual(command[0], "ebb")
            if command not in last or provenance(file)["image"] > provenance(last[command])["image"]:
                last[command] = file
        self.assertGreater(len(last), 35)
        self.assertGreater(sum(provenance(file)["image"] > 0 for file in last.values()), 6)
        for file in last.values():
            self.ebb("rerun", file.relative_to(self.dir), "-o", "again.png")
            self.assertEqual((self.dir / "again.png").read_bytes(), file.read_bytes(), file.name)
            (self.dir / "again.png").unlink()

    def test_draws_what_another_section_starts_from(self) -> None:
        self.report("-o", "out", "--sections", "forward")
        self.assertIn("digit-3.png", {f.name for f in (self.dir / "out" / "figures").iterdir()})
        self.assertNotIn('id="digits"', self.page())

    def test_words_title_images_and_prompts_can_be_the_users(self) -> None:
        self.ebb("test-image", "cat", "-o", "mine.png")
        (self.dir / "words.md").write_text(
            "My *first* report.\n\n# edit\nI ran `ebb edit` <b>twice</b>.\n\n...\n\nAnd again.\n")
        self.report("-o", "out", "--sections", "photos,edit,text-edit,anagrams,inpaint", "--title", "Ada & Co",
                    "--text", "words.md", "--photo", "mine.png", "--mask", "mine.png",
                    "--prompts", "text-edit=two", "anagrams=6/9,2/5:flip")
        page = self.page()
        self.assertIn("<title>Ada &amp; Co</title>", page)
        self.assertIn("<p>My <em>first</em> report.</p>", page)
        self.assertRegex(page, r"<p>I ran <code>ebb edit</code> &lt;b&gt;twice&lt;/b&gt;\.</p>\s*<p>Add noise"
                               r"[\s\S]*<p>And again\.</p>")
        commands = commands_of(page)
        self.assertTrue(any("edit" in c and "-i mine.png" in c and "--prompt two" in c for c in commands))
        self.assertTrue(any("--mask mine.png" in c for c in commands))
        self.assertTrue(any("--prompts 2 5 --view flip" in c for c in commands))
        self.assertFalse(any("test-image tower" in c for c in commands))
        self.assertNotIn(str(self.dir), page)

    def test_wrong_words_images_and_prompts_are_refused_before_any_work(self) -> None:
        (self.dir / "words.md").write_text("# edits\nwords\n")
        done = self.report("-o", "out", "--text", "words.md", rc=2)
        self.assertIn('line 1: no section "edits". Did you mean edit?', done.stderr)
        self.assertIn("6-9", self.report("-o", "out", "--prompts", "anagrams=6-9", rc=2).stderr)
        self.assertIn("expected text-edit=", self.report("-o", "out", "--prompts", "blur=1", rc=2).stderr)
        self.report("-o", "out", "--photo", "gone.jpg", rc=4)
        self.report("-o", "out", "--photo", "words.md", rc=3)
        self.assertFalse((self.dir / "out").exists())

    def test_a_run_goes_to_the_section_of_its_settings(self) -> None:
        write_model(self.dir / "time.safetensors", "mnist_time_multiply", {"type": "flow"})
        self.report("-o", "out", "--sections", "time-flow", "--run", "time.safetensors")
        self.assertTrue(any("sample --model time.safetensors" in c for c in commands_of(self.page())))
        self.report("-o", "shipped", "--sections", "time-flow")
        self.assertTrue(any("sample --model mnist-time-flow" in c for c in commands_of(self.page("shipped"))))

    def test_progress_names_the_section(self) -> None:
        done = self.report("-o", "out", "--sections", "photos,forward", "--progress", "lines")
        self.assertIn("Photos and sketches", done.stderr)
        self.assertIn("1.1 The forward process", done.stderr)

    def test_networks_are_drawn_from_their_graphs(self) -> None:
        self.report("-o", "out", "--sections", "denoiser,time,class")
        drawings = re.findall(r"<svg.*?</svg>", self.page(), re.DOTALL)
        self.assertEqual(len(drawings), 3)
        for text in ("down1", "unflatten", "concat init_conv, up2", "ConvT 4\u00d74 \u21912"):
            self.assertIn(text, drawings[0])
        self.assertNotIn("time1", drawings[0])
        self.assertIn("unflatten \u00d7 class1 + time1", drawings[2])

    def test_a_missing_model_leaves_a_box_with_the_way_to_train_it(self) -> None:
        alone = self.dir / "bin" / "ebb"  # finds no pretrained model next to it
        alone.parent.mkdir()
        shutil.copy(program(), alone)
        done = subprocess.run(
            [alone, "report", "-o", "out", "--sections", "class,time-flow,pure-noise", "--fast"],
            cwd=self.dir, capture_output=True, text=True, check=True,
        )
        self.assertRegex(done.stdout, r"left out \d figures: The model mnist-class is not here\.")
        page = self.page()
        self.assertEqual(page.count('class="missing"'), 3)
        for flags in ("--model class", "--model time --objective flow", "--model denoiser --input noise"):
            self.assertIn("train_mnist " + flags, html.unescape(re.sub(r"<[^>]*>", "", page)))

    def test_a_model_without_classes_leaves_out_what_needs_them(self) -> None:
        write_model(self.dir / "time.safetensors", "mnist_time_add", DDPM)
        self.ebb("report", "-o", "out", "--sections", "guidance", "--fast", "--model",
                 "time.safetensors")
        self.assertIn("time.safetensors knows none", self.page())

    def test_an_existing_directory_is_refused_and_replaced_with_force(self) -> None:
        (self.dir / "out").mkdir()
        (self.dir / "out" / "mine.txt").write_text("mine")
        done = self.report("-o", "out", "--sections", "photos", rc=4)
        self.assertIn("--force", done.stderr)
        self.assertEqual([f.name for f in (self.dir / "out").iterdir()], ["mine.txt"])
        # Among the sections one whose figure is an animation.
        self.report("-o", "out", "--sections", "photos,film", "--force")
        self.report("-o", "out", "--sections", "photos,film", "--force")
        self.assertTrue((self.dir / "out" / "figures" / "film.webp").exists())
        self.assertEqual((self.dir / "out" / "mine.txt").read_text(), "mine")
        (self.dir / "site").mkdir()
        (self.dir / "site" / "index.html").write_text("<html>mine</html>")
        self.assertIn("is no report", self.report("-o", "site", "--force", rc=4).stderr)
        self.assertEqual((self.dir / "site" / "index.html").read_text(), "<html>mine</html>")
        (self.dir / "file").write_text("")
        self.assertIn("is a file", self.report("-o", "file", rc=4).stderr)

    def test_unknown_sections_and_models_are_refused_before_any_work(self) -> None:
        done = self.report("-o", "out", "--sections", "photos,nothing", rc=2)
        self.assertIn('no section "nothing"', done.stderr)
        self.assertIn("anagrams", done.stderr)
        self.ebb("report", "-o", "out", "--model", "no-such-model", rc=4)
        self.ebb("report", "-o", "out", "--model", "gone.safetensors", rc=4)
        self.assertFalse((self.dir / "out").exists())

    def test_an_interrupt_leaves_no_page(self) -> None:
        run = subprocess.Popen(
            [program(), "report", *QUICK, "-o", "out"],
            cwd=self.dir, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        )
        deadline = time.monotonic() + 60
        while not list((self.dir / "out" / "figures").glob("*.png")) and time.monotonic() < deadline:
            time.sleep(0.01)
        run.send_signal(signal.SIGINT)
        self.assertNotEqual(run.wait(), 0)
        self.assertFalse((self.dir / "out" / "index.html").exists())
        self.assertEqual(list((self.dir / "out").rglob("*.tmp")), [])

    def test_draw_makes_each_image_the_same_every_time(self) -> None:
        for name in ("tower", "snowman", "swan", "snake", "balloon", "cat", "mask"):
            self.ebb("test-image", name, "-o", "a.png")
            first = (self.dir / "a.png").read_bytes()
            self.assertIn("the file exists and is kept", self.ebb("test-image", name, "-o", "a.png", rc=4).stderr)
            (self.dir / "a.png").unlink()
            self.ebb("test-image", name, "-o", "a.png")
            self.assertEqual((self.dir / "a.png").read_bytes(), first)
            (self.dir / "a.png").unlink()
        self.assertIn("must be one of tower", self.ebb("test-image", "moon", rc=2).stderr)

    def test_plot_draws_the_curve_of_a_model_and_says_when_there_is_none(self) -> None:
        self.assertIn("contains no loss curve", self.ebb("plot", "m.safetensors", rc=3).stderr)
        tensors, metadata = read_safetensors(self.dir / "m.safetensors")
        curve = {"loss_curve": {"steps_per_point": 10, "loss": [1.0, 0.1, 0.05]}}
        write_safetensors(self.dir / "p.safetensors", tensors,
                          {**metadata, "ebb.training": json.dumps(curve)})
        self.ebb("plot", "p.safetensors", "-o", "p.png", "--width", "500", "--height", "400")
        self.assertEqual(provenance(self.dir / "p.png")["width"], 500)
        write_safetensors(self.dir / "q.safetensors", tensors, {**metadata, "ebb.training": "[]"})
        self.assertIn("ebb.training", self.ebb("plot", "q.safetensors", "-o", "q.png", rc=3).stderr)


if __name__ == "__main__":
    main()
