"""Files as Binance's public archive lays them out: a zip of one CSV, and its checksum beside it."""

import hashlib
import io
import zipfile

from tests.venues.local_server import LocalServer


def pack(name: str, text: str) -> bytes:
    """A zip with one file; the same text gives the same bytes."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(zipfile.ZipInfo(name), text)
    return buffer.getvalue()


def publish(server: LocalServer, path: str, rows: int = 3, header: str = "") -> bytes:
    """Put a file of so many trades at `path` below data/, with its checksum."""
    name = path.rpartition("/")[2]
    lines = [f"{number},100.{number},1.5,150,17040672{number:05},True,True" for number in range(rows)]
    body = pack(name.replace(".zip", ".csv"), header + "".join(f"{line}\n" for line in lines))
    server.files[f"data/{path}"] = body
    server.files[f"data/{path}.CHECKSUM"] = f"{hashlib.sha256(body).hexdigest()}  {name}\n".encode()
    return body
