"""Views as pages: one HTML file each, which shows a view in a browser, and needs no network."""

PAGE_SUFFIX = ".html"
