"""Whether what a page says can be read: its colours beside each other (WCAG 2.2, success criterion 1.4.3)."""

from __future__ import annotations

from typing import Any

from playwright.sync_api import Page

LEAST = 4.5
"""How much lighter or darker a text has to be than what lies behind it."""

PAIRS = """() => {
  const canvas = document.createElement('canvas').getContext('2d', {willReadFrequently: true});
  const rgba = colour => {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = colour;
    canvas.fillRect(0, 0, 1, 1);
    return [...canvas.getImageData(0, 0, 1, 1).data];
  };
  const behind = element => {
    for (let at = element; at; at = at.parentElement) {
      const colour = rgba(getComputedStyle(at).backgroundColor);
      if (colour[3] === 255) return colour;
    }
    return [255, 255, 255, 255];
  };
  const found = {};
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const element = walker.currentNode.parentElement, text = walker.currentNode.textContent.trim();
    if (!text || !element.checkVisibility({opacityProperty: true, visibilityProperty: true})) continue;
    const pair = [rgba(getComputedStyle(element).color), behind(element)];
    found[JSON.stringify(pair)] ??= [...pair, text.slice(0, 40)];
  }
  return Object.values(found);
}"""


def faint(page: Page) -> list[tuple[str, float]]:
    """Return the beginning of each text that is too like what lies behind it, with the contrast."""
    found: list[tuple[list[int], list[int], str]] = page.evaluate(PAIRS)
    assert found, "the page says nothing"
    rated = [(text, ratio(front, back)) for front, back, text in found]
    return [(text, round(rate, 2)) for text, rate in rated if rate < LEAST]


def ratio(one: list[int], other: list[int]) -> float:
    """Return the contrast of two colours, 1 to 21."""
    darker, lighter = sorted((luminance(one), luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def luminance(colour: list[Any]) -> float:
    """Return how light a colour is, 0 to 1."""
    linear: list[float] = [
        part / 255 / 12.92 if part <= 10 else float(((part / 255 + 0.055) / 1.055) ** 2.4)
        for part in colour[:3]
    ]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
