"""Where BaGPipe's tools find the daemon: port 8082, or what an old bgp.conf that is still there says."""

from __future__ import annotations

import configparser
from pathlib import Path

CONFIG = Path("/etc/bagpipe-bgp/bgp.conf")
PORT = 8082


def api_port(config: Path = CONFIG) -> int:
    """``[API] port``, or ``api_port`` as before 2017. A file that cannot be read is as good as none."""
    parser = configparser.ConfigParser(interpolation=None, strict=False, allow_no_value=True)
    try:
        parser.read(config, encoding="utf-8")
    except (configparser.Error, OSError, UnicodeDecodeError):
        return PORT
    for section in parser.sections():
        if section.upper() == "API":
            for name in ("port", "api_port"):
                value = parser.get(section, name, fallback=None) or ""
                if value.isdecimal():
                    return int(value)
    return PORT
