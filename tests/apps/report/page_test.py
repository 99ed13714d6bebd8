#!/usr/bin/env python3
"""page_test.py EBB OUTPUT: makes a report and opens it in a real browser.

Screenshots and a PDF are left in OUTPUT to be looked at.
"""

import os
import re
import shutil
import subprocess
import sys
import unittest
from pathlib import Path

from browser import Browser, find_browser

EBB = os.path.abspath(sys.argv[1])
OUTPUT = Path(sys.argv[2]).resolve()
SKIPPED = 77
PHONE, SMALL_PHONE, DESK = (390, 844), (360, 640), (1280, 900)
PAGE_WIDTH, PAGE_HEIGHT = 673, 986  # CSS pixels of A4 within the margins of the print style

# The lowest contrast of text (WCAG 2: relative luminances of the text and of what lies below it).
LOWEST_CONTRAST = """
(() => {
  const parse = text => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([r, g, b]) => [r, g, b].map(v => v / 255)
      .map(v => v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
      .reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
  const below = node => {
    for (; node; node = node.parentElement) {
      const color = parse(getComputedStyle(node).backgroundColor);
      if (color.length === 3 || color[3] === 1) return color;
    }
    return [255, 255, 255];
  };
  let worst = {ratio: 99, text: ''};
  for (const node of document.querySelectorAll('body *')) {
    const own = [...node.childNodes].some(c => c.nodeType === 3 && c.data.trim());
    if (!own || !node.checkVisibility() || node.closest('script, .skip')) continue;
    const a = light(parse(getComputedStyle(node).color)), b = light(below(node));
    const ratio = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (!(ratio >= worst.ratio)) worst = {ratio, text: node.tagName + ': ' + node.textContent.slice(0, 40)};
  }
  return worst;
})()
"""

WIDER_THAN_THE_SCREEN = """
[...document.querySelectorAll('body *')].filter(node => {
  if (node.closest('svg')) return false;
  if (node.closest('.wide, .labeled, pre, math, .skip, .toc details')) return false;
  const box = node.getBoundingClientRect();
  return box.width > 0 && box.right > document.documentElement.clientWidth + 1;
}).map(node => node.tagName + '.' + node.className).slice(0, 5)
"""


class PageTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls) -> None:
        shutil.rmtree(OUTPUT, ignore_errors=True)
        OUTPUT.mkdir(parents=True)
        made = os.environ.get("EBB_REPORT")  # a finished report to look at instead
        if not made:
            made = str(OUTPUT / "report")
            subprocess.run([EBB, "report", "-o", made, "--fast"], check=True)
        cls.page = Path(made) / "index.html"
        cls.html = cls.page.read_text(encoding="utf-8")
        cls.browser = Browser(find_browser())

    @classmethod
    def tearDownClass(cls) -> None:
        cls.browser.close()

    def open(self, size, dark=False, mobile=False) -> Browser:
        browser = self.browser
        browser.problems.clear()
        browser.view(*size, dark=dark, mobile=mobile)
        browser.open(self.page)
        return browser

    def check_page(self, browser: Browser) -> None:
        self.assertEqual(browser.problems, [])
        images = "[...document.images]"
        self.assertGreater(browser.value(f"{images}.length"), 10)
        broken = f"{images}.filter(i => !i.complete || i.naturalWidth === 0).map(i => i.alt)"
        self.assertEqual(browser.value(broken), [])
        self.assertEqual(browser.value(WIDER_THAN_THE_SCREEN), [])

    def shoot(self, browser: Browser, name: str) -> None:
        """The page in pieces that a viewer can show."""
        browser.screenshot(OUTPUT / f"{name}-top.png")
        height = browser.value("document.documentElement.scrollHeight")
        width = browser.value("document.documentElement.clientWidth")
        step = 3000
        for part, top in enumerate(range(0, height, step)):
            clip = {"x": 0, "y": top, "width": width, "height": min(step, height - top)}
            browser.screenshot(OUTPUT / f"{name}-{part:02d}.png", clip)

    def test_a_phone_shows_everything_within_its_width(self) -> None:
        browser = self.open(PHONE, mobile=True)
        self.check_page(browser)
        self.shoot(browser, "phone")
        self.check_page(self.open(SMALL_PHONE, mobile=True))

    def test_a_desk_shows_everything(self) -> None:
        browser = self.open(DESK)
        self.check_page(browser)
        self.shoot(browser, "desk")

    def test_text_can_be_read_in_light_and_dark(self) -> None:
        for dark in (False, True):
            browser = self.open(DESK, dark=dark)
            self.check_page(browser)
            worst = browser.value(LOWEST_CONTRAST)
            self.assertGreaterEqual(worst["ratio"], 4.5, worst["text"])
            if dark:
                self.shoot(browser, "dark")

    def test_paper_holds_whole_figures(self) -> None:
        browser = self.open((PAGE_WIDTH, PAGE_HEIGHT))
        browser.print_media()
        tall = ("[...document.querySelectorAll('figure')].filter(f => f.offsetHeight > "
                f"{PAGE_HEIGHT} || getComputedStyle(f).breakInside !== 'avoid').map(f => f.id)")
        self.assertEqual(browser.value(tall), [])
        shown = "[...document.querySelectorAll('.controls, nav')].filter(n => n.checkVisibility()).length"
        self.assertEqual(browser.value(shown), 0)
        browser.pdf(OUTPUT / "report.pdf")
        self.assertTrue((OUTPUT / "report.pdf").read_bytes().startswith(b"%PDF-"))

    def test_a_button_turns_the_anagrams(self) -> None:
        browser = self.open(DESK)
        buttons = browser.value("document.querySelectorAll('[data-flip]').length")
        self.assertGreater(buttons, 0)
        for i in range(buttons):
            button = f"document.querySelectorAll('[data-flip]')[{i}]"
            figure = f"{button}.closest('figure')"
            turn = browser.value(f"{figure}.querySelector('.turning').dataset.turn")
            read = f"{figure}.querySelector('output').textContent"
            upright = browser.value(read)
            browser.value(f"{figure}.scrollIntoView(); {button}.focus()")
            browser.press(" ", 32, " ")
            self.assertEqual(browser.value(f"{button}.getAttribute('aria-pressed')"), "true")
            self.assertNotEqual(browser.value(read), upright)
            # Read when the transition is over: (a, b, c, d) of the matrix.
            matrix = browser.value(
                f"Promise.all({figure}.getAnimations({{subtree: true}}).map(a => a.finished)).then(() =>"
                f" getComputedStyle({figure}.querySelector('.turning img')).transform)"
            )
            a, b, c, d = [float(x) for x in re.findall(r"[-\de.]+", matrix.split("(")[1])[:4]]
            expected = (-1, 0, 0, -1) if turn == "rotate_180" else (1, 0, 0, -1)
            for found, wanted in zip((a, b, c, d), expected):
                self.assertAlmostEqual(found, wanted, places=6, msg=f"{turn}: {matrix}")
            if i == 0:
                browser.screenshot(OUTPUT / "turned.png")
            browser.press(" ", 32, " ")
            self.assertEqual(browser.value(read), upright)

    def test_a_slider_takes_the_hybrids_away(self) -> None:
        browser = self.open(DESK)
        self.assertGreater(browser.value("document.querySelectorAll('[data-distance]').length"), 0)
        browser.value("document.querySelector('[data-distance]').focus()")
        browser.press("End", 35)
        figure = "document.querySelector('[data-distance]').closest('figure')"
        matrix = browser.value(
            f"{figure}.scrollIntoView(); Promise.all({figure}.getAnimations({{subtree: true}})"
            f".map(a => a.finished)).then(() => getComputedStyle({figure}.querySelector('.distance img'))"
            ".transform)"
        )
        scale = float(matrix.split("(")[1].split(",")[0])
        furthest = browser.value("Number(document.querySelector('[data-distance]').max)")
        self.assertAlmostEqual(scale, 1 / furthest, places=4)
        browser.screenshot(OUTPUT / "distance.png")

    def test_a_command_is_folded_and_its_flags_stay_whole(self) -> None:
        browser = self.open(PHONE, mobile=True)
        self.assertEqual(browser.value("document.querySelectorAll('details.made[open]').length"), 0)
        browser.value("document.querySelectorAll('details.made').forEach(d => d.open = true)")
        broken = ("[...document.querySelectorAll('.command code span')].filter(s => s.textContent.startsWith('--') "
                  "&& s.getClientRects().length > 1).map(s => s.textContent)")
        self.assertEqual(browser.value(broken), [])
        self.assertEqual(browser.value(WIDER_THAN_THE_SCREEN), [])
        button = "document.querySelector('[data-copy]')"
        browser.value(f"{button}.click()")
        browser.value("new Promise(done => setTimeout(done, 200))")
        self.assertIn(browser.value(f"{button}.textContent"), ("Copied", "Selected"))

    def test_the_contents_lead_to_every_section(self) -> None:
        browser = self.open(DESK)
        dangling = ("[...document.querySelectorAll('a[href^=\"#\"]')].filter(a => "
                    "!document.getElementById(a.hash.slice(1))).map(a => a.hash)")
        self.assertEqual(browser.value(dangling), [])
        ids = browser.value("[...document.querySelectorAll('[id]')].map(n => n.id)")
        self.assertEqual(len(ids), len(set(ids)))

    def test_every_image_has_an_alternative_text_and_every_figure_its_command(self) -> None:
        browser = self.open(DESK)
        self.assertEqual(browser.value("[...document.images].filter(i => !i.alt.trim()).length"), 0)
        bare = "[...document.querySelectorAll('figure')].filter(f => !f.querySelector('.command code')).map(f => f.id)"
        self.assertEqual(browser.value(bare), [])

    def test_the_page_is_small_and_whole(self) -> None:
        self.assertLess(len(self.html.encode()), 8_000_000)
        self.assertEqual(re.findall(r'(?:src|href)="(?!data:|#)[^"]*"', self.html), [])
        self.assertTrue(self.html.endswith("</html>\n"))


if __name__ == "__main__":
    if not find_browser():
        print("skipped: tests/apps/report/page_test.py: no Chromium (Debian package chromium)")
        sys.exit(SKIPPED)
    unittest.main(argv=sys.argv[:1] + sys.argv[3:])
