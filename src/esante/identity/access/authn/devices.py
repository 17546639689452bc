"""Browser and system of a request, in words by which people recognise their own devices."""

from starlette.requests import Request

_BROWSERS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("Chrome/", "Chrome"),
    ("CriOS/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("Android", "Android"),
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Windows", "Windows"),
    ("CrOS", "ChromeOS"),
    ("Mac OS X", "macOS"),
    ("Linux", "Linux"),
)


def device_of(request: Request) -> str:
    """Return browser and system of a request by its header User-Agent; "" for others than the usual ones."""
    agent = request.headers.get("user-agent", "")
    found = (next((name for mark, name in names if mark in agent), "") for names in (_BROWSERS, _SYSTEMS))
    return ", ".join(filter(None, found))
