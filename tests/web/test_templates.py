"""Every page is held to its dataclass, and to what the content security policy lets a browser do."""

import dataclasses
from html.parser import HTMLParser
from pathlib import Path

import jinja2
import pytest
from jinja2 import meta, nodes

from homeport.web import static_files, storybook
from homeport.web.rendering import Renderer, template_name

RENDERER = Renderer(static_files.address)
PAGES = sorted({type(page) for page in storybook.STORIES.values()}, key=lambda page: page.__name__)
TEMPLATES = sorted(path.name for path in (Path(static_files.__file__).parent / "templates").glob("*.html"))


def _tree(name: str) -> nodes.Template:
    loader = RENDERER.environment.loader
    assert loader is not None
    source, _, _ = loader.get_source(RENDERER.environment, name)
    return RENDERER.environment.parse(source)


def _fields_used(name: str) -> set[str]:
    """What a template takes from its page, as `page.field`."""
    return {
        found.attr
        for found in _tree(name).find_all(nodes.Getattr)
        if isinstance(found.node, nodes.Name) and found.node.name == "page"
    }


@pytest.mark.parametrize("page", PAGES)
def test_a_template_uses_exactly_the_fields_of_its_page(page: type) -> None:
    fields = {field.name for field in dataclasses.fields(page)}
    used = _fields_used(template_name(page)) | _fields_used("_layout.html")
    assert used == fields


@pytest.mark.parametrize("name", TEMPLATES)
def test_a_template_knows_nothing_but_its_page(name: str) -> None:
    tree = _tree(name)
    imported = {item for found in tree.find_all(nodes.FromImport) for item in found.names}
    own = {found.name for found in tree.find_all(nodes.Macro)}
    # inside of blocks, jinja counts what the file itself imports and defines as undeclared
    assert meta.find_undeclared_variables(tree) - imported - own <= {"page", "static"}


def test_every_template_has_its_page_in_the_storybook() -> None:
    assert {template_name(page) for page in PAGES} == {name for name in TEMPLATES if not name.startswith("_")}


def test_nothing_is_marked_safe_by_hand() -> None:
    assert RENDERER.environment.autoescape is True
    assert RENDERER.environment.undefined is jinja2.StrictUndefined
    filters = [f.name for name in TEMPLATES for f in _tree(name).find_all(nodes.Filter)]
    assert not {"safe", "tojson", "xmlattr"} & set(filters)


class _Strict(HTMLParser):
    """Collects what the content security policy forbids, and what is not closed."""

    VOID = frozenset({"meta", "link", "img", "input", "br", "rect"})

    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []
        self.open: list[str] = []
        self.ids: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if len(given) != len(attrs):
            self.faults.append(f"<{tag}> has an attribute twice")
        if tag == "style" or (tag == "script" and not (given.get("src") or "").startswith("/static/")):
            self.faults.append(f"inline <{tag}>")
        for name, value in attrs:
            if name == "style" or name.startswith("on"):
                self.faults.append(f"{name} of <{tag}>")
            if name in ("src", "href", "action", "formaction") and not (value or "").startswith(("/", "#")):
                self.faults.append(f"<{tag}> goes to {value}")
        self.ids += [given["id"] or ""] if "id" in given else []
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag in self.VOID:
            return
        if not self.open or self.open.pop() != tag:
            self.faults.append(f"</{tag}> closes something else")


@pytest.mark.parametrize("story", storybook.STORIES)
def test_every_story_is_sound_and_needs_nothing_from_elsewhere(story: str) -> None:
    html = RENDERER.html(storybook.STORIES[story])
    strict = _Strict()
    strict.feed(html)
    strict.close()
    assert strict.faults == []
    assert strict.open == []
    assert len(strict.ids) == len(set(strict.ids))
    assert "<script>alert" not in html
    assert ("{{" in html) == ("hostile" in story or story == "error-with-reasons")


def test_the_storybook_can_be_written_to_a_folder(tmp_path: Path) -> None:
    written = storybook.write(tmp_path)
    assert len(written) == len(storybook.STORIES)
    assert (tmp_path / "static" / "pages.css").exists()
    assert (tmp_path / "index.html").exists()
