"""From a page to HTML. A template gets its page and nothing else, and may not use what the page does not have."""

from collections.abc import Callable
from typing import Any, Protocol

import jinja2
from starlette.responses import HTMLResponse

from homeport.web import static_files, words
from homeport.web.frame import Frame


class Page(Protocol):
    """A frozen dataclass whose template is named after its module."""

    @property
    def frame(self) -> Frame: ...


def template_name(page_class: type[Any]) -> str:
    return page_class.__module__.rpartition(".")[2] + ".html"


class Renderer:
    """Renders pages; `address` says where they find static files."""

    def __init__(self, address: Callable[[str], str]) -> None:
        self.environment = jinja2.Environment(
            loader=jinja2.PackageLoader("homeport.web"),
            autoescape=True,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        self.environment.globals = {"static": address}
        self.environment.filters |= {
            "duration": words.duration,
            "iso": words.iso,
            "size": words.size,
            "utc": words.utc,
            "clock": words.clock_time,
        }

    def html(self, page: Page) -> str:
        return self.environment.get_template(template_name(type(page))).render(page=page)


_renderer = Renderer(static_files.address)


def answer(page: Page, status: int = 200, retry_after: int | None = None) -> HTMLResponse:
    """The page; `retry_after` is the seconds until trying again makes sense, where that is known."""
    headers = None if retry_after is None else {"Retry-After": str(retry_after)}
    return HTMLResponse(_renderer.html(page), status, headers)
