"""Server-rendered pages: workspaces, jobs, runs with their log as it comes, pipelines.

A page is a frozen dataclass of what its template may use; page, module and template share a name. Everything a
page needs comes from this server: no inline script or style, and nothing from elsewhere.
"""

from homeport.web.routes import install

__all__ = ["install"]
